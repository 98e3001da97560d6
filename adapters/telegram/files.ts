import { type Api, GrammyError } from "grammy/web";
import { FileFailure } from "../adapter.ts";
import { download, tooLarge } from "../download.ts";
import { saidBy, sendFailure } from "./api.ts";

/** Fetches a file that somebody sent. Telegram hands out at most 20 MB.
 *  @param fileAt where a file lies that Telegram names. @throws {FileFailure} */
export async function fileOf(
  api: Api,
  fileAt: (path: string) => string,
  redact: (text: string) => string,
  handle: string,
  limit: number,
): Promise<Uint8Array> {
  try {
    const { file_path: path, file_size: size } = await api.getFile(handle);
    if (path === undefined) throw new FileFailure("gone", "Telegram does not have the file any more");
    if (path.split("/").some((step) => step === "" || step === "." || step === ".."))
      throw new FileFailure("refused", "Telegram named a place that is no file's");
    if (size !== undefined && size > limit) throw tooLarge(limit);
    const got = await download({
      platform: "Telegram",
      url: fileAt(path),
      limit,
      fetch: async (url, how) => await fetch(url, how),
    });
    return got.bytes;
  } catch (error) {
    if (error instanceof FileFailure) throw error;
    throw failureOf(error, redact);
  }
}

function failureOf(error: unknown, redact: (text: string) => string): FileFailure {
  if (!(error instanceof GrammyError)) return new FileFailure("unreachable", sendFailure(error, redact).message);
  const words = saidBy(error, redact);
  if (/file is too big/i.test(words))
    return new FileFailure("too-large", `${words}: a bot is handed out at most 20 MB`);
  if (error.error_code === 429 || error.error_code >= 500) return new FileFailure("unreachable", words);
  return new FileFailure(error.error_code === 400 ? "gone" : "refused", words);
}
