import type { Recorded } from "../../audit/recorded.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { SandboxState } from "../sandbox/state.ts";
import { WorkspaceError } from "../sandbox/workspace-error.ts";
import type { Place } from "../sandbox/folder.ts";
import { join } from "node:path";
import { type Located, type Ours, Workspace } from "../sandbox/workspace.ts";
import type { ToolAction } from "./action.ts";
import { type AttestationPort, attestProvider } from "./attestation.ts";
import { unkeptOf } from "../sandbox/snapshot.ts";
import { BackgroundCommands, type TurnOfCommand, type Whose } from "./background.ts";
import { type Base, baseOf, bytesBefore, checkBase, checkNamed, locateOutside, namedFiles } from "./files.ts";
import { type SurveyedFile, surveyFile, surveyTrees } from "./file-survey.ts";
import type { SkillPort } from "./skill-port.ts";
import type { McpAsker, McpCatalogue, McpPort } from "./mcp-port.ts";
import type { MemoryPort } from "./memory-port.ts";
import { callModel, type ModelAnswer, type ModelLimits, type ModelPort } from "./model.ts";
import type { AskedRequest } from "./request.ts";
import type { Asking, MessagePort, Recipient } from "./outgoing.ts";
import type { SchedulePort } from "./scheduling.ts";
import { RunningCommands } from "./running-commands.ts";
import type { Spawn } from "./spawn.ts";
import { runTool, type ToolResult, type World } from "./tool.ts";
import type { UndoCopies } from "./undo-copies.ts";
import type { WayPort } from "./way-port.ts";
import type { CarriedCredential, WebPort } from "./web.ts";

export type { SurveyedFile } from "./file-survey.ts";
export { LIMITS } from "../sandbox/limits.ts";
export { PROTECTED } from "../sandbox/protected.ts";
export { type SandboxState, WEAKER } from "../sandbox/state.ts";
export { INSIDE } from "../sandbox/walk.ts";
export { WorkspaceError } from "../sandbox/workspace-error.ts";
export { type Folder, MAX_FOLDERS, type Place, SHARED, wrongWith } from "../sandbox/folder.ts";
export type { Located, Ours } from "../sandbox/workspace.ts";

/** Whatever is not this machine's own files and commands. Filled by the supervisor. */
export interface Ports {
  readonly models: ModelPort;
  readonly attestations: AttestationPort;
  readonly ways: WayPort;
  readonly web: WebPort;
  readonly messages: MessagePort;
  readonly schedules: SchedulePort;
  readonly copies: UndoCopies;
  readonly memory: MemoryPort;
  readonly skills: SkillPort;
  readonly mcp: McpPort;
}

/** The world as the broker reaches it. What changes it, or tells an agent about it, takes a recorded intent; what only prepares a decision does not. */
export class Effects {
  readonly background = new BackgroundCommands();
  readonly running = new RunningCommands();
  readonly #sandbox: Sandbox;
  readonly #ours: Ours;
  readonly #ports: Ports;

  constructor(sandbox: Sandbox, ours: Ours, ports: Ports) {
    this.#sandbox = sandbox;
    this.#ours = ours;
    this.#ports = ports;
  }

