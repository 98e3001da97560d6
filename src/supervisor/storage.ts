import type { AuditLog } from "../../audit/log.ts";
import type { AnswerTo } from "../ipc/operator.ts";
import { fileSystemOf, fullText, type Room, sizeText } from "./disk.ts";

/** Below either of these the owner is warned. */
const LOW_BYTES = 1e9;
const LOW_SHARE = 0.05;
/** It is looked so often, in milliseconds; while the log has no room, for room again. */
const LOOK_MS = 5_000;
const RECOVER_MS = 1_000;

type State = AnswerTo<"status">["storage"];
const GOOD: State = { state: "good", sentence: null };

export interface StorageParts {
  readonly log: Pick<AuditLog, "append" | "stopped">;
  /** The data directory. */
  readonly root: string;
  readonly room: (path: string) => Room | null;
  readonly line: (role: string, line: string) => void;
}

/** Whether there is room for the record. What it says comes from memory: asking it writes nothing. */
export class Storage {
  readonly #parts: StorageParts;
  #now: State = GOOD;
  #timer: NodeJS.Timeout | null = null;
  #looking: Promise<void> = Promise.resolve();

  constructor(parts: StorageParts) {
    this.#parts = parts;
  }

  get now(): State {
    // The log may have noticed since the last look.
    return this.#isFull() && this.#now.state !== "exhausted" ? this.#exhausted() : this.#now;
  }

  start(): void {
    if (this.#timer !== null) return;
    const next = (): void => {
      this.#timer = setTimeout(
        () => void this.look().finally(() => (this.#timer === null ? undefined : next())),
        this.#now.state === "exhausted" ? RECOVER_MS : LOOK_MS,
      ).unref();
    };
    next();
  }

  async close(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    await this.#looking;
  }

  /** One look at a time: says on the log when it is full, from the reserve, and when it goes on. */
  look(): Promise<void> {
    this.#looking = this.#looking.then(async () => await this.#look());
    return this.#looking;
  }

  async #look(): Promise<void> {
    const { line } = this.#parts;
    if (this.#now.state === "exhausted") {
      if (await this.#recovered()) {
        this.#now = this.#byRoom();
        line("storage", "there is room again: everything goes on");
      }
      return;
    }
    if (this.#isFull()) {
      this.#now = this.#exhausted();
      line("storage", this.#now.sentence ?? "");
      await this.#say("storage.exhausted");
      return;
    }
    const before = this.#now.state;
    this.#now = this.#byRoom();
    if (this.#now.state === "low" && before === "good") line("storage", this.#now.sentence ?? "");
  }

  /** A row that is refused for as long as there is no room: that it is taken is the answer. */
  async #recovered(): Promise<boolean> {
    return await this.#say("storage.recovered");
  }

  async #say(kind: "storage.exhausted" | "storage.recovered"): Promise<boolean> {
    const free = this.#parts.room(this.#parts.root)?.free ?? 0;
    try {
      await this.#parts.log.append({ kind, free }, { cause: null });
      return true;
    } catch {
      return false;
    }
  }

  #isFull(): boolean {
    return this.#parts.log.stopped?.code === "AUDIT_UNWRITABLE";
  }

  #exhausted(): State {
    const { what, largest } = fullText(this.#parts.root);
    return {
      state: "exhausted",
      sentence: [`nothing runs: the disk is full, ${what}`, ...(largest === "" ? [] : [largest])].join("; "),
    };
  }

  #byRoom(): State {
    const { root, room } = this.#parts;
    const found = room(root);
    if (found === null) return GOOD;
    const { free, total } = found;
    if (free >= LOW_BYTES && free >= total * LOW_SHARE) return GOOD;
    const limit = free < LOW_BYTES ? "1 GB" : `${LOW_SHARE * 100} %`;
    return {
      state: "low",
      sentence: `only ${sizeText(free)} are free on ${fileSystemOf(root)}: below ${limit}; without room nothing runs`,
    };
  }
}
