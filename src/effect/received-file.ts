import { createHash } from "node:crypto";
import type { Recorded } from "../../audit/recorded.ts";
import type { AdapterLink } from "../session/link.ts";
import { WorkspaceError } from "../sandbox/workspace-error.ts";
import { typeOf } from "./file-type.ts";

/** A file that came with a message, as it is known once it is here. */
export type ReceivedFile =
  | { readonly path: string; readonly type: string; readonly bytes: number }
  | { readonly why: string };

/** Fetches one recorded file of a message, puts it where it is to lie, and records what became of it.
 *  @param put gives the path in the workspace. @throws {AuditError} if that cannot be recorded. */
export async function receiveFile<L extends symbol>(
  recorded: Recorded<"file.fetching">,
  link: AdapterLink<L>,
  handle: string,
  limit: number,
  put: (bytes: Uint8Array) => Promise<string>,
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
    path = await put(bytes);
  } catch (error) {
    if (!(error instanceof WorkspaceError)) throw error;
    await intent.finish({ kind: "file.missed", reason: "workspace" }, { error: error.message });
    return { why: "there is no place for it in the workspace" };
  }
  const type = typeOf(bytes);
  const digest = createHash("sha256").update(bytes).digest("hex");
  await intent.finish({ kind: "file.fetched", bytes: bytes.length, type }, { path, digest });
  return { path, type, bytes: bytes.length };
}