  /** @param spawn how the agent that calls starts another. @param asker who answers what an MCP server asks meanwhile. */
  runTool(recorded: Recorded<"tool.called">, signal: AbortSignal, spawn: Spawn, asker: McpAsker): Promise<ToolResult> {
    return runTool(recorded, this.#world, signal, spawn, asker);
  }

  /** Starts a command that goes on behind the answer to its call. */
  startCommand(recorded: Recorded<"command.started">, turn: TurnOfCommand): Promise<ToolResult> {
    return this.background.start(recorded, turn, this.#world);
  }

  /** Does one of these commands in the background reach hosts? null: there is none of that name. */
  commandReaches(whose: Whose, command: string): boolean | null {
    return this.background.reaches(whose, command);
  }

  get #world(): World {
    return {
      sandbox: this.#sandbox,
      ours: this.#ours,
      background: this.background,
      running: this.running,
      ...this.#ports,
    };
  }

  callModel(
    recorded: Recorded<"model.called">,
    request: AskedRequest,
    limits: ModelLimits,
    onDelta: (text: Uint8Array) => void,
    signal: AbortSignal,
  ): Promise<ModelAnswer> {
    return callModel(recorded, request, this.#ports.models, limits, onDelta, signal);
  }

  /** Has a provider show what it is. */
  attestProvider(recorded: Recorded<"model.attesting">, signal: AbortSignal): ReturnType<typeof attestProvider> {
    return attestProvider(recorded, this.#ports.attestations, signal);
  }

  /** What is planned, and the clock that it goes by. */
  get schedules(): Pick<SchedulePort, "zone" | "now" | "own"> {
    return this.#ports.schedules;
  }

  /** What a request may carry by that name. @returns in words why nothing. */
  credential(name: string): CarriedCredential | string {
    return this.#ports.web.credential(name);
  }

  /** Why a host is not asked on a port; null: it may be. */
  barred(host: string, port: number): string | null {
    return this.#ports.web.barred(host, port);
  }

  /** Whom searches are asked of. @returns in words why of nobody. */
  searching(): ReturnType<WebPort["searching"]> {
    return this.#ports.web.searching();
  }

  /** The skills that agents may use. */
  get skills(): SkillPort {
    return this.#ports.skills;
  }

  /** The MCP servers that agents may use: none is called through this. */
  get mcp(): McpCatalogue {
    return this.#ports.mcp;
  }

  /** Which conversations are meant. */
  recipients(to: string, asking: Asking): readonly Recipient[] {
    return this.#ports.messages.recipients(to, asking);
  }

  get sandboxState(): SandboxState {
    return this.#sandbox.state;
  }

  /** Is it to be tried again before the next command? */
  get sandboxDue(): boolean {
    return this.#sandbox.due;
  }

  probeSandbox(): Promise<SandboxState> {
    return this.#sandbox.probe();
  }

  /** Where a path leads. @throws {WorkspaceError} */
  locate(place: Place, path: string): Located {
    return new Workspace(place, this.#ours).locate(path);
  }

  /** A file outside of every workspace, by its exact path. @throws {WorkspaceError} */
  outside(path: string): Located {
    return locateOutside(this.#ours, path);
  }

  /** The text of a file that is to be changed; null where there is none. @throws {WorkspaceError} */
  base(place: Place, path: string, outside = false): Base | null {
    return baseOf(this.#ours, place, path, outside);
  }

  /** A file of the workspace as labels know it; null: there is none. @param path as {@link locate} says it. */
  surveyed(place: Place, path: string): SurveyedFile | null {
    return surveyFile(realPath(place, path));
  }

  /** What a command that may write may have changed since. @param known inodes that are looked for as well. */
  surveyedSince(
    place: Place,
    since: number,
    known: ReadonlySet<string>,
  ): { readonly roots: string[]; readonly files: SurveyedFile[]; readonly complete: boolean } {
    const roots = rootsOf(place);
    return { roots, ...surveyTrees(roots, since, known) };
  }

  /** The workspace files that argv names. @throws {WorkspaceError} */
  named(place: Place, argv: readonly string[]): { path: string; digest: string }[] {
    return namedFiles(this.#ours, place, argv);
  }

  /** The file as it is that an action is about to write; null: there is none, or it writes none. */
  before(action: ToolAction): Uint8Array | null {
    try {
      return action.type === "file.write" ? bytesBefore(this.#ours, action) : null;
    } catch (cause) {
      // It is another one by now, so it will not be written either.
      if (cause instanceof WorkspaceError) return null;
      throw cause;
    }
  }

  /** What would not be put back after a command that may change these directories. */
  unkept(place: Place): string[] {
    return unkeptOf(place);
  }

  /** Is the workspace still what the action was decided on? @returns what changed, in a sentence; null: nothing. */
  changed(action: ToolAction): string | null {
    try {
      if (action.type === "file.write") checkBase(this.#ours, action);
      if (action.type === "exec") {
        checkNamed(this.#ours, action);
        const { skill } = action;
        const folder = action.folders?.find(({ name }) => name === skill?.folder);
        const other = skill === undefined ? null : this.skills.changed(skill.name, skill.digest, folder?.path ?? "");
        if (other !== null) return other;
        if ((action.sandbox === "weaker") !== (this.#sandbox.state.state === "weaker"))
          return "the sandbox is not the one any more that this was decided for";
      }
      return null;
    } catch (cause) {
      if (cause instanceof WorkspaceError) return cause.message;
      throw cause;
    }
  }
}

/** Where a command may write on this machine. */
export function rootsOf({ workspace, folders }: Place): string[] {
  return [workspace, ...folders.filter(({ write }) => write).map(({ path }) => path)];
}

/** Where a path of a workspace is on this machine. @param path without a symbolic link in it. */
function realPath({ workspace, folders }: Place, path: string): string {
  const [first = "", ...rest] = path.split("/");
  const folder = folders.find(({ name }) => name === first);
  return folder === undefined ? join(workspace, path) : join(folder.path, ...rest);
}
