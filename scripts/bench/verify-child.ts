import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import Database from "better-sqlite3";
import { isSignedBy, parseCheckpoint, parseVkey } from "../../audit/note.ts";
import { startThread } from "../../audit/start-thread.ts";
import { verify, verifySync } from "../../audit/verify.ts";

/** Verifies a log in one thread, or in two as the command does, or does only what every verifier has to: reads each row in pages and takes one hash a row and one a node of the tree;
 *  or only checks the signature of each checkpoint. Prints seconds, those that a processor was at it, and what this process held at the most, as JSON. */

const [what, path = "", vkey = ""] = process.argv.slice(2);
const PAGE = 1_500;

function baseline(): void {
  const database = opened();
  const page = database
    .prepare("SELECT seq, body, hash FROM entry NOT INDEXED WHERE seq > ? ORDER BY seq LIMIT ?")
    .raw();
  let last = -1;
  let previous = "0".repeat(64);
  const node = Buffer.alloc(65, 1);
  for (;;) {
    const rows = page.all(last, PAGE);
    if (rows.length === 0) break;
    for (const row of rows) {
      if (!Array.isArray(row)) throw new TypeError("a row is not an array");
      const [seq, body]: unknown[] = row;
      previous = hash("sha256", `\0{"#prev":"${previous}",${String(body).slice(1)}`);
      hash("sha256", node);
      last = Number(seq);
    }
  }
  database.close();
}

function signatures(): void {
  const database = opened();
  const key = parseVkey(vkey);
  for (const note of database.prepare("SELECT note FROM checkpoint").pluck().all()) {
    if (!isSignedBy(parseCheckpoint(String(note)), key)) throw new Error("a checkpoint of the bench is not signed");
  }
  database.close();
}

/** Pages of the file are used once: what SQLite keeps of them by itself only costs time. */
function opened(): Database.Database {
  const database = new Database(path, { readonly: true });
  database.pragma("cache_size = -1024");
  return database;
}

const ours = what === "verify" || what === "threads";
// As the command does.
if (ours) setFlagsFromString("--semi-space-growth-factor=1");
const [begun, used] = [performance.now(), process.cpuUsage()];
if (what === "baseline") baseline();
else if (what === "signatures") signatures();
else {
  const threads = { count: 2, start: startThread };
  const how = { live: true, vkey };
  const verdict = what === "verify" ? verifySync(path, how) : await verify(path, { ...how, threads });
  if (verdict.findings.length > 0)
    throw new Error(`the log of the bench is not good: ${JSON.stringify(verdict.findings[0])}`);
}
const seconds = (performance.now() - begun) / 1000;
const { user, system } = process.cpuUsage(used);
const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
process.stdout.write(JSON.stringify({ seconds, busy: (user + system) / 1e6, megabytes: Number(peak) / 1024 }));
