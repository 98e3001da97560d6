import type { Recorded } from "../../audit/recorded.ts";
import { type CommandEnd, SandboxError } from "../sandbox/command.ts";
import { LIMITS } from "../sandbox/limits.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import { WorkspaceError } from "../sandbox/workspace-error.ts";
import { SessionId } from "../ipc/ids.ts";
import type { Ours } from "../sandbox/workspace.ts";
import { type ActionOfType, commandOf, decodeAction, placeOf, type ToolAction } from "./action.ts";
import { boundText, MAX_RESULT } from "./bound.ts";
import { checkNamed, listEntries, readLines, writeFile } from "./files.ts";
import { type MessagePort, runMessage } from "./outgoing.ts";
import { runRequest, runWebSearch, type WebPort } from "./web.ts";
import { runSchedule, type SchedulePort } from "./scheduling.ts";
import { foundIn, SEARCH_SECONDS, searchCommand } from "./search.ts";
import { readMemory, writeMemory } from "./memory.ts";
import type { MemoryPort } from "./memory-port.ts";
import type { UndoCopies } from "./undo-copies.ts";
import type { WayPort } from "./way-port.ts";

/** What became of a tool call. */
export interface ToolResult {
  readonly outcome: "done" | "failed" | "stopped" | "limit";
  /** A command's exit status; a server's answer as HTTP numbers it. */
  readonly status: number | null;
  /** For the model; at most 64 KiB. */
  readonly text: string;
  /** What it leads to, such as the address that a server names: an action like any other, to be decided first. */
  readonly next?: ToolAction;
  /** Nobody knows whether it took effect: the same is not done again in this turn. */
  readonly unsure?: true;
  /** What is known of the text only now: it labels the conversation before the agent is given it. */
  readonly brings?: { readonly untrusted: boolean; readonly private: readonly string[] };
}

/** What a tool call touches. */
export interface World {
  readonly sandbox: Sandbox;
  readonly ours: Ours;
  readonly ways: WayPort;
  readonly web: WebPort;
  readonly messages: MessagePort;
  readonly schedules: SchedulePort;
  readonly copies: UndoCopies;
  readonly memory: MemoryPort;
}

/** Runs one recorded tool call: what is done is read from the recorded bytes, and from nothing else.
 *  @returns also what went wrong, in words: it throws for faults of ours only. */
export async function runTool(
  recorded: Recorded<"tool.called">,
  world: World,
  signal: AbortSignal,
): Promise<ToolResult> {
  const { sandbox, ours, web, messages } = world;
  recorded.redeem();
  const action = decodeAction(recorded.content("action"));
  try {
    switch (action.type) {
      case "file.read":
        return done(readLines(ours, action));
      case "file.list":
        return done(listEntries(ours, action));
      case "file.search":
        return await runSearch(action, sandbox, signal);
      case "file.write":
        return await sandbox.change(placeOf(action), () => {
          if (signal.aborted) return { outcome: "stopped", status: null, text: "stopped before it was written" };
          return done(writeFile(ours, action));
        });
      case "exec":
        return await runCommand(action, recorded, world, signal);
      case "http.request":
        return await runRequest(action, recorded.seq, web, signal);
      case "web.search":
        return await runWebSearch(action, recorded.seq, web, signal);
      case "message.send":
        return await runMessage(action, SessionId.parse(recorded.action.session), recorded.seq, messages, signal);
      case "schedule.add":
      case "schedule.list":
      case "schedule.remove":
        return await runSchedule(action, recorded.action, recorded.seq, world.schedules, signal);
      case "memory.read":
        return await readMemory(action, world.memory);
      case "memory.write":
        return await writeMemory(recorded, action, world.memory);
    }
  } catch (cause) {
    if (cause instanceof WorkspaceError || cause instanceof SandboxError) {
      return { outcome: "failed", status: null, text: `failed: ${cause.message}` };
    }
    throw cause;
  }
}

function done(text: string): ToolResult {
  return { outcome: "done", status: null, text: boundText(text, MAX_RESULT) };
}

