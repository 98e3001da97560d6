import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod/mini";
import { ed25519Signer } from "../support/audit-ports.ts";
import { bodiesOf, rowsOf, vkeyOf } from "../support/claims-log.ts";
import { ask, auditOf, verifies } from "../support/claims-world.ts";
import { cleanEnvironment, newHome, type Ran, run, TestDaemon } from "../support/daemon.ts";

/** A daemon has run, talked and stopped; then somebody who has the files, and not the key, changes them. `wirken audit verify` is another process,
 *  without daemon and vault. */

const home = newHome();
const folder = mkdtempSync(join(tmpdir(), "wirken-changed-"));
const FILES = ["audit.db", "audit.checkpoint"];
let vkey: string;
/** The log as it was after the first of two runs, and after both. */
let earlier: string;
let whole: string;

/** Copies a stopped daemon's log: a folder of its own for each attempt. */
function copyOf(from: string): string {
  const to = mkdtempSync(join(folder, "copy-"));
  for (const name of FILES) cpSync(join(from, name), join(to, name));
  return to;
}

beforeAll(async () => {
  const first = await TestDaemon.start({ home });
  await ask(first, "list my files");
  await ask(first, "run uname");
  await first.end();
  earlier = copyOf(first.data);
  const second = await TestDaemon.start({ home });
  await ask(second, "list my files");
  await second.end();
  vkey = vkeyOf(auditOf(second));
  await verifies(second);
  whole = copyOf(second.data);
});

afterAll(() => {
  rmSync(home, { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: true });
});

const verify = async (at: string, ...more: readonly string[]): Promise<Ran> =>
  await run(["audit", "verify", join(at, "audit.db"), ...more], { environment: cleanEnvironment(home) });

function edit(at: string, change: (database: Database.Database) => void): void {
  const database = new Database(join(at, "audit.db"), { fileMustExist: true });
  try {
    change(database);
  } finally {
    database.close();
  }
}

test("the detector detects: the log as it was left is good, and its answer is 0", async () => {
  const good = await verify(copyOf(whole), "--vkey", vkey);
  expect(good.stdout).toContain(`${rowsOf(join(whole, "audit.db")).length} rows`);
  expect(good.stdout).toContain("are whole and in order");
  expect(good.status).toBe(0);
});

test("without the key that one was given, whose log it is remains unchecked, and the answer is 3", async () => {
  const unchecked = await verify(copyOf(whole));
  expect(unchecked.stdout).toContain("not checked");
  expect(unchecked.status).toBe(3);
});

test("of another log's key it says that this log is not signed with it", async () => {
  const refused = await verify(copyOf(whole), "--vkey", ed25519Signer(vkey.split("+")[0] ?? "").vkey);
  expect(refused.stdout).toContain("not signed with the key that was given");
  expect(refused.status).toBe(1);
});

const Verdict = z.object({
  state: z.string(),
  verdict: z.object({ findings: z.array(z.object({ code: z.string(), seq: z.nullable(z.int()) })) }),
});

/** One byte of one body: a digit becomes another digit, a letter another letter, so that it is a row as good as before. */
function otherByte(body: string): string {
  const at = body.lastIndexOf('"nonce":"') + 12;
  const byte = body.charAt(at);
  return `${body.slice(0, at)}${byte === "0" ? "1" : "0"}${body.slice(at + 1)}`;
}

test("one changed byte of any row is found, and the row is named", async () => {
  const bodies = bodiesOf(join(whole, "audit.db"));
  const rows = [0, 1, Math.floor(bodies.length / 2), bodies.length - 2, bodies.length - 1];
  for (const seq of rows) {
    const at = copyOf(whole);
    const body = bodies[seq] ?? "";
    edit(at, (database) => {
      const changed = database.prepare("UPDATE entry SET body = ? WHERE seq = ?").run(otherByte(body), seq);
      expect(changed.changes).toBe(1);
    });
    const said = await verify(at, "--vkey", vkey);
    expect(said.status, `row ${seq}`).toBe(1);
    expect(said.stdout).toMatch(new RegExp(String.raw`^audit: row ${seq} was changed`, "m"));
    const { state, verdict } = Verdict.parse(JSON.parse((await verify(at, "--vkey", vkey, "--json")).stdout));
    expect(state).toBe("broken");
    expect(verdict.findings).toContainEqual(expect.objectContaining({ code: "row-changed", seq }));
  }
});

