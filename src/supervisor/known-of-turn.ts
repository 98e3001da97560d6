import type { AuditLog, CommittedRow } from "../../audit/log.ts";
import { visibleLine } from "../broker/visible.ts";
import { ActionError, decodeAction, type ToolAction } from "../effect/action.ts";

/** What a turn that was cut short did, and may have done: for the person it was done for. Where others read too, without what it was done with. */

/** Calls that are named one by one, the newest; of more it is said how many. */
const NAMED = 8;
/** Calls of one turn that are looked at. */
const LOOKED_AT = 500;
/** Characters that are shown of a command, a path or an address. */
const SHOWN = 200;

interface Known {
  /** They came to their end. */
  readonly ended: readonly string[];
  /** Nobody can tell. */
  readonly unsure: readonly string[];
}

/** @param turn the row that it began with. @param alone whether nobody else reads what is said. */
export function knownOf(log: Pick<AuditLog, "effects">, turn: number, alone: boolean): Known {
  const ended: string[] = [];
  const unsure: string[] = [];
  for (const row of log.effects(turn, (kind) => kind === "tool.called", LOOKED_AT)) {
    const action = actionOf(row);
    if (action !== null && LOOKS.has(action.type)) continue;
    const [outcome] = log.effects(row.seq, (kind) => OUTCOMES.has(kind), 1);
    const what = phraseOf(row, action, alone);
    if (outcome?.action.kind === "tool.finished")
      ended.push(outcome.action.outcome === "done" ? what : `${what} (${outcome.action.outcome})`);
    else if (outcome?.action.kind === "action.failed") ended.push(`${what} (failed)`);
    else unsure.push(`${what} may have ${action === null ? "run" : (RAN[action.type] ?? "run")}`);
  }
  return { ended, unsure };
}

const OUTCOMES: ReadonlySet<string> = new Set(["tool.finished", "action.failed", "action.interrupted"]);

/** What is said of a turn that was cut short. @param how it was. */
export function interruptedText(
  { ended, unsure }: Known,
  how = "I was interrupted while I worked on your last message.",
): string {
  return [
    how,
    ...(unsure.length === 0
      ? ["Nothing was under way whose effect is unknown."]
      : [`What was under way may have happened, wholly or in part: ${listed(unsure)}.`]),
    ...(ended.length === 0 ? [] : [`This came to its end: ${listed(ended)}.`]),
    "Nothing is repeated. Say it again if you still need it.",
  ].join(" ");
}

function listed(all: readonly string[]): string {
  const more = all.length - NAMED;
  return [...all.slice(-NAMED), ...(more > 0 ? [`${more} more before`] : [])].join("; ");
}

/** They change nothing: whether they came to an end is of no account. */
const LOOKS: ReadonlySet<ToolAction["type"]> = new Set([
  "file.read",
  "file.list",
  "file.search",
  "memory.read",
  "schedule.list",
]);

const RAN: Readonly<Partial<Record<ToolAction["type"], string>>> = {
  "file.write": "been written",
  "http.request": "been made",
  "message.send": "been sent",
};

function phraseOf({ action: called }: CommittedRow, action: ToolAction | null, alone: boolean): string {
  const tool = called.kind === "tool.called" ? called.tool : "something";
  const of = (text: string): string => (alone ? ` ${shown(text)}` : "");
  switch (action?.type) {
    case "exec":
      return `the command${of(action.argv?.join(" ") ?? action.script?.text ?? "")}`;
    case "file.write":
      return `the file${of(action.path)}`;
    case "http.request":
      return `the request${of(`${action.method} ${action.url}`)}`;
    case "message.send":
      return `a message${alone ? ` to ${visibleLine(action.readers.join(", "))}` : ""}`;
    default:
      return `the tool ${visibleLine(tool)}`;
  }
}

function shown(text: string): string {
  const line = visibleLine(text);
  return `“${line.length > SHOWN ? `${line.slice(0, SHOWN)}…` : line}”`;
}

/** @returns null where it was erased, or nothing opens it now. */
function actionOf(row: CommittedRow): ToolAction | null {
  const bytes = row.bytes("action");
  if (bytes === null) return null;
  try {
    return decodeAction(bytes);
  } catch (error) {
    if (error instanceof ActionError) return null;
    throw error;
  }
}