async function runSearch(
  action: ActionOfType<"file.search">,
  sandbox: Sandbox,
  signal: AbortSignal,
): Promise<ToolResult> {
  const limits = { ...LIMITS, seconds: SEARCH_SECONDS };
  // Links lead to folders where nothing can be mounted, and a search follows only those that it is given.
  const linked = sandbox.state.state === "weaker" && action.path === "." ? placeOf(action).folders : [];
  const argv = searchCommand(
    action,
    linked.map(({ name }) => name),
  );
  const place = placeOf(action);
  const end = await sandbox.run({ ...place, argv, write: false, stdin: null, limits, flood: "end" }, signal);
  if (end.reason === "stopped") return { outcome: "stopped", status: null, text: sentence(end, SEARCH_SECONDS) };
  const found = foundIn(end, action);
  if (found === null) return { outcome: "failed", status: end.status, text: boundText(decode(end.stderr), MAX_RESULT) };
  return {
    outcome: end.reason === "exited" ? "done" : "limit",
    status: end.status,
    text: boundText(found, MAX_RESULT),
  };
}

async function runCommand(
  action: ActionOfType<"exec">,
  { seq, action: called }: Pick<Recorded<"tool.called">, "seq" | "action">,
  { sandbox, ours, ways, copies }: World,
  signal: AbortSignal,
): Promise<ToolResult> {
  const open = action.hosts === undefined ? null : await ways.open(action.hosts, { call: called.call, seq });
  const limits = { ...LIMITS, seconds: action.timeoutSeconds };
  try {
    const end = await sandbox.run(
      {
        ...placeOf(action),
        argv: commandOf(action),
        write: action.write,
        stdin: action.stdin === null ? null : new TextEncoder().encode(action.stdin),
        limits,
        sandbox: action.sandbox ?? "works",
        before: () => checkNamed(ours, action),
        ...(action.write ? { keeping: copies.keeping(placeOf(action), { seq, action: called }) } : {}),
        ...(open === null ? {} : { way: open.way }),
      },
      signal,
    );
    return { outcome: outcomeOf(end), status: end.status, text: textOf(end, action) };
  } finally {
    open?.end();
  }
}

function outcomeOf(end: CommandEnd): ToolResult["outcome"] {
  if (end.reason === "stopped") return "stopped";
  if (end.reason !== "exited") return "limit";
  return end.status === 0 ? "done" : "failed";
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

function textOf(end: CommandEnd, action: ActionOfType<"exec">): string {
  const half = (MAX_RESULT - 4096) / 2;
  const stdout = decode(end.stdout);
  // The program that sets the limits is the one that finds nothing to run.
  const stderr = decode(end.stderr).replace(/^(?:prlimit|setpriv): failed to execute /, "cannot run ");
  // Short error output leaves its room to standard output.
  const room = Math.min(Buffer.byteLength(stderr), half);
  return boundText(
    [
      sentence(end, action.timeoutSeconds),
      ...(stdout === "" ? [] : ["standard output:", boundText(stdout, 2 * half - room, end.left.stdout)]),
      ...(stderr === "" ? [] : ["standard error:", boundText(stderr, half, end.left.stderr)]),
      ...(stdout === "" && stderr === "" ? ["(no output)"] : []),
      ...end.setAside.map(
        ({ path, now }) =>
          `${path} is protected: what the command put there was moved to ${now} (ask with write_file instead)`,
      ),
    ].join("\n"),
    MAX_RESULT,
  );
}

const MB = 1 << 20;

function sentence(end: CommandEnd, seconds: number): string {
  switch (end.reason) {
    case "exited":
      if (end.status !== null && end.status > 128) return `exit status ${end.status} (signal ${end.status - 128})`;
      return `exit status ${end.status ?? "unknown"}`;
    case "stopped":
      return "stopped: the turn was ended";
    case "time":
      return `killed: it ran longer than ${seconds} s`;
    case "memory":
      return `killed: it used more than ${LIMITS.memory / MB} MB of memory`;
    case "processes":
      return `killed: it had more than ${LIMITS.processes} processes`;
    case "output":
      return `killed: it wrote more than ${LIMITS.output / MB} MB of output; here is the first of it`;
    case "disk":
      return `killed: it left less than ${LIMITS.diskReserve / MB} MB free on the disk`;
  }
}
