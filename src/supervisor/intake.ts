/** What one process may have given in that is not dealt with yet. Beyond either it is not read until half is: what it has more waits in it. */
const MAX_WAITING_FRAMES = 64;
const MAX_WAITING_BYTES = 4 * 1_048_576;

/** A pipe that can be left unread. */
export interface Holdable {
  pause(): void;
  resume(): void;
}

/** Deals with what comes in on one channel, one after the other, also over a restart of its process: what is acknowledged first was recorded
 *  first. However fast a process gives in, no more waits here than the limits above and the frame that went over them. */
export class Intake {
  #order: Promise<void> = Promise.resolve();

  /** For a process that begins: what one of before gave in counts for nothing here, but goes first. */
  from(pipe: Holdable): Source {
    return new Source(pipe, (work) => {
      this.#order = this.#order.then(work);
    });
  }
}

/** What one process gives in. */
export class Source {
  readonly #pipe: Holdable;
  readonly #queue: (work: () => Promise<void>) => void;
  #frames = 0;
  #bytes = 0;
  #held = false;

  constructor(pipe: Holdable, queue: (work: () => Promise<void>) => void) {
    this.#pipe = pipe;
    this.#queue = queue;
  }

  /** @param bytes what is kept until `deal` is done with it.
   *  @param deal must settle without anything that comes on the same pipe: it may not be read until then.
   *  @param failed is called when `deal` was rejected. */
  add(bytes: number, deal: () => Promise<void>, failed: () => void): void {
    this.#frames += 1;
    this.#bytes += bytes;
    if (!this.#held && (this.#frames >= MAX_WAITING_FRAMES || this.#bytes >= MAX_WAITING_BYTES)) {
      this.#held = true;
      this.#pipe.pause();
    }
    this.#queue(async () => {
      try {
        await deal();
      } catch {
        failed();
      }
      this.#frames -= 1;
      this.#bytes -= bytes;
      if (!this.#held || this.#frames > MAX_WAITING_FRAMES / 2 || this.#bytes > MAX_WAITING_BYTES / 2) return;
      this.#held = false;
      this.#pipe.resume();
    });
  }
}
