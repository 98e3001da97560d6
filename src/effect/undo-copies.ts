import type { ActionOf } from "../../audit/action.ts";
import type { AuditLog } from "../../audit/log.ts";
import type { Place } from "../sandbox/folder.ts";
import { type Change, Snapshot, type State } from "../sandbox/snapshot.ts";

/** The snapshot of before is of use to the next command for so long, in milliseconds: what it left alone is not read again. */
const REMEMBERED_MS = 60_000;

/** A change as it stands in a row's content: where its bytes lie in the other part. */
export interface KeptChange extends Omit<Change, "bytes"> {
  /** Null: not kept. */
  readonly at: { readonly from: number; readonly length: number } | null;
}

/** What a command changed, as it was: so that a turn can be taken back. It lies in the log, sealed under its session's key like everything else of it. */
export class UndoCopies {
  readonly #log: Pick<AuditLog, "append">;
  readonly #last = new Map<string, { readonly snapshot: Snapshot; readonly timer: NodeJS.Timeout }>();

  constructor(log: Pick<AuditLog, "append">) {
    this.#log = log;
  }

  /** For one command. @param of the row that it runs under. */
  keeping(place: Place, of: { readonly seq: number; readonly action: ActionOf<"tool.called"> }) {
    const { workspace } = place;
    let snapshot: Snapshot | null = null;
    return {
      begin: async (): Promise<void> => {
        const earlier = this.#last.get(workspace);
        clearTimeout(earlier?.timer);
        this.#last.delete(workspace);
        snapshot = await Snapshot.take(place, earlier?.snapshot ?? null);
      },
      end: async (): Promise<void> => {
        if (snapshot === null) return;
        const changes = await snapshot.changes();
        const timer = setTimeout(() => this.#last.delete(workspace), REMEMBERED_MS).unref();
        this.#last.set(workspace, { snapshot, timer });
        if (changes.length > 0) await this.#keep(changes, of);
      },
    };
  }

  async #keep(
    changes: readonly Change[],
    { seq, action }: { readonly seq: number; readonly action: ActionOf<"tool.called"> },
  ): Promise<void> {
    let from = 0;
    const pieces: Uint8Array[] = [];
    const kept = changes.map(({ bytes, ...change }): KeptChange => {
      if (bytes === null) return { ...change, at: null };
      const at = { from, length: bytes.length };
      from += bytes.length;
      pieces.push(bytes);
      return { ...change, at };
    });
    await this.#log.append(
      {
        kind: "undo.kept",
        turn: action.turn,
        session: action.session,
        agent: action.agent,
        principal: action.principal,
        files: changes.length,
        bytes: from,
        beyond: kept.filter((change) => isLost(change)).length,
      },
      {
        cause: seq,
        seal: action.session,
        content: { changes: JSON.stringify(kept), copies: Buffer.concat(pieces) },
      },
    );
  }
}

/** Was a file there that was not kept? */
export function isLost({ before, at }: { readonly before: State | null; readonly at: KeptChange["at"] }): boolean {
  return before !== null && (before.kind === "other" || (before.kind === "file" && at === null));
}
