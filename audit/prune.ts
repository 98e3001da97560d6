import type { Kind } from "./action.ts";
import { DAEMON } from "./content.ts";
import type { LogCore } from "./core.ts";
import { type Head, readHead } from "./entry.ts";
import { pruneLimit } from "./head.ts";
import { openIntents } from "./intents.ts";
import { isOutcome } from "./kinds.ts";
import { subtreeRoots } from "./subtrees.ts";

/** Rows of one transaction, which also holds the row that names them. A range begins at a multiple of it, so that it has few subtrees. */
const BATCH = 512;

/** Rows whose bodies stay: what the log, its keys and the vault were, what was allowed and what was exempted; and who is who, which the projection is made from. */
const STAYS: readonly string[] = [
  "log.",
  "key.",
  "policy.",
  "agent.",
  "vault.",
  "grant.",
  "pair.",
  "config.",
  "hold.",
  "content.",
  "retention.",
  "anchor.",
  "finding.",
  "storage.",
  "agent.",
  "person.",
  "identity.",
  "conversation.",
  "session.",
  "schedule.added",
  "schedule.paused",
  "schedule.resumed",
  "schedule.removed",
  "schedule.transferred",
];

export function bodyStays(kind: string): boolean {
  return STAYS.some((family) => kind.startsWith(family));
}

export interface PruneGiven {
  /** Rows before this one. */
  readonly before: number;
  /** Is this row exempt? Called for each that has a body, in order. */
  readonly held: (row: Head, body: string) => boolean;
  readonly by: string;
  readonly via: string;
  readonly cause: number | null;
}

export interface Pruned {
  /** Bodies that went, and those that a hold kept. */
  readonly rows: number;
  readonly held: number;
  /** From this row on every body is there; 0 where none ever went. */
  readonly before: number;
}

interface Found {
  readonly seq: number;
  readonly body: string;
  readonly hash: string;
}

/** Empties the bodies of old rows, batch by batch: each is one transaction with the `log.pruned` that names it, so that a crash leaves both or neither. */
export async function pruneRows(core: LogCore, given: PruneGiven, pause: () => Promise<void>): Promise<Pruned> {
  // What a start reads of the log's end has to stay readable.
  const before = Math.min(given.before, pruneLimit(core.database));
  const open = openChains(core);
  const kept = new Set<number>();
  let [rows, held, whole] = [0, 0, 0];
  const page = core.database
    .prepare<[number, number]>("SELECT seq, body, hash FROM entry WHERE seq >= ? AND seq < ? ORDER BY seq")
    .raw();
  for (let from = 0; from < before; from += BATCH) {
    const to = Math.min(before, from + BATCH);
    const batch = page.all(from, to).map((row) => foundOf(row));
    const empties: number[] = [];
    for (const { seq, body } of batch) {
      if (body === "") whole = seq + 1;
      const head = body === "" ? null : readHead(body);
      if (head === null) continue;
      const exempt = given.held(head, body);
      if (exempt) held += 1;
      const belongs = isOutcome(head.kind) && head.cause !== null && kept.has(head.cause);
      if (exempt || belongs || open.has(seq) || bodyStays(head.kind)) kept.add(seq);
      else empties.push(seq);
    }
    if (empties.length === 0) continue;
    const roots = subtreeRoots(
      from,
      batch.map(({ hash }) => hash),
    ).join("");
    const fields = { from, to, rows: empties.length, roots, by: given.by, via: given.via };
    const kind: Kind = "log.pruned";
    await core.submit([{ kind, fields, cause: given.cause, seal: DAEMON, parts: [], empties }]);
    rows += empties.length;
    whole = Math.max(whole, (empties.at(-1) ?? -1) + 1);
    await pause();
  }
  return { rows, held, before: whole };
}

/** Open intents, and what led to them. */
function openChains(core: LogCore): Set<number> {
  const stays = new Set<number>();
  const one = core.database.prepare<[number]>("SELECT body FROM entry WHERE seq = ?").pluck();
  for (const seq of openIntents(core.database, core.head.size).keys()) {
    for (let at: number | null = seq; at !== null && !stays.has(at); ) {
      stays.add(at);
      const body: unknown = one.get(at);
      at = typeof body === "string" ? (readHead(body)?.cause ?? null) : null;
    }
  }
  return stays;
}

function foundOf(row: unknown): Found {
  const [seq, body, hash]: unknown[] = Array.isArray(row) ? row : [];
  return { seq: Number(seq), body: String(body), hash: String(hash) };
}
