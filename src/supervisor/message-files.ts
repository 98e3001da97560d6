import { join } from "node:path";
import type { AuditLog } from "../../audit/log.ts";
import type { FileLabels } from "../broker/file-labels.ts";
import type { TurnContext } from "../broker/turn.ts";
import { surveyFile } from "../effect/file-survey.ts";
import { receiveFile } from "../effect/received-file.ts";
import { type FileRef, MAX_FILE_BYTES } from "../ipc/adapter-frames.ts";
import type { Ours } from "../sandbox/workspace.ts";
import type { AdapterLink } from "../session/link.ts";
import type { FileLine } from "./belongings.ts";

/** What all files of one message may have together, in bytes: each is held whole until it lies on the disk. */
const MAX_BYTES = 2 * MAX_FILE_BYTES;

export interface FilesParts {
  readonly log: Pick<AuditLog, "record">;
  readonly ours: Ours;
  readonly labels: FileLabels;
}

/** The files that come with messages. One is fetched only for a turn of somebody who is known, and put into that turn's workspace; whatever reads it
 *  there reads something that nobody vouches for. */
export class MessageFiles {
  readonly #parts: FilesParts;

  constructor(parts: FilesParts) {
    this.#parts = parts;
  }

  /** Fetches what there is, one after the other. @returns what is said of each. @throws {AuditError} if it cannot be recorded: then it is not fetched. */
  async receive<L extends symbol>(
    link: AdapterLink<L>,
    turn: TurnContext,
    message: string,
    files: readonly FileRef[],
  ): Promise<FileLine[]> {
    const lines: FileLine[] = [];
    let room = MAX_BYTES;
    for (const [nth, file] of files.entries()) {
      const name = file.name === "" ? `${file.what} ${nth + 1}` : file.name;
      if (turn.signal.aborted) break;
      if (file.what === "voice") {
        lines.push({ name, why: "voice messages cannot be listened to yet" });
        continue;
      }
      const limit = Math.min(MAX_FILE_BYTES, room);
      if ((file.bytes ?? 0) > limit || limit === 0) {
        lines.push({ name, why: tooLarge(limit) });
        continue;
      }
      const recorded = await this.#parts.log.record<"file.fetching">(
        {
          kind: "file.fetching",
          turn: turn.turn,
          session: turn.session,
          message,
          principal: turn.principal,
          nth,
        },
        { cause: turn.cause, seal: turn.session, content: { name } },
      );
      const { seq } = recorded;
      const { ours } = this.#parts;
      const wanted = { handle: file.handle, limit, name: file.name, place: turn, ours };
      const received = await receiveFile(recorded, link, wanted, async (path) => await this.#label(turn, seq, path));
      if ("path" in received) {
        room -= received.bytes;
        lines.push(received);
      } else lines.push({ name, why: received.why });
    }
    return lines;
  }

  async #label(turn: TurnContext, cause: number, path: string): Promise<void> {
    const file = surveyFile(join(turn.workspace, path));
    if (file === null) return;
    await this.#parts.labels.file(turn, cause, {
      files: [
        {
          path: file.path,
          inode: file.inode,
          digest: file.digest,
          since: null,
          labels: { untrusted: true, private: [] },
        },
      ],
      gone: [],
    });
  }
}

function tooLarge(limit: number): string {
  return `it has more than the ${Math.floor(limit / 1_048_576)} MiB that are left for one message`;
}