interface Harm {
  readonly name: string;
  readonly says: RegExp;
  readonly harm: (at: string) => void;
}
const HARMS: readonly Harm[] = [
  {
    name: "the last row is cut off",
    says: /^audit: a checkpoint covers \d+ rows, and the log has \d+: rows were cut off/m,
    harm: (at) =>
      edit(at, (database) => void database.exec("DELETE FROM entry WHERE seq = (SELECT max(seq) FROM entry)")),
  },
  {
    name: "rows are cut off together with the checkpoints over them, and the checkpoint file remains",
    says: /^audit: the log has \d+ rows, and the checkpoint file beside it covers \d+: rows were cut off/m,
    harm: (at) =>
      edit(at, (database) => {
        const size = z
          .int()
          .parse(database.prepare("SELECT size FROM checkpoint ORDER BY size DESC LIMIT 1 OFFSET 1").pluck().get());
        database.prepare("DELETE FROM entry WHERE seq >= ?").run(size);
        database.prepare("DELETE FROM checkpoint WHERE size > ?").run(size);
        database.prepare("DELETE FROM content WHERE id >= ?").run(size * 16);
      }),
  },
  {
    name: "the whole database is rolled back to an earlier copy, and the checkpoint file remains",
    says: /^audit: .* the checkpoint file beside it covers \d+: .* an older copy was put back/m,
    harm: (at) => cpSync(join(earlier, "audit.db"), join(at, "audit.db")),
  },
  {
    name: "a row in the middle is deleted",
    says: /^audit: row 7 is missing/m,
    harm: (at) => edit(at, (database) => void database.exec("DELETE FROM entry WHERE seq = 7")),
  },
  {
    name: "two rows change places",
    says: /^audit: row 7 was changed/m,
    harm: (at) =>
      edit(at, (database) => {
        database.exec("UPDATE entry SET seq = -1 WHERE seq = 7");
        database.exec("UPDATE entry SET seq = 7 WHERE seq = 8");
        database.exec("UPDATE entry SET seq = 8 WHERE seq = -1");
      }),
  },
  {
    name: "a byte in the middle of the file is another one",
    says: /^audit: row \d+ was changed/m,
    harm: (at) => {
      const path = join(at, "audit.db");
      const bytes = readFileSync(path);
      // Inside of the text of a row, wherever its page lies.
      const place = bytes.indexOf('"$kind":"daemon.started"') + 12;
      bytes[place] = (bytes[place] ?? 0) ^ 1;
      writeFileSync(path, bytes);
    },
  },
];

test.for(HARMS.map((harm) => [harm.name, harm] as const))("%s: found", async ([, { harm, says }]) => {
  const at = copyOf(whole);
  harm(at);
  const said = await verify(at, "--vkey", vkey);
  expect(said.stdout).toMatch(says);
  expect(said.status).toBe(1);
});

test("a write-ahead log that is deleted beside a killed daemon is found, as far as a checkpoint covers it", async () => {
  const own = newHome();
  const killed = await TestDaemon.start({ home: own });
  await ask(killed, "list my files");
  const checkpointed = await killed.wirken(["audit", "checkpoint"]);
  expect(checkpointed.status).toBe(0);
  const key = vkeyOf(auditOf(killed));
  await killed.end("SIGKILL");
  const at = mkdtempSync(join(folder, "killed-"));
  for (const name of [...FILES, "audit.db-wal"]) cpSync(join(killed.data, name), join(at, name));
  rmSync(own, { recursive: true, force: true });
  expect((await verify(at, "--vkey", key)).status, "with it").toBe(0);
  rmSync(join(at, "audit.db-wal"), { force: true });
  const said = await verify(at, "--vkey", key);
  expect(said.stdout).toMatch(/^audit: /m);
  expect(said.status, said.stdout).toBe(1);
});
