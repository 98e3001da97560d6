import { randomFillSync } from "node:crypto";
import { closeSync, constants, lstatSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/** Kept aside so that what ends, stops and fails can still be recorded on a full disk. */
export const RESERVE_BYTES = 16 * 1024 * 1024;
const CHUNK = 1024 * 1024;
/** Free beyond the reserve before an intent is let in again: some hundred rows. */
const MARGIN = 4 * 1024 * 1024;
/** A quota is not seen by asking for free space: only trying tells, and not more often than this. */
const RETRY_MS = 1_000;

/** A file of random bytes (zeroes take no room on file systems that compress), deleted when its room is needed. */
export class Reserve {
  readonly #path: string;
  #tried = Number.NEGATIVE_INFINITY;
  #spent = false;

  constructor(path: string) {
    this.#path = path;
  }

  get held(): boolean {
    try {
      const file = lstatSync(this.#path);
      return file.isFile() && file.size >= RESERVE_BYTES && (file.blocks === 0 || file.blocks * 512 >= RESERVE_BYTES);
    } catch {
      return false;
    }
  }

  /** Gives its room back to the file system. */
  release(): void {
    rmSync(this.#path, { force: true });
  }

  /** Gives its room to whoever is about to make more: until {@link restore} it is not taken again, and whatever fits is written. */
  spend(): void {
    this.#spent = true;
    this.release();
  }

  /** After {@link spend}: takes the room again, if there is any now. */
  restore(): void {
    if (!this.#spent) return;
    this.#spent = false;
    this.take();
  }

  /** Takes the room, if it is not held. @returns whether it is held now, or was spent on purpose. */
  take(): boolean {
    if (this.#spent || this.held) return true;
    try {
      this.release();
      const file = openSync(this.#path, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
      try {
        const chunk = Buffer.allocUnsafe(CHUNK);
        for (let written = 0; written < RESERVE_BYTES; ) {
          written += writeSync(file, randomFillSync(chunk), 0, Math.min(CHUNK, RESERVE_BYTES - written));
        }
      } finally {
        closeSync(file);
      }
      return true;
    } catch {
      // Half a reserve would only take the room that others need.
      this.release();
      return false;
    }
  }

  /** After a full disk: is there room for more than the reserve? Takes the reserve first.
   *  @param now milliseconds of a clock that does not go backwards. */
  recover(now: number): boolean {
    if (now - this.#tried < RETRY_MS) return false;
    this.#tried = now;
    const needed = this.held ? MARGIN : RESERVE_BYTES + MARGIN;
    try {
      const { bavail, bsize } = statfsSync(dirname(this.#path));
      if (bavail * bsize < needed) return false;
    } catch {
      return false;
    }
    return this.take();
  }
}
