import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { Duplex } from "node:stream";
import { SandboxError } from "./command.ts";
import { endNamespace, type FirstProcess, firstProcess, namespaceGone } from "./first-process.ts";
import { covers } from "./inheritance.ts";

/** It names its first process within milliseconds; if it does not it is killed alone. */
const UNNAMED_MS = 1_000;
/** Where its status comes out. */
const STATUS = 3;

/** How it is called. */
export interface Launch {
  readonly program: string;
  /** Its arguments, the command included. */
  readonly argv: readonly string[];
  /** The command's input and outputs. */
  readonly stdio: readonly [number | "ignore", number | "ignore", number | "ignore"];
  /** What it reads, from descriptor 4 on; the gate comes after them. */
  readonly descriptors: readonly number[];
}

/** A running bubblewrap, and through it the namespace that it made. */
export class Bubblewrap {
  readonly #child: ChildProcess;
  #first: FirstProcess | null = null;
  #said = "";
  #ended = false;
  /** Resolves when it and everything in its namespace are gone: the command's exit status, 128 and the signal's number for one that a signal
   *  ended; null if the command was never run, or was killed with the namespace. Rejects if bubblewrap could not be started. */
  readonly over: Promise<number | null>;

  /** @throws {SandboxError} if it cannot be started. */
  constructor(launch: Launch) {
    const gate = STATUS + 1 + launch.descriptors.length;
    const nothing = openSync("/dev/null", "r");
    try {
      this.#child = spawn(launch.program, [...launch.argv], {
        // Out of the terminal's process group: Ctrl-C is the supervisor's to handle.
        detached: true,
        // Node adds its own flags; `--clearenv` keeps them from the command.
        env: {},
        cwd: "/",
        stdio: [...launch.stdio, "pipe", ...launch.descriptors, "pipe", ...covers(gate, nothing)],
      });
    } catch (cause) {
      throw new SandboxError("bubblewrap cannot be started", { cause });
    } finally {
      closeSync(nothing);
    }
    this.over = this.#whole();
    // Whoever does not wait for it yet is not to be ended by its failure.
    this.over.catch(() => undefined);
    if (this.#child.pid === undefined) return;
    this.#listen(STATUS, (piece) => this.#hear(piece.toString("utf8")));
    const opened = this.#listen(gate, () => {
      if (this.#ended) opened.destroy();
      else opened.end("\n");
    });
  }

  /** Null if it could not be started. */
  get pid(): number | null {
    return this.#child.pid ?? null;
  }

  /** Kills everything in the namespace, and bubblewrap with it. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    // Before it has said which its first process is it has not let any start, and after that the gate stays shut.
    if (this.#first !== null) this.#kill();
    else setTimeout(() => this.#kill(), UNNAMED_MS).unref();
  }

  #kill(): void {
    endNamespace(this.#first);
    this.#child.kill("SIGKILL");
  }

  /** `{"child-pid": 12, …}` once it has made the namespaces, `{"exit-code": 0}` if the command was run at all. */
  #hear(piece: string): void {
    this.#said += piece;
    const pid = /"child-pid": (\d+)/.exec(this.#said)?.[1];
    if (this.#first !== null || pid === undefined) return;
    this.#first = firstProcess(Number(pid));
    if (this.#ended) this.#kill();
  }

  async #whole(): Promise<number | null> {
    await new Promise<void>((resolve, reject) => {
      this.#child.on("error", (cause) => {
        // A signal that cannot be sent is no failure: whoever it was for is gone.
        if (this.#child.pid === undefined) reject(new SandboxError("bubblewrap cannot be started", { cause }));
      });
      this.#child.once("close", () => resolve());
    });
    await namespaceGone(this.#first);
    const code = /"exit-code": (\d+)/.exec(this.#said)?.[1];
    return this.#ended || code === undefined ? null : Number(code);
  }

  #listen(at: number, take: (piece: Buffer) => void): Duplex {
    const stream = this.#child.stdio[at];
    if (!(stream instanceof Duplex)) throw new TypeError(`descriptor ${at} is no pipe of ours`);
    stream.on("data", take);
    stream.on("error", () => {
      // Ends with the process.
    });
    return stream;
  }
}
