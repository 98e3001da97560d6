import { closeSync, mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AnonymousFile } from "./anonymous-file.ts";
import type { Launch } from "./bubblewrap.ts";
import { type Command, type CommandEnd, SandboxError } from "./command.ts";
import { FifoPool } from "./fifo.ts";
import { LIMITS } from "./limits.ts";
import { ownerOf } from "./owner.ts";
import { runWithin } from "./run.ts";
import { commandFilter } from "./seccomp.ts";
import { circumstances, explain, findBubblewrap, type SandboxState } from "./state.ts";
import { setAside, survey } from "./survey.ts";
import { argumentsFor } from "./view.ts";
import { WayOut } from "./way.ts";
import type { Ours } from "./workspace.ts";

const FILTER = commandFilter(process.arch);

/** The one place where foreign code runs. */
export class Sandbox {
  readonly #ours: Ours;
  readonly #pipes = new FifoPool();
  readonly #files = new Map<string, AnonymousFile>();
  /** The end of the newest change to each workspace: one that writes waits for it. */
  readonly #changes = new Map<string, Promise<void>>();
  #state: SandboxState = {
    state: "broken",
    sentence: "commands cannot be run: the sandbox was not tried yet",
    hint: "",
  };

  constructor(ours: Ours) {
    this.#ours = ours;
  }

  /** As the newest {@link probe} found it. */
  get state(): SandboxState {
    return this.#state;
  }

  /** Runs `true` in the very configuration that commands run in. */
  async probe(): Promise<SandboxState> {
    const workspace = mkdtempSync(join(tmpdir(), "wirken-probe-"));
    const limits = { ...LIMITS, seconds: 10 };
    try {
      const end = await this.#run(
        { workspace, argv: ["true"], write: false, stdin: null, limits },
        AbortSignal.timeout(11_000),
      );
      const said =
        end.reason === "exited" ? `true ended with status ${end.status ?? "none"}` : `true was ended (${end.reason})`;
      this.#state = end.status === 0 ? { state: "works" } : explain(findBubblewrap(), said, circumstances());
    } catch (cause) {
      const said = cause instanceof Error ? cause.message : String(cause);
      this.#state = explain(findBubblewrap(), said, circumstances());
    } finally {
      rmdirSync(workspace);
    }
    return this.#state;
  }

  /** Runs one command and waits until nothing of it is left. Commands that write to one workspace run one after the other.
   *  @throws {SandboxError} if it could not be run at all. */
  async run(command: Command, signal: AbortSignal): Promise<CommandEnd> {
    if (!command.write) return { ...(await this.#run(command, signal)), setAside: [] };
    return this.change(command.workspace, async () => {
      if (signal.aborted) return stoppedBefore();
      const before = survey(command.workspace);
      const end = await this.#run(command, signal);
      return { ...end, setAside: setAside(command.workspace, before) };
    });
  }

  /** Changes a workspace while nothing else does: what a command did is told from what a file tool did by when it was done. */
  async change<T>(workspace: string, act: () => T | Promise<T>): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const earlier = this.#changes.get(workspace);
    this.#changes.set(workspace, promise);
    try {
      await earlier;
      return await act();
    } finally {
      resolve();
      if (this.#changes.get(workspace) === promise) this.#changes.delete(workspace);
    }
  }

  async #run(command: Command, signal: AbortSignal): Promise<Omit<CommandEnd, "setAside">> {
    const program = findBubblewrap();
    if (process.platform !== "linux" || program === null) throw new SandboxError("bubblewrap is not installed");
    if (FILTER === null) throw new SandboxError(`there is no system call filter for ${process.arch}`);
    const runAs = ownerOf(command.workspace);
    const user = runAs ?? process.getuid?.() ?? 0;
    const text = new TextEncoder();
    const view = argumentsFor({
      workspace: command.workspace,
      write: command.write,
      protect: command.write ? survey(command.workspace) : new Map(),
      hide: [this.#ours.home, this.#ours.executable],
      limits: command.limits,
      way: command.way !== undefined,
      runAs,
    });
    const filter = this.#file("seccomp", () => FILTER).reopen();
    const accounts = [
      this.#file(`passwd ${user}`, () =>
        text.encode(`root:x:0:0::/:/bin/sh\nuser:x:${user}:${user}::/tmp:/bin/sh\n`),
      ).reopen(),
      this.#file(`group ${user}`, () => text.encode(`root:x:0:\nuser:x:${user}:\n`)).reopen(),
      this.#file("hosts", () => text.encode("127.0.0.1 localhost sandbox\n::1 localhost sandbox\n")).reopen(),
    ];
    const way = command.way === undefined ? null : new WayOut(command.way, this.#pipes);
    try {
      command.before?.();
      const argv = [...view, ...command.argv];
      const inherited = runAs === null ? null : command.limits;
      const given: Pick<Launch, "descriptors" | "more"> =
        way === null
          ? { descriptors: [filter, ...accounts], more: [] }
          : { descriptors: [filter, ...way.descriptors], more: accounts };
      const ended = runWithin({ program, argv, ...given, inherited }, command, this.#pipes, signal);
      // It is started by now. Whatever came on the lane would be read here and lost, one turn later.
      way?.handedOver();
      return await ended;
    } finally {
      way?.[Symbol.dispose]();
      for (const fd of [filter, ...accounts]) closeSync(fd);
    }
  }

  #file(name: string, bytes: () => Uint8Array): AnonymousFile {
    const found = this.#files.get(name);
    if (found !== undefined) return found;
    const made = new AnonymousFile(bytes());
    this.#files.set(name, made);
    return made;
  }
}

function stoppedBefore(): CommandEnd {
  return {
    reason: "stopped",
    status: null,
    stdout: new Uint8Array(),
    stderr: new Uint8Array(),
    setAside: [],
    milliseconds: 0,
  };
}
