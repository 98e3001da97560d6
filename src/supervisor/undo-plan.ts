import { createHash } from "node:crypto";
import * as z from "zod/mini";
import type { AuditLog, CommittedRow } from "../../audit/log.ts";
import { decodeAction } from "../effect/action.ts";
import { join } from "node:path";
import type { State } from "../sandbox/snapshot.ts";

const count = z.int().check(z.gte(0));
const StateSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("file"), mode: count, size: count, digest: z.nullable(z.string()) }),
  z.strictObject({ kind: z.literal("link"), target: z.string() }),
  z.strictObject({ kind: z.literal("directory"), mode: count }),
  z.strictObject({ kind: z.literal("other") }),
]);
const Kept = z.array(
  z.strictObject({
    root: z.string(),
    path: z.string(),
    before: z.nullable(StateSchema),
    after: z.nullable(StateSchema),
    at: z.nullable(z.strictObject({ from: count, length: count })),
  }),
);

/** What a turn did to one path, all of its calls together. */
export interface Undone {
  readonly root: string;
  readonly path: string;
  /** As it was before the turn; null: nothing was there. */
  readonly before: State | null;
  /** As the turn left it. */
  readonly after: State | null;
  readonly bytes: Uint8Array | null;
}

export interface UndoPlan {
  readonly session: string;
  readonly agent: string;
  readonly at: string;
  /** The row `turn.started`. */
  readonly seq: number;
  readonly ended: boolean;
  readonly files: readonly Undone[];
  /** What nothing takes back, a sentence each. */
  readonly beyond: readonly string[];
}

const PAGE = 1_000;

/** What a turn changed, and what of it cannot be taken back, from its rows. @returns null if there is no such turn. */
export async function planOf(log: Pick<AuditLog, "search">, turn: string): Promise<UndoPlan | null> {
  const started = await startOf(log, turn);
  if (started?.action.kind !== "turn.started") return null;
  const { session, agent } = started.action;
  const rows = await rowsOfTurn(log, started, turn, session);
  const steps = new Map<string, Undone>();
  const beyond: string[] = [];
  const add = (step: Undone): void => {
    const key = join(step.root, step.path);
    const first = steps.get(key);
    // As it was before the first of them, and as the last one left it.
    steps.set(key, first === undefined ? step : { ...first, after: step.after });
  };
  for (const row of rows) {
    if (row.action.kind === "undo.kept") addKept(row, add, beyond);
    else if (row.action.kind === "tool.called") addCall(row, rows, add, beyond);
    else if (row.action.kind === "message.sent" && row.action.purpose === "reply")
      beyond.push(`a reply was sent (row ${row.seq})`);
  }
  const ended = rows.some(({ action }) => action.kind === "turn.ended");
  return { session, agent, at: started.at, seq: started.seq, ended, files: [...steps.values()], beyond };
}

/** Turns are looked for from the newest back. */
async function startOf(log: Pick<AuditLog, "search">, turn: string): Promise<CommittedRow | null> {
  for (let before: number | undefined; ; ) {
    const rows = await log.search({ kind: "turn.started", limit: PAGE, ...(before === undefined ? {} : { before }) });
    const found = rows.find(({ action }) => action.kind === "turn.started" && action.turn === turn);
    if (found !== undefined) return found;
    const last = rows.at(-1);
    if (last === undefined || rows.length < PAGE) return null;
    before = last.seq;
  }
}

