import { HiddenLine } from "./hidden-line.ts";
import { InterruptedError } from "./interrupted-error.ts";

/** What was typed before its question came: no more than a line may have. */
const MAX_AHEAD_BYTES = 65_536;
const CTRL_C = 3;
const LINE_FEED = 10;
const RETURN = 13;
/** What ends a process whose person or terminal goes away. Node itself puts the terminal back for the first two alone. */
const ENDINGS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;

/** The keyboard while secrets are asked for. The terminal shows nothing of what is typed from the moment it is taken until it is given back, also
 *  between two questions: whoever pastes two lines, or types on while an answer is looked at, is not shown either. It is given back on every
 *  way out, a signal included. */
export class HiddenKeyboard implements Disposable {
  readonly #stdin = process.stdin;
  readonly #stderr = process.stderr;
  readonly #ahead = new Uint8Array(new ArrayBuffer(MAX_AHEAD_BYTES));
  #length = 0;
  #afterReturn = false;
  #open: {
    readonly question: string;
    readonly key: (byte: number) => void;
    readonly fail: (error: Error) => void;
  } | null = null;
  #gone = false;
  #given = false;
  readonly #endings: readonly (readonly [NodeJS.Signals, () => void])[];

  /** Takes the keyboard of this process, which has to be a terminal. */
  constructor() {
    this.#endings = ENDINGS.map((signal) => [signal, () => this.#endBy(signal)]);
    for (const [signal, end] of this.#endings) process.on(signal, end);
    process.on("SIGCONT", this.#resumed);
    this.#stdin.setRawMode(true);
    this.#stdin.on("data", this.#typed);
    this.#stdin.on("end", this.#hungUp);
    this.#stdin.on("error", this.#hungUp);
    this.#stdin.resume();
  }

  /** Asks for one line, as bytes that the caller wipes. What was typed since the last one counts.
   *  @throws {InterruptedError} on Ctrl-C, on Ctrl-D in an empty line, and when the terminal is gone. */
  async ask(question: string): Promise<Uint8Array> {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const line = new HiddenLine();
    const key = (byte: number): void => {
      const end = line.key(byte);
      if (end === null) return;
      this.#open = null;
      if (end === "line") resolve(line.take());
      else this.#interrupt(reject);
    };
    this.#open = { question, key, fail: reject };
    this.#stderr.write(question);
    if (this.#gone) this.#interrupt(reject);
    this.#catchUp();
    try {
      return await promise;
    } finally {
      this.#open = null;
      line.wipe();
      this.#stderr.write("\n");
    }
  }

  /** What is typed from here on is a matter of the command's way out. */
  #interrupt(reject: (error: Error) => void): void {
    this.#gone = true;
    reject(new InterruptedError("interrupted"));
  }

  #catchUp(): void {
    let at = 0;
    while (at < this.#length && this.#open !== null) this.#open.key(this.#ahead[at++] ?? 0);
    this.#ahead.copyWithin(0, at, this.#length);
    this.#ahead.fill(0, this.#length - at, this.#length);
    this.#length -= at;
  }

  readonly #typed = (chunk: Buffer): void => {
    for (const byte of chunk) {
      // Pasted line ends may be of two bytes.
      const second = this.#afterReturn && byte === LINE_FEED;
      this.#afterReturn = byte === RETURN;
      if (second) continue;
      if (this.#open !== null) this.#open.key(byte);
      else if (this.#length < MAX_AHEAD_BYTES) this.#ahead[this.#length++] = byte;
    }
    chunk.fill(0);
  };

  readonly #hungUp = (): void => {
    this.#gone = true;
    this.#open?.fail(new InterruptedError("the terminal is gone"));
  };

  /** Whoever stopped this process had a terminal of their own meanwhile, with the echo on: libuv must not believe that it is off still. */
  readonly #resumed = (): void => {
    this.#stdin.setRawMode(false);
    this.#stdin.setRawMode(true);
    if (this.#open !== null) this.#stderr.write(this.#open.question);
  };

  #endBy(signal: NodeJS.Signals): void {
    this.#giveBack();
    this.#open?.fail(new InterruptedError("interrupted"));
    // Whoever listens besides has their own way of ending.
    if (process.listenerCount(signal) > 0) return;
    this.#stderr.write("\n");
    process.kill(process.pid, signal);
  }

  #giveBack(): void {
    if (this.#given) return;
    this.#given = true;
    for (const [signal, end] of this.#endings) process.off(signal, end);
    process.off("SIGCONT", this.#resumed);
    this.#stdin.off("data", this.#typed);
    this.#stdin.off("end", this.#hungUp);
    this.#stdin.off("error", this.#hungUp);
    this.#stdin.setRawMode(false);
    this.#stdin.pause();
  }

  [Symbol.dispose](): void {
    if (this.#given) return;
    this.#giveBack();
    const stopped = !this.#gone && this.#ahead.subarray(0, this.#length).includes(CTRL_C);
    this.#ahead.fill(0);
    // Pressed when nothing was asked any more: it means what it means anywhere else.
    if (stopped) process.kill(process.pid, "SIGINT");
  }
}
