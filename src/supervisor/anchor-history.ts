import type { ActionOf } from "../../audit/action.ts";
import type { AuditLog, CommittedRow } from "../../audit/log.ts";
import type { State } from "./state.ts";

/** One promised anchor, as its newest `anchor.added` row has it. */
export interface AnchorSpec {
  readonly name: string;
  readonly type: ActionOf<"anchor.added">["type"];
  /** An address or a path; null for the keychain, or where the content cannot be opened. */
  readonly place: string | null;
  readonly vkey: string | null;
  /** Of a timestamp authority: fingerprints of the certificates that vouch for it. */
  readonly pins: readonly string[];
  /** The row. */
  readonly seq: number;
}

export interface AnchorStanding {
  readonly state: "never" | "good" | ActionOf<"anchor.failed">["reason"];
  /** Rows that it holds. */
  readonly size: number;
  readonly sentence: string | null;
}

/** The newest of each about an anchor says all that is to be known of it. */
const KINDS = ["anchor.added", "anchor.removed", "anchor.reached", "anchor.failed", "key.rotated"] as const;
const NEVER: AnchorStanding = { state: "never", size: 0, sentence: null };

/** What the log says of its anchors: which rows to read at a start the projection knows, for there is no index on the evidence; then kept up with each row. */
export class AnchorHistory {
  readonly #log: AuditLog;
  readonly #promised = new Map<string, AnchorSpec>();
  readonly #types = new Map<string, AnchorSpec["type"]>();
  readonly #standing = new Map<string, AnchorStanding>();
  #rotatedAt = 0;
  readonly #rotated = new Set<() => void>();

  constructor(log: AuditLog, state: Pick<State, "newest">) {
    this.#log = log;
    for (const row of state.newest(log, KINDS)) this.#take(row);
    log.follow(log.size - 1, (row) => this.#take(row));
  }

  #take(row: CommittedRow): void {
    const { action, seq } = row;
    switch (action.kind) {
      case "anchor.added": {
        const { anchor: name, type, vkey, pins = "" } = action;
        const place = type === "keychain" ? null : row.content("place");
        this.#promised.set(name, { name, type, place, vkey, pins: pins.match(/.{64}/g) ?? [], seq });
        this.#types.set(name, type);
        this.#standing.set(name, NEVER);
        return;
      }
      case "anchor.removed":
        this.#promised.delete(action.anchor);
        return;
      case "anchor.reached":
        this.#standing.set(action.anchor, { state: "good", size: action.size, sentence: null });
        return;
      case "anchor.failed": {
        const { size } = this.#standing.get(action.anchor) ?? NEVER;
        this.#standing.set(action.anchor, { state: action.reason, size, sentence: row.content("error") });
        return;
      }
      case "key.rotated":
        this.#rotatedAt = seq + 1;
        for (const tell of this.#rotated) setImmediate(tell);
        return;
      default:
    }
  }

  /** Added and not removed since, oldest first. */
  get promised(): AnchorSpec[] {
    return [...this.#promised.values()].toSorted((a, b) => a.seq - b.seq);
  }
  /** Every name that an anchor ever had, and its type. */
  get types(): ReadonlyMap<string, AnchorSpec["type"]> {
    return this.#types;
  }
  /** Up to this size checkpoints are also signed by the key before; 0 while there was none. */
  get rotatedAt(): number {
    return this.#rotatedAt;
  }

  standing({ name, type }: AnchorSpec): AnchorStanding {
    const standing = this.#standing.get(name) ?? NEVER;
    const proved = type === "witness" || type === "timestamp" ? this.#log.anchors.newest(name) : 0;
    return { ...standing, size: Math.max(standing.size, proved) };
  }

  /** Is this a finding that no action waits for? An anchor that was never reached is missing for `verify` alone, and what one says without a
   *  signature is no proof. */
  waits({ code, seq }: { readonly code: string; readonly seq: number | null }): boolean {
    if (code === "anchor-conflict") return true;
    const spec = this.promised.find((one) => one.seq === seq);
    return code === "anchor-missing" && spec !== undefined && this.standing(spec).size === 0;
  }

  /** Calls `tell` after each change of the log's key. */
  onRotation(tell: () => void): void {
    this.#rotated.add(tell);
  }
}
