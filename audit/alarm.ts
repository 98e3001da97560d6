import {
  closeSync,
  constants,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { beside } from "./beside.ts";

/** What is wrong with a record, kept beside it: whoever changed the database has not changed this with it, and it is there when nothing can be recorded. */
export interface Alarm {
  /** `row-changed`, `PIN_BEHIND`. */
  readonly code: string;
  /** The first row that it concerns; null when it is about the whole. */
  readonly seq: number | null;
  /** Without a full stop. */
  readonly sentence: string;
  /** The `finding.raised` that says so on the log; null while it could not be recorded. */
  readonly row: number | null;
  readonly at: string;
}

/** An alarm of more findings than this names the first of them. */
const MAX_ALARMS = 100;
const MAX_SENTENCE = 500;

/** @returns none when there is no alarm. A file that cannot be read as one is an alarm of its own: somebody wrote it. */
export function readAlarms(database: string): Alarm[] {
  const { alarm: path } = beside(database);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    return [unread(path)];
  }
  const alarms = text.split("\n").flatMap((line) => (line === "" ? [] : [parsed(line)]));
  const whole = alarms.filter((alarm) => alarm !== null);
  return whole.length === 0 || whole.length < alarms.length ? [...whole, unread(path)] : whole;
}

/** Writes them durably, one JSON object a line. @throws when the disk does not take it. */
export function writeAlarms(database: string, alarms: readonly Alarm[]): void {
  const { alarm: path } = beside(database);
  if (alarms.length === 0) {
    rmSync(path, { force: true });
    syncFolder(path);
    return;
  }
  const lines = alarms
    .slice(0, MAX_ALARMS)
    .map(({ code, seq, sentence, row, at }) =>
      JSON.stringify({ code, seq, sentence: sentence.slice(0, MAX_SENTENCE), row, at }),
    );
  const half = `${path}.new`;
  rmSync(half, { force: true });
  const file = openSync(half, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
  try {
    writeSync(file, `${lines.join("\n")}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(half, path);
  syncFolder(path);
}

function parsed(line: string): Alarm | null {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== "object" || value === null) return null;
    const fields: Readonly<Record<string, unknown>> = { ...value };
    const { code, seq, sentence, row, at } = fields;
    if (typeof code !== "string" || typeof sentence !== "string" || typeof at !== "string") return null;
    if (!/^[A-Za-z0-9._+-]{1,40}$/.test(code)) return null;
    return { code, seq: numberOrNull(seq), sentence: sentence.slice(0, MAX_SENTENCE), row: numberOrNull(row), at };
  } catch {
    return null;
  }
}

function numberOrNull(value: unknown): number | null {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

function unread(path: string): Alarm {
  const at = lstatSync(path, { throwIfNoEntry: false })?.mtime.toISOString() ?? "";
  return {
    code: "ALARM_UNREADABLE",
    seq: null,
    sentence: `${path} cannot be read as the alarm that it is named`,
    row: null,
    at,
  };
}

/** A file is there, or gone, after a power cut only when its folder was synced too. */
function syncFolder(path: string): void {
  const folder = openSync(dirname(path), constants.O_RDONLY);
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
