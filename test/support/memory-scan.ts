import { closeSync, openSync, readFileSync, readSync } from "node:fs";

const STEP = 4_194_304;
/** Of a piece at the end of one read and the beginning of the next. */
const OVERLAP = 256;

/** Looks through all memory that a process can write to, its heap and its WebAssembly and stacks among it, for texts in UTF-8 and UTF-16, in base64 and in hex.
 *  @returns what was found, with where, as `text (form) in region`. @throws {Error} EACCES if this user may not look. */
export function scanMemory(pid: number, texts: readonly string[]): string[] {
  const wanted = texts.flatMap((text) => {
    const bytes = Buffer.from(text);
    const hex = bytes.toString("hex");
    return [
      { text, form: "utf-8", piece: bytes },
      { text, form: "utf-16", piece: Buffer.from(text, "utf16le") },
      { text, form: "base64", piece: Buffer.from(bytes.toString("base64").slice(0, -4)) },
      { text, form: "hex", piece: Buffer.from(hex) },
    ];
  });
  const found: string[] = [];
  const memory = opened(`/proc/${pid}/mem`);
  if (memory === null) return [];
  try {
    const buffer = Buffer.alloc(STEP);
    for (const { start, end, name } of touched(pid)) {
      for (let at = start; at < end; at += STEP - OVERLAP) {
        const length = Math.min(STEP, end - at);
        let read = 0;
        try {
          read = readSync(memory, buffer, 0, length, at);
        } catch {
          break; // a region that went meanwhile, or that nobody may read
        }
        const piece = buffer.subarray(0, read);
        for (const one of wanted) {
          for (let hit = piece.indexOf(one.piece); hit !== -1; hit = piece.indexOf(one.piece, hit + 1))
            found.push(`${one.text} (${one.form}) in ${name} at ${(at + hit).toString(16)}`);
        }
      }
    }
  } finally {
    closeSync(memory);
  }
  return [...new Set(found)];
}

/** @returns null of a process that ended. */
function opened(path: string): number | null {
  try {
    return openSync(path, "r");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}

interface Region {
  readonly start: number;
  readonly end: number;
  readonly name: string;
}

const PAGE = 4_096;
/** An entry of `/proc/PID/pagemap` is eight bytes, whose two highest bits say that a page is in memory, or swapped out (proc_pid_pagemap(5)). */
const ENTRY = 8;
const THERE = 0b1100_0000;

/** The parts of the regions that hold anything. Most of what V8 reserves was never written to, and a page that was not holds what its file does, or nothing. */
function touched(pid: number): Region[] {
  const pagemap = opened(`/proc/${pid}/pagemap`);
  if (pagemap === null) return [];
  try {
    return regions(pid).flatMap(({ start, end, name }) => {
      const entries = Buffer.alloc(((end - start) / PAGE) * ENTRY);
      // Of a region that went meanwhile nothing is read.
      const pages = readSync(pagemap, entries, 0, entries.length, (start / PAGE) * ENTRY) / ENTRY;
      const runs: Region[] = [];
      let from = -1;
      for (let page = 0; page <= pages; page++) {
        const there = page < pages && ((entries[page * ENTRY + ENTRY - 1] ?? 0) & THERE) !== 0;
        if (there && from < 0) from = page;
        if (there || from < 0) continue;
        runs.push({ start: start + from * PAGE, end: start + page * PAGE, name });
        from = -1;
      }
      return runs;
    });
  } finally {
    closeSync(pagemap);
  }
}

function regions(pid: number): Region[] {
  return readFileSync(`/proc/${pid}/maps`, "utf8")
    .split("\n")
    .flatMap((line) => {
      const [range = "", mode = "", , , , name = "anonymous"] = line.split(/ +/);
      if (!mode.startsWith("rw") || name === "[vvar]") return [];
      const [start = "0", end = "0"] = range.split("-");
      const from = Number.parseInt(start, 16);
      return Number.isSafeInteger(from) ? [{ start: from, end: Number.parseInt(end, 16), name }] : [];
    });
}
