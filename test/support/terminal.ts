import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { stripVTControlCharacters } from "node:util";

/** A command on a terminal of its own, which shows what is typed as any terminal does: `script` makes it. */
export class Terminal implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #closed: Promise<unknown>;
  #screen = "";
  /** What stands before it was waited for already. */
  #seen = 0;
  #over = false;
  #changed = Promise.withResolvers<void>();

  /** @param command for `sh`. */
  constructor(command: string, environment: NodeJS.ProcessEnv) {
    this.#child = spawn("script", ["--quiet", "--return", "--echo", "always", "--command", command, "/dev/null"], {
      env: environment,
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#child.once("close", () => {
      this.#over = true;
      this.#changed.resolve();
    });
    this.#closed = once(this.#child, "close");
    // A command that is gone takes nothing any more: its end says so.
    this.#child.stdin.on("error", () => undefined);
    this.#child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.#screen += text;
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    });
  }

  /** Everything that was shown. */
  get screen(): string {
    return stripVTControlCharacters(this.#screen).replaceAll("\r", "");
  }

  /** Waits until the text is shown, after what was waited for before. @throws if the command ends without it. */
  async shows(text: string): Promise<void> {
    for (;;) {
      const at = this.screen.indexOf(text, this.#seen);
      if (at >= 0) {
        this.#seen = at + text.length;
        return;
      }
      if (this.#over) throw new Error(`"${text}" was never shown; the screen says:\n${this.screen}`);
      await this.#changed.promise;
    }
  }

  type(keys: string): void {
    this.#child.stdin.write(keys);
  }

  /** Waits for the command's end. @returns its status; 128 and its number for a signal. */
  async status(): Promise<number | null> {
    await this.#closed;
    return this.#child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null) this.#child.kill("SIGKILL");
    await this.#closed;
  }
}
