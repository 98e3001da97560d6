import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { Duplex } from "node:stream";
import { SandboxError } from "./command.ts";
import type { FifoPool } from "./fifo.ts";
import { endNamespace, type FirstProcess, firstProcess, namespaceGone } from "./first-process.ts";
import { covers } from "./inheritance.ts";
import { DESCRIPTORS, keeper } from "./keeper.ts";
import type { CommandGroup } from "./group.ts";
import type { Limits } from "./limits.ts";
import { OutputPipe } from "./output-pipe.ts";
import type { Running, Stdio } from "./running.ts";
import { childrenOf, type Usage, usageBelow } from "./usage.ts";

/** The keeper ends everything within milliseconds; if it does not, what is known is killed without it. */
const KEEPER_MS = 1_000;
/** Bytes of status that are kept; there are some 300. */
const MAX_STATUS = 4_096;

/** How it is called. */
export interface Launch {
  readonly program: string;
  /** Its arguments, the command included. */
  readonly argv: readonly string[];
  /** The command's input and outputs. */
  readonly stdio: Stdio;
  /** What stands from {@link DESCRIPTORS}`.seccomp` on: four. */
  readonly descriptors: readonly (number | Duplex)[];
  /** And behind {@link DESCRIPTORS}`.statusReader`. */
  readonly more: readonly (number | "ignore")[];
  /** What the keeper sets; null: they are set inside. */
  readonly inherited: Limits | null;
  /** What the kernel counts all of it in; null: nothing. */
  readonly group: CommandGroup | null;
}

/** A running bubblewrap below its keeper, and through it the namespace that it made. */
export class Bubblewrap implements Running {
  readonly #child: ChildProcess;
  readonly #status: OutputPipe;
  #lifeline: Duplex | null = null;
  #first: FirstProcess | null = null;
  #said = "";
  #ended = false;
  readonly #group: CommandGroup | null;
  /** Resolves when it and everything in its namespace are gone: the command's exit status, 128 and the signal's number for one that a signal
   *  ended; null if the command was never run, or was killed with the namespace. Rejects if the keeper could not be started. */
  readonly over: Promise<number | null>;

  /** @throws {SandboxError} if it cannot be started. */
  constructor(launch: Launch, pipes: FifoPool) {
    this.#group = launch.group;
    const nothing = openSync("/dev/null", "r");
    const status = new OutputPipe(
      pipes,
      MAX_STATUS,
      () => this.end(),
      (piece) => this.#hear(piece.toString("utf8")),
    );
    this.#status = status;
    const [program = "", ...argv] = [...keeper(launch.inherited, launch.group), launch.program, ...launch.argv];
    try {
      this.#child = spawn(program, argv, {
        // Out of the terminal's process group: Ctrl-C is the supervisor's to handle.
        detached: true,
        // Node adds its own flags; `--clearenv` keeps them from the command.
        env: {},
        cwd: "/",
        stdio: [
          ...launch.stdio,
          status.theirs,
          ...launch.descriptors,
          "pipe",
          status.ours,
          ...launch.more,
          ...covers(DESCRIPTORS.statusReader + launch.more.length, nothing),
        ],
      });
    } catch (cause) {
      status.handedOver();
      void status.finish();
      throw new SandboxError("bubblewrap cannot be started", { cause });
    } finally {
      closeSync(nothing);
    }
    status.handedOver();
    this.over = this.#whole();
    // Whoever does not wait for it yet is not to be ended by its failure.
    this.over.catch(() => undefined);
    if (this.#child.pid === undefined) return;
    this.#lifeline = this.#pipe(DESCRIPTORS.lifeline);
  }

  /** The first process starts and waits; what it started is held. */
  get pid(): number | null {
    return this.#first === null ? null : (childrenOf(this.#first.pid)[0] ?? null);
  }

  /** Sums below the first process of the namespace; null before there is one. */
  usage(exactAbove: number): Usage | null {
    return this.#first === null ? null : usageBelow(this.#first.pid, exactAbove);
  }

  /** Kills everything in the namespace, and bubblewrap with it. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#lifeline?.destroy();
    this.#group?.kill();
    setTimeout(() => {
      endNamespace(this.#first);
      this.#child.kill("SIGKILL");
    }, KEEPER_MS).unref();
  }

  /** `{"child-pid": 12, …}` once it has made the namespaces, `{"exit-code": 0}` if the command was run at all. */
  #hear(piece: string): void {
    this.#said += piece;
    const pid = /"child-pid": (\d+)/.exec(this.#said)?.[1];
    if (this.#first === null && pid !== undefined) this.#first = firstProcess(Number(pid));
  }

  async #whole(): Promise<number | null> {
    try {
      await new Promise<void>((resolve, reject) => {
        this.#child.on("error", (cause) => {
          // A signal that cannot be sent is no failure: whoever it was for is gone.
          if (this.#child.pid === undefined) reject(new SandboxError("bubblewrap cannot be started", { cause }));
        });
        this.#child.once("close", () => resolve());
      });
    } finally {
      await this.#status.finish();
    }
    await namespaceGone(this.#first);
    const code = /"exit-code": (\d+)/.exec(this.#said)?.[1];
    return this.#ended || code === undefined ? null : Number(code);
  }

  #pipe(at: number): Duplex {
    const stream = this.#child.stdio[at];
    if (!(stream instanceof Duplex)) throw new TypeError(`descriptor ${at} is no pipe of ours`);
    stream.resume();
    stream.on("error", () => {
      // Ends with the process.
    });
    return stream;
  }
}
