import { open, rename, rm } from "node:fs/promises";
import { AuditError } from "./error.ts";
import type { StoredCheckpoint } from "./head.ts";

/** The pin is a call to the keychain, which takes a process: not more often than this. */
const PIN_MS = 60_000;

export interface PublisherPorts {
  /** Where the file beside the database lies. */
  readonly path: string;
  /** Copies a note to where a thief of the files does not reach. */
  readonly pin: ((note: string) => Promise<void>) | null;
  readonly monotonic: () => number;
  readonly failed: (error: AuditError) => void;
}

/** Copies each committed checkpoint to its other places: the file beside the database, and the pin. Never before the commit. */
export class Publisher {
  readonly #ports: PublisherPorts;
  #newest: StoredCheckpoint | null = null;
  #filed = 0;
  #pinned = 0;
  #pinnedAt = Number.NEGATIVE_INFINITY;
  #filing: Promise<void> | null = null;
  #pinning: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | null = null;

  constructor(ports: PublisherPorts) {
    this.#ports = ports;
  }

  /** Takes note of a committed checkpoint. Nothing waits for its copies. */
  publish(checkpoint: StoredCheckpoint): void {
    this.#newest = checkpoint;
    void this.filed();
    const due = this.#pinnedAt + PIN_MS - this.#ports.monotonic();
    if (due <= 0) void this.pinned();
    else this.#timer ??= setTimeout(() => void this.pinned(), due).unref();
  }

  /** Resolves when the newest checkpoint is in the file, or could not be put there. */
  async filed(): Promise<void> {
    while (this.#newest !== null && this.#newest.size > this.#filed) {
      this.#filing ??= this.#file(this.#newest).finally(() => {
        this.#filing = null;
      });
      await this.#filing;
    }
  }

  async #file({ size, note }: StoredCheckpoint): Promise<void> {
    const draft = `${this.#ports.path}.new`;
    try {
      const file = await open(draft, "w", 0o600);
      try {
        await file.writeFile(note);
        // Without it a power cut may leave an empty file, which the verifier would call a finding.
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(draft, this.#ports.path);
    } catch (cause) {
      await rm(draft, { force: true }).catch(() => undefined);
      this.#ports.failed(
        new AuditError("AUDIT_UNCOPIED", `the checkpoint of ${size} rows could not be written to ${this.#ports.path}`, {
          cause,
        }),
      );
    }
    this.#filed = size;
  }

  /** Pins the newest checkpoint now. @returns false when that did not work; nothing to pin, or nowhere, is no failure. */
  async pinned(): Promise<boolean> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const { pin } = this.#ports;
    if (pin === null) return true;
    this.#pinnedAt = this.#ports.monotonic();
    const done = this.#pinNewest(pin, this.#pinning);
    this.#pinning = done.catch(() => undefined);
    try {
      await done;
      return true;
    } catch (cause) {
      this.#ports.failed(new AuditError("AUDIT_UNCOPIED", "the newest checkpoint could not be pinned", { cause }));
      return false;
    }
  }

  async #pinNewest(pin: (note: string) => Promise<void>, after: Promise<void>): Promise<void> {
    await after;
    const newest = this.#newest;
    if (newest === null || newest.size <= this.#pinned) return;
    await pin(newest.note);
    this.#pinned = newest.size;
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
