import type { Recorded } from "../../audit/recorded.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { SandboxState } from "../sandbox/state.ts";
import { WorkspaceError } from "../sandbox/workspace-error.ts";
import type { Place } from "../sandbox/folder.ts";
import { type Located, type Ours, Workspace } from "../sandbox/workspace.ts";
import type { ToolAction } from "./action.ts";
import { type Base, baseOf, checkBase, checkNamed, namedFiles } from "./files.ts";
import { callModel, type ModelAnswer, type ModelPort } from "./model.ts";
import type { AskedRequest } from "./request.ts";
import { runTool, type ToolResult } from "./tool.ts";
import type { WayPort } from "./way-port.ts";

export { LIMITS } from "../sandbox/limits.ts";
export { PROTECTED } from "../sandbox/protected.ts";
export { type SandboxState, WEAKER } from "../sandbox/state.ts";
export { WorkspaceError } from "../sandbox/workspace-error.ts";
export { type Folder, MAX_FOLDERS, type Place, wrongWith } from "../sandbox/folder.ts";
export type { Located, Ours } from "../sandbox/workspace.ts";

/** The world as the broker reaches it. What changes it, or tells an agent about it, takes a recorded intent; what only prepares a decision does not. */
export class Effects {
  readonly #sandbox: Sandbox;
  readonly #ours: Ours;
  readonly #models: ModelPort;
  readonly #ways: WayPort;

  constructor(sandbox: Sandbox, ours: Ours, models: ModelPort, ways: WayPort) {
    this.#sandbox = sandbox;
    this.#ours = ours;
    this.#models = models;
    this.#ways = ways;
  }

  runTool(recorded: Recorded<"tool.called">, signal: AbortSignal): Promise<ToolResult> {
    return runTool(recorded, { sandbox: this.#sandbox, ours: this.#ours, ways: this.#ways }, signal);
  }

  callModel(
    recorded: Recorded<"model.called">,
    request: AskedRequest,
    limits: { readonly maxOutputTokens: number; readonly timeoutMs: number },
    onDelta: (text: Uint8Array) => void,
    signal: AbortSignal,
  ): Promise<ModelAnswer> {
    return callModel(recorded, request, this.#models, limits, onDelta, signal);
  }

  get sandboxState(): SandboxState {
    return this.#sandbox.state;
  }

  probeSandbox(): Promise<SandboxState> {
    return this.#sandbox.probe();
  }

  /** Where a path leads. @throws {WorkspaceError} */
  locate(place: Place, path: string): Located {
    return new Workspace(place, this.#ours).locate(path);
  }

  /** The text of a file that is to be changed; null where there is none. @throws {WorkspaceError} */
  base(place: Place, path: string): Base | null {
    return baseOf(this.#ours, place, path);
  }

  /** The workspace files that argv names. @throws {WorkspaceError} */
  named(place: Place, argv: readonly string[]): { path: string; digest: string }[] {
    return namedFiles(this.#ours, place, argv);
  }

  /** Is the workspace still what the action was decided on? @returns what changed, in a sentence; null: nothing. */
  changed(action: ToolAction): string | null {
    try {
      if (action.type === "file.write") checkBase(this.#ours, action);
      if (action.type === "exec") {
        checkNamed(this.#ours, action);
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
