import type Database from "better-sqlite3";
import { chained, type Copy, withFields } from "./hand.ts";
import { forge } from "./rows.ts";
import type { Known, Tampering } from "./tampering.ts";

const middle = (log: Known): number => log.middle;

/** Runs a statement on one table after its rules were taken away. */
function unruly(table: string, sql: string, ...values: readonly (string | number | bigint | null)[]) {
  return (copy: Copy): void =>
    copy.withoutRules(table, (database: Database.Database) => {
      const { changes } = database.prepare<(string | number | bigint | null)[]>(sql).run(...values);
      if (changes < 1) throw new Error(`this changed nothing: ${sql}`);
    });
}

/** The log of a newer build, whose rows hold a character that a decoder also writes for what is no UTF-8; with the log's own keys. */
function storeReplacement(copy: Copy, log: Known): number {
  const bodies = [...log.bodies];
  const seq = log.signedAfter(log.middle) + 2;
  bodies[seq] = withFields(bodies[seq] ?? "", { word: "\ufffd" }).replace(/"\$kind":"[^"]+"/, '"$kind":"later.kind"');
  forge(copy, log, bodies);
  return seq;
}

/** Appends one row that nothing covers, as its bytes are given. */
function append(copy: Copy, log: Known, line: (body: string) => string): void {
  const at = log.bodies.at(-1)?.slice(8, 32);
  const body = withFields(log.bodies[log.row("session.closed")] ?? "", { $at: at });
  const rows = chained([...log.bodies, line(body)]);
  copy.store(rows);
}

