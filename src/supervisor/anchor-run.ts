import type { ActionOf } from "../../audit/action.ts";
import type { AuditLog, StoredCheckpoint } from "../../audit/log.ts";
import type { AnchorHistory, AnchorSpec, AnchorStanding } from "./anchor-history.ts";
import type { AnchorPlace, Reached } from "./anchor-places.ts";

/** How often an anchor is given a new checkpoint, in milliseconds: a timestamp is kept with its certificates, a few KiB each. */
const EVERY_MS: Readonly<Record<AnchorSpec["type"], number>> = {
  witness: 60_000,
  timestamp: 3_600_000,
  file: 1_000,
  keychain: 60_000,
};
/** The wait after a failure: each further one is twice as long. */
const FIRST_MS = 1_000;
const MOST_MS = 5 * 60_000;

type FailReason = ActionOf<"anchor.failed">["reason"];

/** Gives one anchor each new checkpoint, as often as is due, and again with back-off when that fails. Nothing waits for it. */
export class AnchorRun {
  readonly spec: AnchorSpec;
  readonly #log: AuditLog;
  readonly #history: AnchorHistory;
  readonly #place: AnchorPlace;
  readonly #line: (line: string) => void;
  #standing: AnchorStanding;
  #wait = FIRST_MS;
  #lastAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | null = null;
  #working: Promise<void> = Promise.resolve();
  #busy = false;
  #closed = false;

  constructor(parts: {
    log: AuditLog;
    history: AnchorHistory;
    spec: AnchorSpec;
    place: AnchorPlace;
    line: (line: string) => void;
  }) {
    this.#log = parts.log;
    this.#history = parts.history;
    this.spec = parts.spec;
    this.#place = parts.place;
    this.#line = parts.line;
    this.#standing = parts.history.standing(parts.spec);
  }

  get standing(): AnchorStanding {
    return this.#standing;
  }

  /** A checkpoint was made, or the daemon starts: it goes out when it is due. */
  wanted(): void {
    if (this.#closed || this.#timer !== null || this.#busy) return;
    const good = this.#standing.state === "good";
    const wait = good ? EVERY_MS[this.spec.type] : this.#wait;
    this.#plan(Math.max(0, this.#lastAt + wait - performance.now()));
  }

  #plan(ms: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      void this.now();
    }, ms).unref();
  }

  /** Contacts it now. Resolves when it has answered or failed, and that is on the log. */
  async now(): Promise<AnchorStanding> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#working = this.#working.then(async () => await this.#contact());
    await this.#working;
    return this.#standing;
  }

  async #contact(): Promise<void> {
    if (this.#closed) return;
    this.#busy = true;
    try {
      const newest = this.#log.anchors.checkpoint();
      if (newest === null || (this.#standing.state === "good" && this.#standing.size >= newest.size)) return;
      this.#lastAt = performance.now();
      await this.took(newest, await this.#place.reach(newest));
      if (this.#closed) return;
      const later = this.#log.anchors.checkpoint()?.size ?? 0;
      if (later <= this.#standing.size && this.#good) return;
    } catch (error) {
      // The log cannot be written or read now: it says so itself, and this is tried again.
      this.#line(`anchor ${this.spec.name}: ${error instanceof Error ? error.message : String(error)}`);
      this.#wait = Math.min(this.#wait * 2, MOST_MS);
    } finally {
      this.#busy = false;
    }
    this.wanted();
  }

  get #good(): boolean {
    return this.#standing.state === "good";
  }

  /** Stores an answer, and records what it changes: a failure once and not each try. @throws {AuditError}. */
  async took(checkpoint: StoredCheckpoint, reached: Reached & { readonly proof?: Uint8Array }): Promise<void> {
    const { name, seq } = this.spec;
    const before = this.#standing.state;
    if (reached.state === "held") {
      const { size } = reached;
      if (reached.proof !== undefined) this.#log.anchors.store(name, checkpoint.size, reached.proof);
      // A checkpoint that the key of before signs too says nothing of whether the new one is known.
      const awaited = before === "new-key" && size <= this.#history.rotatedAt;
      this.#standing = awaited ? { ...this.#standing, size } : { state: "good", size, sentence: null };
      this.#wait = FIRST_MS;
      if (before !== "good" && !awaited)
        await this.#log.append({ kind: "anchor.reached", anchor: name, size }, { cause: seq });
      return;
    }
    const { reason, sentence } = reached;
    this.#standing = { ...this.#standing, state: reason, sentence };
    this.#wait = Math.min(this.#wait * 2, MOST_MS);
    if (before !== reason) await this.#failed(reason, sentence);
  }

  /** The log has a new key: until a witness's operator has added it, it accepts nothing. */
  async rotated(): Promise<void> {
    if (this.spec.type !== "witness" || this.#closed || this.#standing.state === "new-key") return;
    const sentence = `awaiting new key: on its machine run wirken witness add-log ${this.#log.vkey}`;
    this.#standing = { ...this.#standing, state: "new-key", sentence };
    await this.#failed("new-key", sentence);
  }

  async #failed(reason: FailReason, sentence: string): Promise<void> {
    const { name, seq } = this.spec;
    await this.#log.append(
      { kind: "anchor.failed", anchor: name, reason },
      { cause: seq, content: { error: sentence } },
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    await this.#place.close();
    await this.#working;
  }
}
