import type Database from "better-sqlite3";
import type { ActionOf } from "./action.ts";
import { entryHash, NO_PREVIOUS, readBody, readHead } from "./entry.ts";
import { AuditError } from "./error.ts";
import { isActionOf } from "./kinds.ts";
import { Frontier } from "./merkle.ts";
import { isSignedBy, NoteError, parseCheckpoint, parseVkey, type SignedCheckpoint } from "./note.ts";
import { type Timeline, timelineFrom } from "./timeline.ts";

export type Protector = ActionOf<"log.opened">["protector"];
export type Genesis = Omit<ActionOf<"log.opened">, "kind"> & { readonly at: string };

/** The key that signs now. */
export interface Epoch {
  /** From 1. */
  readonly number: number;
  readonly vkey: string;
  readonly protector: Protector;
}

export interface StoredCheckpoint {
  readonly size: number;
  readonly note: string;
}

/** Where the log ends: all that the next row follows from. */
export interface LogHead {
  readonly size: number;
  /** Hash of the last row. */
  readonly previous: string;
  readonly frontier: Frontier;
  readonly timeline: Timeline;
  /** The newest. */
  readonly checkpoint: StoredCheckpoint | null;
}

export interface Found {
  readonly head: LogHead;
  readonly genesis: Genesis | null;
  readonly epoch: Epoch | null;
}

const PAGE = 1_000;

/** Finds the end of a log and checks it: the newest checkpoint's signature and frontier, and every row after it. No secret key is needed.
 *  What lies before is for `verify`.
 *  @throws {AuditError} AUDIT_BROKEN: such a log cannot be continued. */
export function findHead(database: Database.Database): Found {
  const genesis = readGenesis(database);
  const stored = newestCheckpoint(database, Number.MAX_SAFE_INTEGER);
  if (genesis === null) {
    if (stored !== null || anyRow(database))
      throw broken("its first row is not that of a log: rows were deleted, or this is another file");
    const timeline = timelineFrom(null);
    return {
      head: { size: 0, previous: NO_PREVIOUS, frontier: new Frontier(), timeline, checkpoint: null },
      genesis,
      epoch: null,
    };
  }
  if (stored === null) throw broken("it has no checkpoint: every log has one from its first moment on");
  const epoch = currentEpoch(database, genesis, stored);
  const checkpoint = checked(stored, genesis.origin, epoch);
  // From the checkpoint before it: the rows in between are then proved by the newest root, the hash they start from included.
  const base = newestCheckpoint(database, stored.size - 1);
  const frontier = base === null ? new Frontier() : Frontier.parse(base.size, base.frontier);
  if (frontier === null) throw broken("a tree stored in it is not one");
  let { previous, at } = base === null ? { previous: NO_PREVIOUS, at: "" } : rowBefore(database, base.size);
  for (let page = pageFrom(database, frontier.size); page.length > 0; page = pageFrom(database, frontier.size)) {
    for (const { seq, body, hash } of page) {
      const head = readHead(body);
      if (seq !== frontier.size) throw broken(`row ${frontier.size} is missing`);
      if (head === null || head.seq !== seq || entryHash(previous, body) !== hash)
        throw broken(`row ${seq} was changed`);
      if (head.at < at) throw broken(`row ${seq} is earlier than the row before it`);
      frontier.append(hash);
      [previous, at] = [hash, head.at];
      if (
        frontier.size === stored.size &&
        (frontier.root() !== checkpoint.root || frontier.toString() !== stored.frontier)
      )
        throw broken(`the rows up to ${seq} are not those that its newest checkpoint was signed for`);
    }
  }
  const size = frontier.size;
  if (size < stored.size)
    throw broken(
      `a checkpoint covers ${stored.size} rows and it has ${size}: it was cut, or an older copy was put back`,
    );
  return { head: { size, previous, frontier, timeline: timelineFrom(at), checkpoint: stored }, genesis, epoch };
}

function readGenesis(database: Database.Database): Genesis | null {
  const first: unknown = database.prepare("SELECT body FROM entry WHERE seq = 0").pluck().get();
  const body = typeof first === "string" ? readBody(first) : null;
  if (body === null) return null;
  const action = { kind: body.kind, ...body.fields };
  if (!isActionOf("log.opened", action)) return null;
  const { kind: _, ...fields } = action;
  return { ...fields, at: body.at };
}

function anyRow(database: Database.Database): boolean {
  return database.prepare("SELECT 1 FROM entry LIMIT 1").get() !== undefined;
}

interface Stored extends StoredCheckpoint {
  readonly frontier: string;
}

function newestCheckpoint(database: Database.Database, atMost: number): Stored | null {
  return asStored(
    database
      .prepare("SELECT size, note, frontier FROM checkpoint WHERE size <= ? ORDER BY size DESC LIMIT 1")
      .raw()
      .get(atMost),
  );
}

function checkpointFrom(database: Database.Database, atLeast: number): Stored | null {
  return asStored(
    database
      .prepare("SELECT size, note, frontier FROM checkpoint WHERE size >= ? ORDER BY size LIMIT 1")
      .raw()
      .get(atLeast),
  );
}

