import { type Attachment, FileFailure, type Start } from "../adapter.ts";
import { download, tooLarge } from "../download.ts";
import { networkFailure, SendFailure } from "../failure.ts";
import { isFileHost, sendFailure } from "./api.ts";
import type { Calls } from "./calls.ts";
import { FILE_ID } from "./media.ts";
import { fetchFile } from "./way.ts";

/** A file of the largest size on a slow line. */
const UPLOAD_MS = 180_000;
/** What is said of a file that arrived is a word. */
const MAX_OK_BYTES = 4_096;

/** Fetches a file. The bot token is shown to Slack's own host of files only. @throws {FileFailure} */
export async function fileOf(calls: Calls, start: Start, handle: string, limit: number): Promise<Uint8Array> {
  if (!FILE_ID.test(handle)) throw new FileFailure("gone", "this is no file of Slack's");
  const { url, size, type, token } = await askFor(calls, handle);
  if (size > limit) throw tooLarge(limit);
  if (!isFileHost(url, start))
    throw new FileFailure("refused", "the file does not lie at Slack: it is only linked there");
  const headers = { authorization: `Bearer ${token}` };
  const got = await download({ platform: "Slack", url, headers, limit, fetch: fetchFile });
  // Whoever may not have a file is shown a page to log in on.
  if (got.type.startsWith("text/html") && !type.startsWith("text/html"))
    throw new FileFailure("refused", "Slack does not hand out the file: the app lacks the scope files:read");
  return got.bytes;
}

interface Found {
  readonly url: string;
  /** Bytes, as Slack says. */
  readonly size: number;
  readonly type: string;
  /** That it was asked for with. */
  readonly token: string;
}

async function askFor(calls: Calls, file: string): Promise<Found> {
  try {
    const question = { method: "files.info", place: null, again: true };
    const { found, token } = await calls.do(question, async (web) => ({
      found: (await web.files.info({ file })).file,
      token: web.token ?? "",
    }));
    const url = found?.url_private_download ?? found?.url_private ?? "";
    if (url === "") throw new FileFailure("gone", "Slack does not have the file any more");
    return { url, size: found?.size ?? 0, type: found?.mimetype ?? "", token };
  } catch (error) {
    if (error instanceof FileFailure) throw error;
    const failure = sendFailure(error);
    if (/file_(?:not_found|deleted)$/.test(failure.message)) throw new FileFailure("gone", failure.message);
    throw new FileFailure(failure.code === "refused" ? "refused" : "unreachable", failure.message);
  }
}

/** Sends one file: first its bytes, which nobody sees, then that they are shown. @returns the file's id. @throws {SendFailure} */
export async function upload(
  calls: Calls,
  start: Start,
  where: { readonly place: string; readonly thread: string | null },
  { name, bytes }: Attachment,
): Promise<string> {
  const { place, thread } = where;
  const ticket = await calls.do(
    { method: "files.getUploadURLExternal", place: null, again: true },
    async (web) => await web.files.getUploadURLExternal({ filename: name, length: bytes.length }),
  );
  const { upload_url: url = "", file_id: id = "" } = ticket;
  if (!isFileHost(url, start)) throw new SendFailure("refused", "Slack named a place for the file that is not its own");
  await put(url, bytes);
  await calls.do({ method: "files.completeUploadExternal", place, again: false }, async (web) => {
    const share = { files: [{ id, title: name }] as [{ id: string; title: string }], channel_id: place };
    await web.files.completeUploadExternal(thread === null ? share : { ...share, thread_ts: thread });
  });
  return id;
}

/** What did not arrive whole is shown to nobody: it is sent anew. */
async function put(url: string, bytes: Uint8Array): Promise<void> {
  let status: number;
  try {
    const answer = await fetchFile(url, {
      method: "POST",
      headers: { "content-type": "application/octet-stream" },
      body: bytes,
      redirect: "manual",
      signal: AbortSignal.timeout(UPLOAD_MS),
    });
    status = answer.status;
    // Its "OK" is read, so that the connection is free again.
    for await (const piece of answer.body ?? []) if (piece.length > MAX_OK_BYTES) break;
  } catch (error) {
    throw new SendFailure("unreachable", networkFailure("Slack", error).message);
  }
  if (status === 413) throw new SendFailure("too-large", "Slack does not take a file of that size");
  if (status !== 200)
    throw new SendFailure(status >= 500 ? "unreachable" : "refused", `Slack does not take the file (${status})`);
}
