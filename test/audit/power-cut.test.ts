import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readBody } from "../../audit/entry.ts";
import { BootLog } from "../../audit/log.ts";
import { verifySync } from "../../audit/verify.ts";
import { HandClock } from "../support/audit-ports.ts";
import { Disk } from "../support/power-cut/disk.ts";
import { type Operation, Recorder, type Recording } from "../support/power-cut/recording.ts";

/** What an acknowledged row is worth when the power fails: a process writes a log while everything it asks of the disk is recorded; then the disk is
 *  built as it may be after a cut at each instant, and the log on it is opened and verified. */

const LONG = process.env["WIRKEN_TEST_ROUNDS"] === "long";
const TURNS = LONG ? 144 : 14;
/** Random disks for one instant, besides the one where nothing unsynced has arrived. */
const GUESSES = LONG ? 12 : 1;
const SEED = 20_261_128;

const folder = mkdtempSync(join(tmpdir(), "wirken-cut-"));
const recorder = new Recorder();
let recording: Recording;

beforeAll(() => {
  recording = recorder.run(TURNS);
});
afterAll(() => {
  recorder[Symbol.dispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** Repeatable numbers from 0 up to 1. */
function numbers(seed: number): () => number {
  let drawn = 0;
  return () => createHash("sha256").update(`${seed}/${drawn++}`).digest().readUInt32BE(0) / 2 ** 32;
}

/** Rows that the process was told are on disk: what it wrote down of each, by its number. */
function acknowledgedIn(said: string): Map<number, string> {
  const lines = said.split("\n").filter((line) => /^\d/.test(line));
  return new Map(lines.map((line) => [Number(line.split(" ")[0]), line]));
}

/** What a start finds on this disk. @returns why the log does not hold; null when every acknowledged row is there and everything verifies. */
function wrongWith(disk: string, acknowledged: ReadonlyMap<number, string>): string | null {
  const path = join(disk, "audit.db");
  try {
    BootLog.open(path, new HandClock()).close();
  } catch (error) {
    // Before the first row is acknowledged there may be no log yet.
    return String(error);
  }
  const { findings, size } = verifySync(path, { scratch: folder });
  if (size > 0 && findings[0] !== undefined) return findings[0].sentence;
  const database = new Database(path, { readonly: true });
  try {
    const bodies = database.prepare<[], string>("SELECT body FROM entry ORDER BY seq").pluck().all();
    const parts = new Set(database.prepare<[], number>("SELECT id FROM content").pluck().all());
    for (const [seq, line] of acknowledged) {
      const row = readBody(bodies[seq] ?? "");
      if (row === null || `${row.seq} ${row.at} ${row.kind}` !== line) return `row ${seq} was acknowledged and is lost`;
      if (row.content !== null && !Object.keys(row.content).every((_, part) => parts.has(seq * 16 + part)))
        return `the content of row ${seq} is lost`;
    }
  } finally {
    database.close();
  }
  return null;
}

interface Instant {
  readonly at: number;
  readonly wrong: string | null;
  readonly acknowledged: number;
}

/** Lets the power fail after every sync, and between it and the next. @param honest what the device does with an operation: null is a lie. */
function* cuts(
  { operations }: Recording,
  honest: (operation: Operation, nameOf: (file: string) => string) => Operation | null,
): Generator<Instant> {
  const disk = new Disk();
  const names = new Map<string, string>();
  const random = numbers(SEED);
  let said = "";
  const cut = (at: number, guess: (() => number) | null): Instant => {
    const place = join(folder, "disk");
    disk.write(place, guess);
    const acknowledged = acknowledgedIn(said);
    return { at, wrong: wrongWith(place, acknowledged), acknowledged: acknowledged.size };
  };
  for (const [at, operation] of operations.entries()) {
    if (operation.type === "open") names.set(operation.file, operation.name);
    const nameOf = (file: string): string => names.get(file) ?? "";
    if (operation.type === "write" && nameOf(operation.file) === "acknowledged") said += operation.bytes.toString();
    const sync = operation.type === "sync" && nameOf(operation.file).startsWith("audit.db");
    // In between: everything since the last sync is under way.
    if (sync) for (let guess = 0; guess < GUESSES; guess++) yield cut(at, random);
    const done = honest(operation, nameOf);
    if (done !== null) disk.apply(done);
    if (sync) yield cut(at, null);
  }
}

describe("the power fails", () => {
  test("at any sync, or between two: every acknowledged row is there, with its content, and the log verifies", () => {
    const found = [...cuts(recording, (operation) => operation)];
    expect(found.filter(({ wrong }) => wrong !== null)).toEqual([]);
    expect(found.length).toBeGreaterThan(TURNS * (1 + GUESSES));
    expect(found.at(-1)?.acknowledged).toBeGreaterThan(TURNS * 6);
  }, 600_000);

  test("on a device that does not do what a sync asks, rows are lost: the replay would have seen it", () => {
    const lying = cuts(recording, (operation, nameOf) =>
      operation.type === "sync" && nameOf(operation.file) === "audit.db-wal" ? null : operation,
    );
    expect(lying.some(({ wrong }) => wrong?.includes("was acknowledged and is lost") ?? false)).toBe(true);
  }, 600_000);
});

/** The lines of rows that were refused, and the state of the log that is left. */
function after(
  what: "sync" | "write",
  nth: number,
  times: number,
): { refused: string[]; wrong: string | null; later: number } {
  const run = recorder.run(24, { what, nth, times });
  const written = run.operations.flatMap((operation) => (operation.type === "open" ? [operation] : []));
  const own = written.find(({ name }) => name === "acknowledged")?.file;
  const said = run.operations
    .flatMap((one) => (one.type === "write" && one.file === own ? [one.bytes.toString()] : []))
    .join("");
  const lines = said.trimEnd().split("\n");
  const refused = lines.filter((line) => line.startsWith("- "));
  const later = lines.length - 1 - lines.findLastIndex((line) => line.startsWith("- "));
  return { refused, wrong: wrongWith(run.folder, acknowledgedIn(said)), later };
}

describe("the disk reports an error", () => {
  test.for([
    ["sync", 5, 1],
    ["sync", 9, 4],
    ["write", 57, 1],
    ["write", 80, 6],
    ["write", 101, 2],
  ] as const)(
    "%s number %i and %i in all: what was refused was not acknowledged, and the log goes on and verifies",
    ([what, nth, times]) => {
      const { refused, wrong, later } = after(what, nth, times);
      expect(refused.length).toBeGreaterThan(0);
      expect(new Set(refused)).toEqual(new Set(["- AUDIT_UNWRITABLE"]));
      expect(wrong).toBeNull();
      expect(later).toBeGreaterThan(10);
    },
  );

  test("on every sync from the tenth on: nothing is acknowledged any more, and what was is there", () => {
    const { refused, wrong, later } = after("sync", 10, 1_000_000);
    expect(refused.length).toBeGreaterThan(3);
    expect(wrong).toBeNull();
    expect(later).toBe(0);
  });
});
