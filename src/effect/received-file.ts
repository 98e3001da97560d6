import { createHash } from "node:crypto";
import type { Recorded } from "../../audit/recorded.ts";
import { MAX_SHOWN_BYTES, type ShownFile, ShownMedia } from "../ipc/completion.ts";
import type { Place } from "../sandbox/folder.ts";
import type { Ours } from "../sandbox/workspace.ts";
import type { AdapterLink } from "../session/link.ts";
import { WorkspaceError } from "../sandbox/workspace-error.ts";
import { typeOf } from "./file-type.ts";
import { putInInbox } from "./inbox.ts";

/** A file that came with a message, as it is known once it is here. */
export type ReceivedFile =
  | {
      readonly path: string;
      readonly type: string;
      readonly bytes: number;
      /** A model may be shown it; its bytes are in that row. */
      readonly shown: (ShownFile & { readonly row: number }) | null;
    }
  | { readonly why: string };

/** Which file of a message is fetched, and where it is put. */
export interface FileToFetch {
  readonly handle: string;
  /** Bytes. */
  readonly limit: number;
  /** As its sender calls it. */
  readonly name: string;
  readonly place: Place;
  readonly ours: Ours;
}

/** Fetches one recorded file of a message, puts it into the inbox of a workspace, and records what became of it.
 *  @param label says of the path, before anybody is told of it, whose bytes lie there. @throws {AuditError} if that cannot be recorded. */
export async function receiveFile<L extends symbol>(
  recorded: Recorded<"file.fetching">,
  link: AdapterLink<L>,
  { handle, limit, name, place, ours }: FileToFetch,
  label: (path: string) => Promise<void>,
): Promise<ReceivedFile> {
  await using intent = recorded;
  intent.redeem();
  const fetched = await link.file(handle, limit);
  if (fetched.state === "failed") {
    await intent.finish({ kind: "file.missed", reason: fetched.reason }, { error: fetched.error });
    return { why: fetched.error };
  }
  const { bytes } = fetched;
  let path: string;
  try {
    path = putInInbox(ours, place, name, bytes);
    await label(path);
  } catch (error) {
    if (!(error instanceof WorkspaceError)) throw error;
    await intent.finish({ kind: "file.missed", reason: "workspace" }, { error: error.message });
    return { why: "there is no place for it in the workspace" };
  }
  const type = typeOf(bytes);
  const digest = createHash("sha256").update(bytes).digest("hex");
  const media = ShownMedia.safeParse(type);
  const shows = media.success && bytes.length > 0 && bytes.length <= MAX_SHOWN_BYTES;
  const { seq } = await intent.finish(
    { kind: "file.fetched", bytes: bytes.length, type },
    { path, digest, ...(shows ? { bytes } : {}) },
  );
  const shown = shows ? { sha256: digest, media: media.data, bytes: bytes.length, row: seq } : null;
  return { path, type, bytes: bytes.length, shown };
}