function asStored(row: unknown): Stored | null {
  const [size, note, frontier]: unknown[] = Array.isArray(row) ? row : [];
  return typeof size === "number" && typeof note === "string" && typeof frontier === "string"
    ? { size, note, frontier }
    : null;
}

function read(note: string): SignedCheckpoint {
  try {
    return parseCheckpoint(note);
  } catch (cause) {
    throw broken("a checkpoint in it is not one", cause);
  }
}

/** The key of the newest checkpoint. Key ids change at a rotation and never come back, so the rotation is found by halving. */
function currentEpoch(database: Database.Database, genesis: Genesis, newest: Stored): Epoch {
  const has = (stored: Stored, vkey: string): boolean =>
    read(stored.note).signatures.some(({ id, name }) => vkey.startsWith(`${name}+${id}+`));
  const id = read(newest.note).signatures.at(-1)?.id ?? "";
  if (genesis.vkey.includes(`+${id}+`)) return { number: 1, vkey: genesis.vkey, protector: genesis.protector };
  const known = (stored: Stored): boolean => read(stored.note).signatures.some((signature) => signature.id === id);
  let [low, high] = [0, newest.size];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const found = checkpointFrom(database, middle);
    if (found === null || known(found)) high = middle;
    else low = found.size + 1;
  }
  const rotation = checkpointFrom(database, low);
  const row: unknown =
    rotation === null
      ? null
      : database
          .prepare("SELECT body FROM entry WHERE seq = ?")
          .pluck()
          .get(rotation.size - 1);
  const body = typeof row === "string" ? readBody(row) : null;
  const action = body === null ? null : { kind: body.kind, ...body.fields };
  if (action === null || !isActionOf("key.rotated", action) || rotation === null || !has(newest, action.vkey))
    throw broken("its newest checkpoint is signed with a key that no row introduces");
  return { number: action.epoch, vkey: action.vkey, protector: action.protector };
}

function checked(stored: Stored, origin: string, epoch: Epoch): SignedCheckpoint {
  const checkpoint = read(stored.note);
  if (checkpoint.origin !== origin) throw broken("its newest checkpoint is of another log");
  if (checkpoint.size !== stored.size) throw broken("its newest checkpoint is stored under another size");
  try {
    if (isSignedBy(checkpoint, parseVkey(epoch.vkey))) return checkpoint;
  } catch (cause) {
    if (!(cause instanceof NoteError)) throw cause;
  }
  throw broken("its newest checkpoint has no good signature");
}

/** Rows below may lose their bodies: {@link findHead} reads from the checkpoint before the newest on. */
export function pruneLimit(database: Database.Database): number {
  const newest = newestCheckpoint(database, Number.MAX_SAFE_INTEGER);
  const base = newest === null ? null : newestCheckpoint(database, newest.size - 1);
  return base?.size ?? 0;
}

/** The last row that a checkpoint covers: what the row after it is chained to. */
function rowBefore(database: Database.Database, size: number): { previous: string; at: string } {
  const [last] = pageFrom(database, size - 1);
  const head = last === undefined ? null : readHead(last.body);
  if (last === undefined || last.seq !== size - 1 || head === null)
    throw broken(`row ${size - 1} is missing or changed`);
  return { previous: last.hash, at: head.at };
}

function pageFrom(database: Database.Database, seq: number): { seq: number; body: string; hash: string }[] {
  const rows: unknown[] = database
    .prepare("SELECT seq, body, hash FROM entry WHERE seq >= ? ORDER BY seq LIMIT ?")
    .raw()
    .all(seq, PAGE);
  return rows.map((row) => {
    const [at, body, hash]: unknown[] = Array.isArray(row) ? row : [];
    if (typeof at !== "number" || typeof body !== "string" || typeof hash !== "string")
      throw broken(`row ${String(at)} holds another type than it may`);
    return { seq: at, body, hash };
  });
}

/** The root of the tree of the first `size` rows, from the nearest stored frontier on.
 *  @returns null if there are not so many rows. */
export function rootAt(database: Database.Database, size: number): string | null {
  return frontierAt(database, size)?.root() ?? null;
}

/** The same, and all that is needed to go on from there. */
export function frontierAt(database: Database.Database, size: number): Frontier | null {
  const stored = newestCheckpoint(database, size);
  const frontier = (stored === null ? null : Frontier.parse(stored.size, stored.frontier)) ?? new Frontier();
  for (let rest = size - frontier.size; rest > 0; rest = size - frontier.size) {
    const page = pageFrom(database, frontier.size).slice(0, rest);
    if (page.length === 0) return null;
    for (const { hash } of page) frontier.append(hash);
  }
  return frontier;
}

/** The root of the tree of rows `[start, end)` alone, letting others run in between.
 *  @throws {AuditError} AUDIT_BROKEN if one of them is missing. */
export async function rootOfRows(database: Database.Database, start: number, end: number): Promise<string> {
  const tree = new Frontier();
  while (tree.size < end - start) {
    const page = pageFrom(database, start + tree.size).slice(0, end - start - tree.size);
    if (page.length === 0) throw broken(`row ${start + tree.size} is missing`);
    for (const { hash } of page) tree.append(hash);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
  return tree.root();
}

function broken(why: string, cause?: unknown): AuditError {
  return new AuditError("AUDIT_BROKEN", `the audit log cannot be continued: ${why}`, { cause });
}
