import type { ChildProcess } from "node:child_process";
import { BUILD } from "../ipc/build.ts";
import { FromKeychain, type ToKeychain } from "../ipc/keychain-frames.ts";
import { Child } from "./child.ts";
import type { Image } from "./own-image.ts";
import { startProcess } from "./start-process.ts";

/** A pin is the newest checkpoint: a few hundred bytes. */
const MAX_ANSWER_BYTES = 4096;

export interface Answered {
  readonly answer: Exclude<FromKeychain, { type: "ready" }>;
  readonly payload: Uint8Array;
}

export interface HelperOptions {
  /** What the helper prints, line by line. */
  readonly log: (line: string) => void;
  /** What is started: our own image if not given. */
  readonly image?: Image;
}

/** One process that asks the operating system's keychain one question. It may be started before the question is known: it waits for it. */
export class KeychainHelper {
  readonly #child: Child<FromKeychain, ToKeychain>;
  readonly #ready = Promise.withResolvers<void>();
  readonly #answered = Promise.withResolvers<Answered>();
  #over = false;

  /** @param started one that was started already, for nothing else. */
  constructor({ log, image }: HelperOptions, started: ChildProcess | null = null) {
    const what = { role: "keychain", ...(image === undefined ? {} : { image }) } as const;
    this.#child = new Child<FromKeychain, ToKeychain>(started ?? startProcess(what), {
      ...what,
      accepts: FromKeychain,
      log,
      pipe: { largest: MAX_ANSWER_BYTES },
      on: {
        frame: (frame, payload) => {
          if (frame.type !== "ready") this.#settle({ answer: frame, payload });
          else if (frame.build !== BUILD)
            this.#unreachable("The program was upgraded while it ran: restart it to finish the upgrade");
          else this.#ready.resolve();
        },
        end: (end) => this.#unreachable(`The keychain's helper ended: ${end.detail}`),
        exit: (exit) =>
          this.#unreachable(`The keychain's helper ended with ${exit.signal ?? exit.status ?? "no start"}`),
      },
    });
  }

  /** Whether it can still be asked. */
  get over(): boolean {
    return this.#over;
  }

  /** Asks it, and ends it. A helper that fails in any way is an answer: `unreachable`. @param value wiped. @param timeout milliseconds. */
  async ask(question: ToKeychain, value: Uint8Array | undefined, timeout: number): Promise<Answered> {
    const timer = setTimeout(
      () => this.#unreachable(`The keychain did not answer within ${timeout / 1000} s`),
      timeout,
    );
    // A pipe that breaks meanwhile says so by its end.
    void this.#ready.promise.then(() => this.#child.send(question, value, { wipe: true }).catch(() => undefined));
    try {
      return await this.#answered.promise;
    } finally {
      clearTimeout(timer);
      value?.fill(0);
    }
  }

  /** Ends it, asked or not. */
  end(): void {
    this.#unreachable("The keychain's helper was not needed");
  }

  #unreachable(why: string): void {
    this.#settle({ answer: { type: "failed", state: "unreachable" }, payload: new TextEncoder().encode(why) });
  }

  #settle(answered: Answered): void {
    if (this.#over) {
      answered.payload.fill(0);
      return;
    }
    this.#over = true;
    this.#answered.resolve(answered);
    void this.#child.kill();
  }
}