async function rowsOfTurn(
  log: Pick<AuditLog, "search">,
  started: CommittedRow,
  turn: string,
  session: string,
): Promise<readonly CommittedRow[]> {
  const rows: CommittedRow[] = [];
  for (let after = started.seq; ; ) {
    const page = await log.search({ session, after, limit: PAGE });
    for (const row of page) {
      // One turn at a time runs in a session: what lies between its beginning and the next one's is its own.
      if (row.action.kind === "turn.started") return rows;
      if (!("turn" in row.action) || row.action.turn === turn) rows.push(row);
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return rows;
    after = last.seq;
  }
}

function addKept(row: CommittedRow, add: (step: Undone) => void, beyond: string[]): void {
  const [text, copies] = [row.content("changes"), row.bytes("copies")];
  if (text === null || copies === null) {
    beyond.push(`the copies of what a command changed are gone (row ${row.seq})`);
    return;
  }
  for (const { root, path, before, after, at } of Kept.parse(JSON.parse(text))) {
    if (before !== null && (before.kind === "other" || (before.kind === "file" && at === null))) {
      beyond.push(`${join(root, path)} was changed, and was too large to be kept (row ${row.seq})`);
      continue;
    }
    const bytes = at === null ? null : Uint8Array.from(copies.subarray(at.from, at.from + at.length));
    add({ root, path, before, after, bytes });
  }
}

/** Classes of actions that reach beyond the files of a workspace, with what is said of one. */
const LEFT: readonly (readonly [prefix: string, sentence: string])[] = [
  ["exec:net:", "a command ran that could reach hosts"],
  ["http", "a request was made"],
  ["search:", "something was searched for on the web"],
  ["message:", "a message was sent to another conversation"],
  ["schedule:", "a schedule was added: wirken schedule list"],
  ["memory.write", "something was kept in memory: wirken memory list"],
  ["agent:", "another agent was given work, as a turn of its own"],
  ["mcp:", "a tool of another program was called"],
];

function addCall(
  row: CommittedRow,
  rows: readonly CommittedRow[],
  add: (step: Undone) => void,
  beyond: string[],
): void {
  if (row.action.kind !== "tool.called") return;
  const { key, tool } = row.action;
  const left = LEFT.find(([prefix]) => key.startsWith(prefix));
  if (left !== undefined) beyond.push(`${left[1]} (${tool}, row ${row.seq})`);
  const bytes = row.bytes("action");
  if (bytes === null) {
    if (/^(?:file\.write|folder\.write|exec:rw)/.test(key)) beyond.push(`what ${tool} did is erased (row ${row.seq})`);
    return;
  }
  const action = decodeAction(bytes);
  const outcome = rows.find(({ cause, action: { kind } }) => cause === row.seq && kind === "tool.finished");
  if (action.type === "exec") {
    if (left === undefined && (action.hosts?.length ?? 0) > 0)
      beyond.push(`a command ran that could reach hosts (${tool}, row ${row.seq})`);
    if (action.write && outcome === undefined)
      beyond.push(`a command was interrupted: what it changed is not known (row ${row.seq})`);
    return;
  }
  if (action.type !== "file.write" || outcome?.action.kind !== "tool.finished" || outcome.action.outcome !== "done")
    return;
  const [root, path] = rootOf(action);
  const before = action.base === null ? null : row.bytes("before");
  if (before === null && action.base !== null) {
    beyond.push(`the copy of ${join(root, path)} as it was is gone (row ${row.seq})`);
    return;
  }
  const content = Buffer.from(action.content);
  add({
    root,
    path,
    before: before === null ? null : { kind: "file", mode: ANY_MODE, size: before.length, digest: digestOf(before) },
    after: { kind: "file", mode: ANY_MODE, size: content.length, digest: digestOf(content) },
    bytes: before,
  });
}

/** A file tool leaves a file's mode as it is: it is put back with the one that it has. */
export const ANY_MODE = 0o10000;

/** The directory that may be changed, and the path below it. */
function rootOf(action: {
  readonly workspace: string;
  readonly path: string;
  readonly folders?: readonly { readonly name: string; readonly path: string }[] | undefined;
}): readonly [root: string, path: string] {
  const folder = action.folders?.find(({ name }) => action.path.startsWith(`${name}/`));
  return folder === undefined
    ? [action.workspace, action.path]
    : [folder.path, action.path.slice(folder.name.length + 1)];
}

function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Turns that changed a file, the newest first. */
export async function turnsWithCopies(
  log: Pick<AuditLog, "search">,
  limit: number,
): Promise<{ turn: string; at: string; agent: string }[]> {
  const found = new Map<string, { turn: string; at: string; agent: string }>();
  for (const { action, at } of await log.search({ kinds: ["undo.kept", "tool.called"], limit: PAGE })) {
    if (action.kind !== "undo.kept" && action.kind !== "tool.called") continue;
    if (action.kind === "tool.called" && !/^(?:file|folder)\.write/.test(action.key)) continue;
    const { turn, agent } = action;
    if (!found.has(turn)) found.set(turn, { turn, at, agent });
  }
  return [...found.values()].slice(0, limit);
}

/** How often it was taken back before. */
export async function undoneBefore(log: Pick<AuditLog, "search">, turn: string, session: string): Promise<number> {
  const rows = await log.search({ kind: "undo.begun", session, limit: PAGE });
  return rows.filter(({ action }) => action.kind === "undo.begun" && action.turn === turn).length;
}
