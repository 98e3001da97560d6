import { closeSync, writeSync } from "node:fs";
import { SandboxError, type Service } from "./command.ts";
import type { FifoPool } from "./fifo.ts";

/** What fits into a pipe before anybody reads it. */
const MAX_INPUT = 60 * 1024;
/** The first descriptor that a service may be given by number. */
const FIRST_OPEN = 20;

/** What a service is given at its start, each behind a descriptor: it lies in pipes, so in memory, and stands in no command line. */
export class ServiceInputs implements Disposable {
  /** Of bubblewrap's further arguments. */
  readonly args: number;
  /** Of each file, in the order of the service's secrets. */
  readonly files: readonly { readonly name: string; readonly descriptor: number }[];
  readonly #ends: number[] = [];
  readonly #release: (() => void)[] = [];
  readonly #placed: (number | "ignore")[];

  /** @param first the first number that is free for bubblewrap. @throws {SandboxError} for more than a pipe holds. */
  constructor(service: Service, first: number, pipes: FifoPool) {
    try {
      const environment = service.environment.flatMap((pair) => ["--setenv", ...pair]);
      const args = this.#pipe(new TextEncoder().encode(environment.map((word) => `${word}\0`).join("")), pipes);
      const files = service.secrets.map(({ bytes }) => this.#pipe(bytes, pipes));
      const placed: (number | "ignore")[] = [args, ...files];
      if (first + placed.length > FIRST_OPEN) throw new SandboxError("it is to have too many files with secrets");
      for (const { descriptor, bytes } of service.open) {
        while (first + placed.length <= descriptor) placed.push("ignore");
        placed[descriptor - first] = this.#pipe(bytes, pipes);
      }
      this.args = first;
      this.files = service.secrets.map(({ name }, index) => ({ name, descriptor: first + 1 + index }));
      this.#placed = placed;
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** What stands from the first free number on. */
  get placed(): readonly (number | "ignore")[] {
    return this.#placed;
  }

  #pipe(bytes: Uint8Array, pipes: FifoPool): number {
    if (bytes.length > MAX_INPUT)
      throw new SandboxError(`what it is given at its start has more than ${MAX_INPUT} bytes`);
    const { ends, release } = pipes.take();
    this.#ends.push(ends.read);
    this.#release.push(release);
    for (let at = 0; at < bytes.length; ) at += writeSync(ends.write, bytes, at);
    closeSync(ends.write);
    bytes.fill(0);
    return ends.read;
  }

  /** It was started: this side has nothing of it any more. */
  handedOver(): void {
    for (const end of this.#ends.splice(0)) closeSync(end);
  }

  /** Nobody reads any more. */
  [Symbol.dispose](): void {
    this.handedOver();
    for (const release of this.#release.splice(0)) release();
  }
}