/** What is stored in another form than a row's. */
export const TYPES: readonly Tampering[] = [
  {
    name: "a body is stored as bytes",
    does: (copy, log) => unruly("entry", "UPDATE entry SET body = CAST(body AS BLOB) WHERE seq = ?", log.middle)(copy),
    found: { code: "row-type", seq: middle },
  },
  {
    name: "a hash is stored as bytes",
    does: (copy, log) => unruly("entry", "UPDATE entry SET hash = CAST(hash AS BLOB) WHERE seq = ?", log.middle)(copy),
    found: { code: "row-type", seq: middle },
  },
  {
    name: "a body is nothing",
    does: (copy, log) => unruly("entry", "UPDATE entry SET body = NULL WHERE seq = ?", log.middle)(copy),
    found: { code: "row-type", seq: middle },
  },
  {
    name: "a body is a number",
    does: (copy, log) => unruly("entry", "UPDATE entry SET body = 7 WHERE seq = ?", log.middle)(copy),
    found: { code: "row-changed", seq: middle },
  },
  {
    name: "a body ends in NUL and more behind it",
    does: (copy, log) => copy.run("UPDATE entry SET body = body || char(0) || 'x' WHERE seq = ?", log.middle),
    found: { code: "row-changed", seq: middle },
  },
  {
    name: "a body holds the next row, which is gone",
    does: (copy, log) => {
      copy.run(
        `UPDATE entry SET (body, hash) = (SELECT entry.body || char(0) || '{"#prev":"' || entry.hash || '"' || next.body, next.hash FROM entry AS next WHERE next.seq = entry.seq + 1) WHERE seq = ?`,
        log.middle,
      );
      copy.run("DELETE FROM entry WHERE seq = ?", log.middle + 1);
    },
    found: { code: "row-changed", seq: middle },
  },
  {
    name: "a hash holds the next row, which is gone",
    does: (copy, log) => {
      copy.run(
        `UPDATE entry SET hash = (SELECT entry.hash || '"' || next.body || char(0) || '{"#prev":"' || next.hash FROM entry AS next WHERE next.seq = entry.seq + 1) WHERE seq = ?`,
        log.middle,
      );
      copy.run("DELETE FROM entry WHERE seq = ?", log.middle + 1);
    },
    found: { code: "row-changed", seq: middle },
  },
  {
    name: "a hash ends in NUL and more behind it",
    does: (copy, log) => copy.run("UPDATE entry SET hash = hash || char(0) || 'x' WHERE seq = ?", log.middle),
    found: { code: "row-changed", seq: middle },
  },
  {
    name: "a hash is in upper case",
    does: (copy, log) => copy.run("UPDATE entry SET hash = upper(hash) WHERE seq = ?", log.middle),
    found: { code: "row-changed", seq: middle },
  },
  {
    name: "a hash has a space behind it",
    does: (copy, log) => copy.run("UPDATE entry SET hash = hash || ' ' WHERE seq = ?", log.middle),
    found: { code: "row-changed", seq: middle },
  },
  {
    name: "the hash of a row after a gap is none",
    does: (copy, log) => {
      copy.run("UPDATE entry SET hash = upper(hash) WHERE seq = ?", log.middle + 1);
      copy.run("DELETE FROM entry WHERE seq = ?", log.middle);
    },
    found: { code: "row-missing", seq: middle },
  },
  {
    name: "a body's bytes become no UTF-8, and read the same",
    does: (copy, log) => {
      const seq = storeReplacement(copy, log);
      copy.edit((database) => {
        const read = database.prepare("SELECT body FROM entry WHERE seq = ?").pluck();
        const before = read.get(seq);
        database
          .prepare(
            "UPDATE entry SET body = CAST(replace(CAST(body AS BLOB), x'efbfbd', x'f09f98') AS TEXT) WHERE seq = ?",
          )
          .run(seq);
        if (before !== read.get(seq)) throw new Error("the two do not read the same");
      });
    },
    found: { code: "row-changed", seq: (log) => log.signedAfter(log.middle) + 2 },
  },
  {
    name: "a hash is edited before a body that holds a replacement character",
    does: (copy, log) => {
      const seq = storeReplacement(copy, log);
      copy.run("UPDATE entry SET hash = ? WHERE seq = ?", "ab".repeat(32), seq - 1);
    },
    found: { code: "row-changed", seq: (log) => log.signedAfter(log.middle) + 1 },
  },
  {
    name: "a row is numbered 2^53 + 1",
    does: (copy) => copy.run("INSERT INTO entry VALUES (9007199254740993, '', '')"),
    found: { code: "row-stray", seq: () => null },
  },
  {
    name: "a row is numbered below nothing",
    does: (copy) => copy.run("INSERT INTO entry VALUES (-1, '', '')"),
    found: { code: "row-stray", seq: () => null },
  },
  {
    name: "the numbers of rows become text",
    does: (copy) =>
      copy.edit((database) => {
        database.exec(
          "CREATE TABLE other (seq TEXT PRIMARY KEY, body TEXT NOT NULL, hash TEXT NOT NULL) STRICT; INSERT INTO other SELECT * FROM entry; DROP TABLE entry; ALTER TABLE other RENAME TO entry",
        );
      }),
    found: { code: "schema", seq: () => null },
  },
  {
    name: "the number of a row is nothing",
    does: (copy) =>
      copy.edit((database) => {
        database.exec(
          "CREATE TABLE other (seq INTEGER, body TEXT NOT NULL, hash TEXT NOT NULL) STRICT; INSERT INTO other SELECT * FROM entry; UPDATE other SET seq = NULL WHERE seq = 5; DROP TABLE entry; ALTER TABLE other RENAME TO entry",
        );
      }),
    found: { code: "schema", seq: () => null },
  },
  {
    name: "a checkpoint's note is stored as bytes",
    does: (copy, log) =>
      unruly(
        "checkpoint",
        "UPDATE checkpoint SET note = CAST(note AS BLOB) WHERE size = ?",
        log.signedAfter(log.middle) + 1,
      )(copy),
    found: { code: "checkpoint-missing", seq: (log) => log.signedAfter(log.middle) },
  },
  {
    name: "a checkpoint's tree is stored as bytes",
    does: (copy, log) =>
      unruly(
        "checkpoint",
        "UPDATE checkpoint SET frontier = CAST(frontier AS BLOB) WHERE size = ?",
        log.signedAfter(log.middle) + 1,
      )(copy),
    found: { code: "checkpoint-missing", seq: (log) => log.signedAfter(log.middle) },
  },
  ...(
    [
      ["has one key twice", (body) => body.replace('"nonce":', '"nonce":"00","nonce":')],
      ["has a space", (body) => body.replace('"nonce":', '"nonce": ')],
      ["has its keys in another order", (body) => body.replace(/,("nonce":"[^"]*"),("reason":"[^"]*")/, ",$2,$1")],
      ["spells a letter as an escape", (body) => body.replace('"new"', String.raw`"n\u0065w"`)],
      ["has a nonce of another length", (body) => body.replace(/"nonce":"../, '"nonce":"')],
      ["has a field that its kind does not have", (body) => withFields(body, { more: 1 })],
      ["has a field where only its beginning stands", (body) => withFields(body, { $z: "hidden" })],
      ["has a content that its kind does not have", (body) => withFields(body, { content: { text: "ab".repeat(32) } })],
      ["has a field of another class", (body) => withFields(body, { session: "for Ann" })],
      ["is cut", (body) => body.slice(0, -1)],
    ] satisfies [string, (body: string) => string][]
  ).map(
    ([what, line]): Tampering => ({
      name: `a row that no checkpoint covers yet ${what}, which --deep finds`,
      of: "closing",
      does: (copy, log) => append(copy, log, line),
      given: () => ({ deep: true }),
      found: { code: "row-form", seq: (log) => log.size },
    }),
  ),
  ...(
    [
      ["a control character", "a\u001b[2Jb"],
      ["a bidirectional override", "a\u202eb"],
      ["a quotation mark and a newline", 'a"\nb'],
    ] as const
  ).map(
    ([what, kind]): Tampering => ({
      name: `a row's kind holds ${what}`,
      of: "closing",
      does: (copy, log) => append(copy, log, (body) => withFields(body, { $kind: kind })),
      found: { code: "row-changed", seq: (log) => log.size },
    }),
  ),
  {
    name: "a row of the log's own keys is in another form, which --deep finds",
    of: "closing",
    does: (copy, log) => {
      const seq = log.row("session.closed");
      const body = (log.bodies[seq] ?? "").replace('"reason":"new"', '"reason":"new","reason":"new"');
      forge(copy, log, log.bodies.with(seq, body));
    },
    given: () => ({ deep: true }),
    found: { code: "row-form", seq: (log) => log.row("session.closed") },
  },
];
