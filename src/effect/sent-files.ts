import { createHash } from "node:crypto";
import { basename } from "node:path";
import { MAX_FILE_BYTES } from "../ipc/adapter-frames.ts";
import { Workspace, type Ours } from "../sandbox/workspace.ts";
import { WorkspaceError } from "../sandbox/workspace-error.ts";
import type { OutgoingFile } from "../session/link.ts";
import { type ActionOfType, placeOf } from "./action.ts";
import { typeOf } from "./file-type.ts";

/** What all files of one message may have together, in bytes: each is held whole until it has left. */
const MAX_TOGETHER = MAX_FILE_BYTES;

/** Reads the files that a decided message takes along, and those very ones.
 *  @throws {WorkspaceError} if one is not what it was when this was asked, or they are too large. */
export function filesToSend(ours: Ours, action: ActionOfType<"message.send">): OutgoingFile[] {
  const { attached } = action;
  if (attached === undefined) return [];
  const place = new Workspace(placeOf(attached), ours);
  let room = MAX_TOGETHER;
  return attached.files.map(({ path, digest }) => {
    const read = place.read(path, room, "none");
    if (read.digest !== digest)
      throw new WorkspaceError("FILE_CHANGED", `${path} is not the file any more that it was when this was asked`);
    room -= read.bytes.length;
    return { name: basename(path), mime: typeOf(read.bytes), bytes: read.bytes };
  });
}

/** What the row of a message says of the files that go along with it. */
export function filesRecord(files: readonly OutgoingFile[]): string {
  return JSON.stringify(
    files.map(({ name, mime, bytes }) => ({
      name,
      type: mime,
      bytes: bytes.length,
      sha256: createHash("sha256").update(bytes).digest("hex"),
    })),
  );
}
