import { readFileSync } from "node:fs";
import type { Connection } from "../../src/cli/connection.ts";
import { Name } from "../../src/ipc/ids.ts";

/** Memory that a process has for itself, and its share of what it has with others, in bytes. */
export function pssOf(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? 0) * 1024;
}

/** Looks at a daemon for as long as it is not disposed of: the most memory it has, and how long it takes to answer a command and a turn. */
export class SupervisorWatch implements AsyncDisposable {
  readonly #line: Connection;
  readonly #timer: NodeJS.Timeout;
  readonly #asking: Promise<void>;
  #over = false;
  most = 0;
  /** Milliseconds that each answer took. */
  readonly took: number[] = [];

  constructor(pid: number, line: Connection) {
    this.#line = line;
    this.most = pssOf(pid);
    this.#timer = setInterval(() => {
      this.most = Math.max(this.most, pssOf(pid));
    }, 20);
    this.#asking = this.#ask();
  }

  async #ask(): Promise<void> {
    const say = { call: "say", agent: Name.parse("default"), fresh: false } as const;
    while (!this.#over) {
      await this.#timed(() => this.#line.call({ call: "status" }));
      await this.#timed(async () => {
        const { end } = await this.#line.call(say, { payload: Buffer.from("hello") });
        if (end !== "done") throw new Error(`a turn ended as ${end}`);
      });
      await new Promise((done) => setTimeout(done, 20));
    }
  }

  async #timed(call: () => Promise<unknown>): Promise<void> {
    const began = performance.now();
    await call();
    this.took.push(performance.now() - began);
  }

  get slowest(): number {
    return Math.max(...this.took);
  }

  /** Waits until a command and a turn were begun and answered after now. */
  async answered(): Promise<void> {
    const enough = this.took.length + 3;
    while (this.took.length < enough)
      await Promise.race([
        this.#asking.then(() => Promise.reject(new Error("it is over"))),
        new Promise((done) => setTimeout(done, 10)),
      ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true;
    clearInterval(this.#timer);
    await this.#asking;
  }
}
