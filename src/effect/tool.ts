import type { Recorded } from "../../audit/recorded.ts";
import { type Command, SandboxError } from "../sandbox/command.ts";
import { LIMITS } from "../sandbox/limits.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import { WorkspaceError } from "../sandbox/workspace-error.ts";
import { SessionId } from "../ipc/ids.ts";
import type { Ours } from "../sandbox/workspace.ts";
import { type ActionOfType, decodeAction, placeOf, type ToolAction } from "./action.ts";
import type { BackgroundCommands } from "./background.ts";
import { boundText, MAX_RESULT } from "./bound.ts";
import { decode, runCommand, sentence } from "./command.ts";
import { listEntries, readLines, writeFile } from "./files.ts";
import { type MessagePort, runMessage } from "./outgoing.ts";
import { runRequest, runWebSearch, type WebPort } from "./web.ts";
import { runSchedule, type SchedulePort } from "./scheduling.ts";
import { foundIn, SEARCH_SECONDS, searchCommand } from "./search.ts";
import { runMcp } from "./mcp.ts";
import type { McpAsker, McpPort } from "./mcp-port.ts";
import { readMemory, writeMemory } from "./memory.ts";
import type { SkillPort } from "./skill-port.ts";
import { readSkill } from "./skills.ts";
import type { MemoryPort } from "./memory-port.ts";
import type { UndoCopies } from "./undo-copies.ts";
import { filesToSend } from "./sent-files.ts";
import type { WayPort } from "./way-port.ts";
import { type RunningCommands, shownCommand, type Under, underOf } from "./running-commands.ts";
import { runSpawn, type Spawn } from "./spawn.ts";

/** What became of a tool call. */
export interface ToolResult {
  readonly outcome: "done" | "failed" | "stopped" | "limit";
  /** A command's exit status; a server's answer as HTTP numbers it. */
  readonly status: number | null;
  /** What held a command to its limits; not given: it was none, or none of it ran. */
  readonly limits?: "cgroup" | "watch";
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
  readonly skills: SkillPort;
  readonly mcp: McpPort;
  readonly background: Pick<BackgroundCommands, "answer">;
  readonly running: RunningCommands;
}

/** Runs one recorded tool call: what is done is read from the recorded bytes, and from nothing else.
 *  @returns also what went wrong, in words: it throws for faults of ours only. */
export async function runTool(
  recorded: Recorded<"tool.called">,
  world: World,
  signal: AbortSignal,
  spawn: Spawn,
  asker: McpAsker,
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
        return await runSearch(action, { ...recorded.action, seq: recorded.seq }, world, signal);
      case "file.write":
        return await sandbox.change(placeOf(action), () => {
          if (signal.aborted) return { outcome: "stopped", status: null, text: "stopped before it was written" };
          return done(writeFile(ours, action));
        });
      case "exec":
        return await runCommand(
          action,
          { ...recorded.action, seq: recorded.seq },
          world,
          signal,
          action.write ? { keeping: world.copies.keeping(placeOf(action), recorded) } : {},
        );
      case "http.request":
        return await runRequest(action, recorded.seq, web, signal);
      case "process": {
        const { principal, agent } = recorded.action;
        return await world.background.answer(action, { principal, agent });
      }
      case "web.search":
        return await runWebSearch(action, recorded.seq, web, signal);
      case "agent.spawn":
        return await runSpawn(action, recorded, spawn, signal);
      case "message.send":
        return await runMessage(
          action,
          SessionId.parse(recorded.action.session),
          recorded.seq,
          messages,
          filesToSend(ours, action),
          signal,
        );
      case "reply":
        throw new TypeError("a reply leaves by its session, and by no tool");
      case "schedule.add":
      case "schedule.list":
      case "schedule.remove":
        return await runSchedule(action, recorded.action, recorded.seq, world.schedules, signal);
      case "memory.read":
        return await readMemory(action, world.memory);
      case "memory.write":
        return await writeMemory(recorded, action, world.memory);
      case "skill.read":
        return readSkill(recorded, action, world.skills);
      case "mcp.call":
      case "mcp.read":
      case "mcp.prompt":
        return await runMcp(action, world.mcp, signal, asker);
      case "mcp.sample":
      case "mcp.tell":
        throw new TypeError("what a server asks back is answered while its call runs, and by no tool");
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
  under: Under,
  { sandbox, running }: World,
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
  const entry = running.begin({
    ...underOf(under),
    words: shownCommand(argv.join(" ")),
    background: false,
    write: false,
    folders: place.folders.map(({ name }) => ({ name, write: false })),
    hosts: [],
  });
  const searching: Command = { ...place, argv, write: false, stdin: null, limits, flood: "end", began: entry.began };
  const end = await sandbox.run(searching, signal).finally(entry.end);
  if (end.reason === "stopped") return { outcome: "stopped", status: null, text: sentence(end, SEARCH_SECONDS) };
  const found = foundIn(end, action);
  if (found === null) return { outcome: "failed", status: end.status, text: boundText(decode(end.stderr), MAX_RESULT) };
  return {
    outcome: end.reason === "exited" ? "done" : "limit",
    status: end.status,
    text: boundText(found, MAX_RESULT),
  };
}
