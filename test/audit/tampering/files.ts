import { cpSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { SCHEMAS } from "../../../audit/database.ts";
import type { Copy } from "./hand.ts";
import { copyLog } from "./original.ts";
import type { Tampering } from "./tampering.ts";

const WAL_HEADER = 32;
const FRAME_HEADER = 24;
const PAGE = 4096;

const nothing = (): null => null;
const sql =
  (text: string) =>
  (copy: Copy): void =>
    copy.edit((database) => database.exec(text));

/** Makes the same log in a database of another form, made before its tables are. */
function remade(copy: Copy, pragma: string): void {
  const other = `${copy.path}.other`;
  const made = new Database(other);
  made.pragma(pragma);
  for (const table of Object.values(SCHEMAS.get(1) ?? {})) made.exec(table);
  made.pragma("user_version = 1");
  copy.edit((database) => {
    for (const table of ["entry", "content", "checkpoint", "anchor"]) {
      const rows: unknown[] = database.prepare(`SELECT * FROM ${table}`).raw().all();
      for (const row of rows) {
        const values: unknown[] = Array.isArray(row) ? row : [];
        made.prepare(`INSERT INTO ${table} VALUES (${values.map(() => "?").join(", ")})`).run(...values);
      }
    }
  });
  made.close();
  renameSync(other, copy.path);
}

/** As an attacker of SQLite itself writes it: by bytes. */
function flipInFile(copy: Copy, text: string, offset = 0): void {
  const bytes = readFileSync(copy.path);
  const at = bytes.indexOf(text);
  if (at < 0) throw new Error(`the file does not hold ${text}`);
  copy.flip("audit.db", at + offset);
}

/** The file, its write-ahead log, and what SQLite makes of them. */
export const FILE_TAMPERINGS: readonly Tampering[] = [
  {
    name: "the whole database is rolled back to an older copy",
    does: (copy, log) => cpSync(join(log.original.earlier, "audit.db"), copy.path),
    found: { code: "anchor-foreign", seq: nothing },
  },
  {
    name: "the whole database and the checkpoint file are rolled back to an older copy",
    does: (copy, log) => void copyLog(log.original.earlier, copy.folder),
    found: { named: /^no outside anchor: malware under this user id/m, outside: "anchor-foreign", seq: nothing },
  },
  {
    name: "the whole database and the checkpoint file are rolled back within the time of one key",
    of: "killed",
    does: (copy, log) => {
      rmSync(`${copy.path}-wal`);
      copyLog(log.original.earlier, copy.folder);
    },
    found: { named: /^no outside anchor/m, outside: "rolled-back", seq: (log) => log.row("daemon.starting") },
  },
  {
    name: "the write-ahead log is deleted",
    of: "killed",
    does: (copy) => rmSync(`${copy.path}-wal`),
    found: { code: "rolled-back", seq: (log) => log.row("daemon.starting") },
  },
  {
    name: "the last frame of the write-ahead log is flipped: a row that no checkpoint covers yet is lost",
    of: "killed",
    does: (copy) => copy.flip("audit.db-wal", -100),
    found: { never: /^note: the last \d+ rows are covered by no checkpoint yet/m },
  },
  {
    name: "a frame in the middle of the write-ahead log is flipped",
    of: "killed",
    does: (copy, log) => {
      const wal = readFileSync(`${copy.path}-wal`);
      copy.flip("audit.db-wal", wal.indexOf(log.rows[log.signed[3] ?? 0]?.hash ?? ""));
    },
    found: { code: "rolled-back", seq: (log) => log.signed[3] ?? 0 },
  },
  {
    name: "the write-ahead log is cut in the middle of a frame",
    of: "killed",
    does: (copy) => truncateSync(`${copy.path}-wal`, WAL_HEADER + FRAME_HEADER + PAGE - 100),
    found: { code: "rolled-back", seq: (log) => log.row("daemon.starting") },
  },
  {
    name: "the write-ahead log is one of another database",
    does: (copy) => {
      const other = new Database(join(copy.folder, "other.db"));
      other.pragma("journal_mode = WAL");
      other.exec("CREATE TABLE other (a TEXT); INSERT INTO other VALUES ('x')");
      cpSync(join(copy.folder, "other.db-wal"), `${copy.path}-wal`);
      other.close();
    },
    found: { code: "schema", seq: nothing },
  },
  {
    name: "the write-ahead log is one of another audit log",
    does: (copy, log) => cpSync(join(log.original.other, "audit.db-wal"), `${copy.path}-wal`),
    found: { code: "anchor-foreign", seq: nothing },
  },
  {
    name: "a table is replaced by a view",
    does: sql("ALTER TABLE entry RENAME TO hidden; CREATE VIEW entry AS SELECT * FROM hidden WHERE seq <> 7"),
    found: { code: "schema", seq: nothing },
  },
  {
    name: "a trigger ignores what is written",
    does: sql("CREATE TRIGGER planted BEFORE INSERT ON entry BEGIN SELECT RAISE(IGNORE); END"),
    found: { code: "schema", seq: nothing },
  },
  {
    name: "a trigger rewrites what is written",
    does: sql("CREATE TRIGGER planted AFTER INSERT ON entry BEGIN UPDATE entry SET body = '' WHERE seq = NEW.seq; END"),
    found: { code: "schema", seq: nothing },
  },
  {
    name: "an index of some rows hides the others",
    does: sql("CREATE INDEX planted ON entry (body) WHERE seq < 9"),
    found: { code: "schema", seq: nothing },
  },
  {
    name: "a table is planted whose name would move a terminal's cursor",
    does: sql('CREATE TABLE "\u009b2J\u202e" (a)'),
    found: { code: "schema", seq: nothing },
  },
  {
    name: "a table has a column more",
    does: sql("ALTER TABLE entry ADD COLUMN more TEXT"),
    found: { code: "schema", seq: nothing },
  },
  {
    name: "a table is deleted",
    does: sql("DROP TABLE anchor"),
    found: { code: "schema", seq: nothing },
  },
  {
    name: "the file claims another version",
    does: (copy) => copy.edit((database) => database.pragma("user_version = 2")),
    found: { code: "schema", seq: nothing },
  },
  {
    name: "the file is of another encoding",
    does: (copy) => remade(copy, "encoding = 'UTF-16le'"),
    found: { code: "schema", seq: nothing },
  },
  {
    name: "the file has pages of another size",
    does: (copy) => remade(copy, "page_size = 8192"),
    found: { code: "schema", seq: nothing },
  },
  {
    name: "the file is cut in the middle of a page",
    does: (copy) => truncateSync(copy.path, statSync(copy.path).size - PAGE - 100),
    found: { code: "pages", seq: nothing },
  },
  {
    name: "the file is cut to its first page",
    does: (copy) => truncateSync(copy.path, PAGE),
    found: { code: "pages", seq: nothing },
  },
  {
    name: "the file counts other unused pages than it has",
    does: (copy) => copy.flip("audit.db", 39),
    found: { code: "pages", seq: nothing },
  },
  {
    name: "a page in the middle of the file is overwritten",
    does: (copy) => {
      const bytes = readFileSync(copy.path);
      bytes.fill(0xa5, 7 * PAGE, 8 * PAGE);
      writeFileSync(copy.path, bytes);
    },
    found: { code: "pages", seq: nothing },
  },
  {
    name: "the file is empty",
    does: (copy) => truncateSync(copy.path, 0),
    found: { code: "schema", seq: nothing },
  },
  {
    name: "the file is no database",
    does: (copy) => writeFileSync(copy.path, "x".repeat(3 * PAGE)),
    found: { code: "not-a-database", seq: nothing },
  },
  {
    name: "a byte of a row is flipped in the file",
    does: (copy) => flipInFile(copy, '"$kind":"daemon.starting"', 11),
    found: { code: "row-changed", seq: (log) => log.row("daemon.starting") },
  },
  {
    name: "a byte of the schema is flipped in the file",
    does: (copy) => flipInFile(copy, "CREATE TABLE content", 14),
    found: { code: "pages", seq: nothing },
  },
  {
    name: "the file is a symbolic link to the log",
    does: (copy) => linked(copy, copy.path),
    found: { code: "link", seq: nothing },
  },
  {
    name: "the write-ahead log is a symbolic link",
    of: "killed",
    does: (copy) => linked(copy, `${copy.path}-wal`),
    found: { code: "link", seq: nothing },
  },
  {
    name: "the checkpoint file is a symbolic link",
    does: (copy) => linked(copy, join(copy.folder, "audit.checkpoint")),
    found: { code: "link", seq: nothing },
  },
  {
    name: "the checkpoint file is gone: that is said, and of the log in use it is a finding",
    does: (copy) => rmSync(join(copy.folder, "audit.checkpoint")),
    found: { warning: "checkpoint-file", seq: nothing },
  },
  {
    name: "the checkpoint file of the log in use is gone",
    does: (copy) => rmSync(join(copy.folder, "audit.checkpoint")),
    given: () => ({ live: true }),
    found: { code: "anchor-missing", seq: nothing },
  },
];

function linked(copy: Copy, path: string): void {
  renameSync(path, join(copy.folder, "elsewhere"));
  symlinkSync(join(copy.folder, "elsewhere"), path);
}
