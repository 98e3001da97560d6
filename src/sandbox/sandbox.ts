import { closeSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { knownMachine } from "../confine/syscalls.ts";
import { kernelLandlock } from "../confine/walls.ts";
import { COMMAND_ABI } from "../confine/landlock.ts";
import { AnonymousFile } from "./anonymous-file.ts";
import { attempted, attempting, type CommandTried } from "./attempts.ts";
import { Bubblewrap, type Launch } from "./bubblewrap.ts";
import { type Command, type CommandEnd, SandboxError, type Service, type ServiceEnd, type Shown } from "./command.ts";
import { type Place, wrongWith } from "./folder.ts";
import { FifoPool } from "./fifo.ts";
import type { CommandGroup, CommandGroups } from "./group.ts";
import { makeHome } from "./home-folder.ts";
import { Launched } from "./launched.ts";
import { LIMITS, type Limits } from "./limits.ts";
import { ownerOfPlace } from "./owner.ts";
import { runWithin } from "./run.ts";
import { serveWithin } from "./serve.ts";
import { ServiceInputs } from "./service-inputs.ts";
import { DESCRIPTORS } from "./keeper.ts";
import { type HeldView, holder, holdsCommands } from "./inner-walls.ts";
import { commandFilter } from "./seccomp.ts";
import { circumstances, explain, findBubblewrap, type SandboxState, weaker } from "./state.ts";
import { placeFolders } from "./mount-points.ts";
import { setAllAside, surveyAll } from "./survey.ts";
import { troubleWith, usableToolchains } from "./toolchains.ts";
import { PROGRAMS, SETTINGS } from "./seen.ts";
import { argumentsFor } from "./view.ts";
import { WayOut } from "./way.ts";
import type { Ours } from "./workspace.ts";

const FILTER = commandFilter(process.arch);

/** So long a weaker sandbox is taken as it was found. */
const PROBE_AGAIN_MS = 60_000;

/** What was tried in a command. */
export interface CommandTries {
  readonly way: "bubblewrap" | "launcher";
  readonly layers: readonly string[];
  readonly tried: readonly CommandTried[];
}

type Ended = Omit<CommandEnd, "setAside">;

/** Where our parts lie, as far as commands need them. */
export interface SandboxParts extends Ours {
  /** The program whose role `launch` holds a command where bubblewrap cannot run, and the arguments before that word; not given: no such commands. */
  readonly launcher?: readonly [program: string, ...args: string[]];
  /** Folders with programs that commands may read, as the operator wrote them down. */
  readonly toolchains?: () => readonly string[];
  /** Where bubblewrap is: looked up if not given; null: nowhere. */
  readonly bubblewrap?: string | null;
  /** Where the kernel counts what a command uses; in a sentence, why it does not: then it is looked at ten times a second. */
  readonly groups?: CommandGroups | string;
}

/** The one place where foreign code runs. */
export class Sandbox {
  readonly #ours: Ours;
  readonly #launcher: readonly string[] | null;
  readonly #bubblewrap: string | null | undefined;
  readonly #given: () => readonly string[];
  readonly #groups: CommandGroups | string;
  readonly #pipes = new FifoPool();
  readonly #files = new Map<string, AnonymousFile>();
  /** The end of the newest change to each workspace: one that writes waits for it. */
  readonly #changes = new Map<string, Promise<void>>();
  #abi: number | null = null;
  #probed = Number.NEGATIVE_INFINITY;
  #state: SandboxState = {
    state: "broken",
    sentence: "commands cannot be run: the sandbox was not tried yet",
    hint: "",
  };

  constructor({ launcher, bubblewrap, toolchains, groups, ...ours }: SandboxParts) {
    this.#ours = ours;
    this.#groups = groups ?? "nobody asked for it";
    this.#launcher = launcher ?? null;
    this.#bubblewrap = bubblewrap;
    this.#given = toolchains ?? (() => []);
  }

  /** Is it held by less than it could be, and long enough ago that this was found? Whoever mended it meanwhile need not restart. */
  get due(): boolean {
    return this.#state.state === "weaker" && performance.now() - this.#probed > PROBE_AGAIN_MS;
  }

  /** As the newest {@link probe} found it. */
  get state(): SandboxState {
    return this.#state;
  }

  /** What is wrong with folders that the operator gave to commands, a sentence each. */
  notes(): string[] {
    return this.#given().flatMap((folder) => {
      const trouble = troubleWith(folder, this.#ours.home);
      return trouble === null ? [] : [`toolchains in config.json: commands do not get ${folder}, because ${trouble}`];
    });
  }

  get #toolchains(): readonly string[] {
    return usableToolchains(this.#given(), this.#ours.home);
  }

  /** Runs `true` in the very configuration that commands run in: in bubblewrap, and where that is not there or not allowed below a launcher. */
  async probe(): Promise<SandboxState> {
    this.#probed = performance.now();
    const said = await this.#try((command, signal) => this.#inBubblewrap(command, signal));
    if (said === null) return (this.#state = { state: "works" });
    const found = explain(this.#findBubblewrap(), said, circumstances());
    const weak =
      this.#launcher !== null &&
      process.platform === "linux" &&
      (await this.#try((command, signal) => this.#launched(command, signal))) === null;
    return (this.#state = weak ? weaker(found) : found);
  }

  /** @returns what was said where `true` did not run; null: it ran. */
  async #try(run: (command: Command, signal: AbortSignal) => Promise<Ended>): Promise<string | null> {
    const workspace = mkdtempSync(join(tmpdir(), "wirken-probe-"));
    const limits = { ...LIMITS, seconds: 10 };
    try {
      const command = { workspace, argv: ["true"], write: false, stdin: null, limits };
      const end = await run(command, AbortSignal.timeout(11_000));
      if (end.status === 0) return null;
      return end.reason === "exited"
        ? `true ended with status ${end.status ?? "none"}`
        : `true was ended (${end.reason})`;
    } catch (cause) {
      return cause instanceof Error ? cause.message : String(cause);
    } finally {
      rmSync(workspace, { recursive: true });
    }
  }

  /** What native code in a command can reach, tried just now: in the sandbox that stands, and, where that is bubblewrap, below a launcher too if there
   *  can be one. @param other a process that is none of the commands'. */
  async tries(other: number): Promise<CommandTries[]> {
    const { state } = this.#state;
    const found: CommandTries[] = [];
    const layers = this.layers;
    if (state === "works") {
      const tried = await this.#attempts(other, (command, signal) => this.#inBubblewrap(command, signal));
      if (tried !== null) found.push({ way: "bubblewrap", layers, tried });
    }
    if (this.#launcher !== null && this.#landlock >= COMMAND_ABI && (state === "works" || state === "weaker")) {
      const tried = await this.#attempts(other, (command, signal) => this.#launched(command, signal));
      if (tried !== null) found.push({ way: "launcher", layers: this.#launchedLayers, tried });
    }
    return found;
  }

  /** By which layers a command is held now. */
  get layers(): readonly string[] {
    if (this.#state.state === "weaker") return this.#launchedLayers;
    if (this.#state.state !== "works") return [];
    const landlock = holdsCommands(this.#landlock) ? [`landlock:${this.#landlock}`] : [];
    return ["namespaces", "seccomp", ...landlock, `limits:${this.limitedBy}`];
  }

  /** Where there are no namespaces. */
  get #launchedLayers(): readonly string[] {
    return [`landlock:${this.#landlock}`, "seccomp", `limits:${this.limitedBy}`];
  }

  /** What holds all that a command starts to its limits: the kernel, or whoever looks at it ten times a second. */
  get limitedBy(): "cgroup" | "watch" {
    return typeof this.#groups === "string" ? "watch" : "cgroup";
  }

  /** Why the kernel does not; null: it does. */
  get unlimited(): string | null {
    return typeof this.#groups === "string" ? this.#groups : null;
  }

  /** @returns null where it could not be run. */
  async #attempts(
    other: number,
    run: (command: Command, signal: AbortSignal) => Promise<Ended>,
  ): Promise<CommandTried[] | null> {
    const machine = knownMachine(process.arch);
    if (machine === null) return null;
    const workspace = mkdtempSync(join(tmpdir(), "wirken-attempts-"));
    try {
      const program = attempting(machine, join(this.#ours.home, "audit.db"), other);
      writeFileSync(join(workspace, "attempts"), program, { mode: 0o755 });
      const command = {
        workspace,
        argv: ["./attempts"],
        write: false,
        stdin: null,
        limits: { ...LIMITS, seconds: 10 },
      };
      const { stdout } = await run(command, AbortSignal.timeout(11_000));
      return attempted(stdout);
    } catch (cause) {
      if (cause instanceof SandboxError || cause instanceof RangeError) return null;
      throw cause;
    } finally {
      rmSync(workspace, { recursive: true });
    }
  }

  #findBubblewrap(): string | null {
    return this.#bubblewrap === undefined ? findBubblewrap() : this.#bubblewrap;
  }

  /** Runs one command and waits until nothing of it is left. Commands that write to one workspace run one after the other.
   *  @throws {SandboxError} if it could not be run at all. */
  async run(command: Command, signal: AbortSignal): Promise<CommandEnd> {
    if (!command.write) return { ...(await this.#run(command, signal)), setAside: [] };
    const place = placeOf(command);
    return this.change(place, async () => {
      if (signal.aborted) return stoppedBefore();
      await command.keeping?.begin();
      const before = command.unprotected === true ? null : surveyAll(place);
      try {
        const end = await this.#run(command, signal);
        return { ...end, setAside: before === null ? [] : setAllAside(place, before) };
      } finally {
        await command.keeping?.end();
      }
    });
  }

  /** Changes a workspace, and those of its folders that may be changed, while nothing else does: what a command did is told from what a file tool did by
   *  when it was done. */
  change<T>({ workspace, folders }: Place, act: () => T | Promise<T>): Promise<T> {
    // In one order for everybody: nobody waits for somebody who waits for them.
    const paths = [workspace, ...folders.filter(({ write }) => write).map(({ path }) => path)].toSorted();
    const all = paths.reduceRight<() => Promise<T>>(
      (inner, path) => async () => await this.#alone(path, inner),
      async () => await act(),
    );
    return all();
  }

  async #alone<T>(workspace: string, act: () => Promise<T>): Promise<T> {
    const done = Promise.withResolvers<void>();
    const earlier = this.#changes.get(workspace);
    this.#changes.set(workspace, done.promise);
    try {
      await earlier;
      return await act();
    } finally {
      done.resolve();
      if (this.#changes.get(workspace) === done.promise) this.#changes.delete(workspace);
    }
  }

  async #run(command: Command, signal: AbortSignal): Promise<Ended> {
    const stands = this.#state.state === "weaker" ? "weaker" : "works";
    if (command.sandbox !== undefined && command.sandbox !== stands)
      throw new SandboxError("the sandbox is not the one any more that this command was decided for: ask again");
    return stands === "weaker" ? this.#launched(command, signal) : this.#inBubblewrap(command, signal);
  }

  /** Where there are no namespaces. Landlock takes nothing back of what it allows: so what would have to be taken back is looked for before. */
  async #launched(command: Command, signal: AbortSignal): Promise<Ended> {
    const { workspace, write, limits, argv } = command;
    const place = placeOf(command);
    const launcher = this.#launcher;
    if (launcher === null) throw new SandboxError("there is no launcher for commands");
    if (command.way !== undefined) {
      command.way.lane.destroy();
      throw new SandboxError("without bubblewrap a command has no way out");
    }
    if ([...PROGRAMS, ...SETTINGS].some((top) => inside(real(this.#ours.home), real(top))))
      throw new SandboxError(
        "the data directory lies where commands have their programs: without bubblewrap none is run",
      );
    const written = [workspace, ...place.folders.filter((folder) => folder.write).map(({ path }) => path)];
    if (write && written.some((path) => inside(real(this.#ours.executable), real(path))))
      throw new SandboxError("our own executable lies in the workspace: without bubblewrap no command may change that");
    const [kept] = write ? surveyAll(place).keys() : [];
    if (kept !== undefined)
      throw new SandboxError(
        `${kept} is protected, and without bubblewrap it cannot be kept from a command that may change the workspace: run it without write, or install bubblewrap`,
      );
    const runAs = ownerOfPlace(place, this.#ours.home);
    placeFolders(workspace, place.folders, "link");
    command.before?.();
    makeHome(workspace, runAs);
    assertFolders(place);
    const folders = place.folders.map((folder) => ({ path: folder.path, write: write && folder.write }));
    const order = { argv, workspace, folders, write, runAs, limits, toolchains: this.#toolchains };
    const group = this.#group(limits);
    return runWithin(
      (stdio) => new Launched([...launcher, "launch"], order, stdio, this.#pipes, group),
      command,
      this.#pipes,
      group,
      signal,
    );
  }

  async #inBubblewrap(command: Command, signal: AbortSignal): Promise<Ended> {
    const bubblewrap = this.#findBubblewrap();
    if (process.platform !== "linux" || bubblewrap === null) throw new SandboxError("bubblewrap is not installed");
    if (FILTER === null) throw new SandboxError(`there is no system call filter for ${process.arch}`);
    const place = placeOf(command);
    const runAs = ownerOfPlace(place, this.#ours.home);
    placeFolders(place.workspace, place.folders, "directory");
    const view = argumentsFor({
      ...place,
      write: command.write,
      protect: command.write && command.unprotected !== true ? surveyAll(place) : new Map(),
      hide: [this.#ours.home, this.#ours.executable],
      limits: command.limits,
      home: makeHome(command.workspace, runAs),
      toolchains: this.#toolchains,
      way: command.way !== undefined,
      held: holdsCommands(this.#landlock),
      runAs,
    });
    using holding = this.#holder({
      write: command.write,
      way: command.way !== undefined,
      toolchains: this.#toolchains,
    });
    const held = holding === null ? [] : [holding.reopen()];
    const filter = this.#file("seccomp", () => FILTER).reopen();
    const accounts = this.#accounts(runAs);
    const way = command.way === undefined ? null : new WayOut(command.way, this.#pipes);
    try {
      command.before?.();
      assertFolders(place);
      const argv = [...view, ...command.argv];
      const inherited = runAs === null ? null : command.limits;
      const given: Pick<Launch, "descriptors" | "more"> =
        way === null
          ? { descriptors: [filter, ...accounts], more: held }
          : { descriptors: [filter, ...way.descriptors], more: [...accounts, ...held] };
      const group = this.#group(command.limits);
      const ended = runWithin(
        (stdio) => new Bubblewrap({ program: bubblewrap, argv, ...given, inherited, group, stdio }, this.#pipes),
        command,
        this.#pipes,
        group,
        signal,
      );
      // It is started by now. Whatever came on the lane would be read here and lost, one turn later.
      way?.handedOver();
      return await ended;
    } finally {
      way?.[Symbol.dispose]();
      for (const fd of [filter, ...accounts, ...held]) closeSync(fd);
    }
  }

  /** Starts a service and waits until nothing of it is left. Its pipes are its own from then on, whatever comes of it.
   *  @throws {SandboxError} if it could not be started at all: also where there is no bubblewrap, for less would not hold it. */
  async serve(service: Service, signal: AbortSignal): Promise<ServiceEnd> {
    try {
      return await this.#serve(service, signal);
    } finally {
      for (const end of [service.spoken, service.errors, service.way?.lane]) end?.destroy();
    }
  }

  async #serve(service: Service, signal: AbortSignal): Promise<ServiceEnd> {
    const bubblewrap = this.#findBubblewrap();
    if (process.platform !== "linux" || bubblewrap === null || this.#state.state !== "works")
      throw new SandboxError("programs that go on are run in bubblewrap only, and that does not work here");
    if (FILTER === null) throw new SandboxError(`there is no system call filter for ${process.arch}`);
    const { workspace, limits, shown } = service;
    const place = { workspace, folders: [] };
    const runAs = ownerOfPlace(place, this.#ours.home);
    const accounts = this.#accounts(runAs);
    const filter = this.#file("seccomp", () => FILTER).reopen();
    const way = service.way === undefined ? null : new WayOut(service.way, this.#pipes);
    const parts = { write: true, way: way !== null, toolchains: this.#toolchains };
    using holding = this.#holder({ ...parts, shown, secrets: service.secrets.length > 0 });
    const held = holding === null ? [] : [holding.reopen()];
    const before = way === null ? held : [...accounts, ...held];
    const first = DESCRIPTORS.statusReader + 1 + before.length;
    using inputs = new ServiceInputs(service, first, this.#pipes);
    try {
      const view = argumentsFor({
        ...place,
        ...parts,
        protect: new Map(),
        hide: [this.#ours.home, this.#ours.executable],
        limits,
        home: makeHome(workspace, runAs),
        held: held.length > 0,
        runAs,
        service: { shown, protect: protectedIn(shown), args: inputs.args, files: inputs.files },
      });
      service.before?.();
      const argv = [...view, ...service.argv];
      const inherited = runAs === null ? null : limits;
      const descriptors = way === null ? [filter, ...accounts] : [filter, ...way.descriptors];
      const more = [...before, ...inputs.placed];
      const stdio = [service.spoken, service.spoken, service.errors] as const;
      const group = this.#group(limits);
      const ended = serveWithin(
        () => new Bubblewrap({ program: bubblewrap, argv, descriptors, more, inherited, group, stdio }, this.#pipes),
        service,
        group,
        signal,
      );
      // It is started by now: what comes on these pipes is read by nobody here.
      for (const end of [service.spoken, service.errors]) end.destroy();
      way?.handedOver();
      inputs.handedOver();
      return await ended;
    } finally {
      way?.[Symbol.dispose]();
      for (const fd of [filter, ...accounts, ...held]) closeSync(fd);
    }
  }

  /** Who is who inside, as descriptors. */
  #accounts(runAs: number | null): number[] {
    const user = runAs ?? process.getuid?.() ?? 0;
    const text = new TextEncoder();
    return [
      this.#file(`passwd ${user}`, () =>
        text.encode(`root:x:0:0::/:/bin/sh\nuser:x:${user}:${user}::/tmp:/bin/sh\n`),
      ).reopen(),
      this.#file(`group ${user}`, () => text.encode(`root:x:0:\nuser:x:${user}:\n`)).reopen(),
      this.#file("hosts", () => text.encode("127.0.0.1 localhost sandbox\n::1 localhost sandbox\n")).reopen(),
    ];
  }

  /** The version of this kernel's Landlock, asked once. */
  get #landlock(): number {
    return (this.#abi ??= process.platform === "linux" ? kernelLandlock() : 0);
  }

  /** What builds Landlock around this command; null where the kernel has none that can. */
  #holder(view: HeldView): AnonymousFile | null {
    const machine = knownMachine(process.arch);
    if (machine === null || !holdsCommands(this.#landlock)) return null;
    return new AnonymousFile(holder(machine, this.#landlock, view));
  }

  #group(limits: Limits): CommandGroup | null {
    try {
      return typeof this.#groups === "string" ? null : this.#groups.make(limits);
    } catch (cause) {
      throw new SandboxError("the group in which the kernel holds a command to its limits cannot be made", { cause });
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

function placeOf({ workspace, folders = [], write }: Command): Place {
  return { workspace, folders: write ? folders : folders.map((folder) => ({ ...folder, write: false })) };
}

/** What is protected in what a service may change, and where it sees that. */
function protectedIn(shown: readonly Shown[]): [path: string, at: string][] {
  return shown
    .filter(({ write }) => write)
    .flatMap(({ path, at }) =>
      [...surveyAll({ workspace: path, folders: [] })].flatMap(([name, { kind }]): [string, string][] =>
        kind === "file" || kind === "directory" ? [[join(path, name), join(at, name)]] : [],
      ),
    );
}

/** Immediately before a command starts. Nothing that a command can change lies above a folder: folders do not lie in each other. */
function assertFolders({ folders }: Place): void {
  for (const folder of folders) {
    const wrong = wrongWith(folder);
    if (wrong !== null) throw new SandboxError(wrong);
  }
}

function stoppedBefore(): CommandEnd {
  return {
    reason: "stopped",
    status: null,
    stdout: new Uint8Array(),
    stderr: new Uint8Array(),
    left: { stdout: 0, stderr: 0 },
    setAside: [],
    milliseconds: 0,
  };
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path; // It is not there.
  }
}

function inside(path: string, below: string): boolean {
  return `${resolve(path)}/`.startsWith(`${resolve(below)}/`);
}
