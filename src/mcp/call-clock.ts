/** The time of one call, which stands still while a person is asked. */
export class CallClock implements Disposable {
  readonly #aborting = new AbortController();
  readonly #until: () => void;
  #left: number;
  #since = 0;
  #timer: NodeJS.Timeout | null = null;
  #questions = 0;
  /** Why it was aborted. */
  why: "timeout" | "cancelled" | null = null;

  constructor(milliseconds: number) {
    this.#left = milliseconds;
    this.#until = () => this.#abort("timeout");
    this.#go();
  }

  get signal(): AbortSignal {
    return this.#aborting.signal;
  }

  /** A person is being asked. @returns to be called when they are not any more. */
  hold(): () => void {
    this.#questions += 1;
    if (this.#questions === 1 && this.#timer !== null) {
      clearTimeout(this.#timer);
      this.#left -= performance.now() - this.#since;
    }
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#questions -= 1;
      if (this.#questions === 0) this.#go();
    };
  }

  cancel(): void {
    this.#abort("cancelled");
  }

  #go(): void {
    this.#since = performance.now();
    this.#timer = setTimeout(this.#until, Math.max(1, this.#left));
  }

  #abort(why: "timeout" | "cancelled"): void {
    this.why ??= why;
    this.#aborting.abort(new Error(why));
  }

  [Symbol.dispose](): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
  }
}
