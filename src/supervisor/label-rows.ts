import type { CommittedRow } from "../../audit/log.ts";
import * as z from "zod/mini";
import type { FileLabel, FilesBefore } from "../broker/file-labels.ts";
import { EVERYBODY, type Labels } from "../broker/labels.ts";
import type { StateDatabase } from "./state-database.ts";

/** Labels that hold, as the rows say: of sessions that are not over, and of files. Where a file lies is sealed. */
export const LABELS = `
CREATE TABLE label      (session TEXT NOT NULL, label TEXT NOT NULL, person TEXT NOT NULL, PRIMARY KEY (session, label, person)) STRICT;
CREATE TABLE file_label (found TEXT PRIMARY KEY, seq INTEGER NOT NULL, entry BLOB NOT NULL) STRICT;
CREATE TABLE label_lost (seq INTEGER PRIMARY KEY) STRICT;
`;

const Entry = z.object({
  path: z.string(),
  inode: z.nullable(z.string()),
  digest: z.nullable(z.string()),
  since: z.nullable(z.number()),
  labels: z.object({ untrusted: z.boolean(), private: z.array(z.string()) }),
});
const Filed = z.object({ files: z.array(Entry), gone: z.array(z.string()) });

/** What one row changes. */
export function projectLabels(database: StateDatabase, row: CommittedRow): void {
  const { action } = row;
  switch (action.kind) {
    case "label.raised":
      database.run(
        "INSERT INTO label VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        action.session,
        action.label,
        action.person ?? EVERYBODY,
      );
      return;
    case "label.filed":
      projectFiles(database, row);
      return;
    case "label.cleared":
      if (action.session !== null) database.run("DELETE FROM label WHERE session = ?", action.session);
      else clearFiles(database, row.content("path"));
      return;
    case "session.closed":
      database.run("DELETE FROM label WHERE session = ?", action.session);
      return;
    default:
      return;
  }
}

function projectFiles(database: StateDatabase, { seq, content }: CommittedRow): void {
  const text = content("files");
  if (text === null) {
    // Nobody can say any more which files these were.
    database.run("INSERT INTO label_lost VALUES (?)", seq);
    return;
  }
  const { files, gone } = Filed.parse(JSON.parse(text));
  for (const file of files) {
    const found = database.index("file_label", file.path);
    database.run(
      "INSERT INTO file_label VALUES (?, ?, ?) ON CONFLICT (found) DO UPDATE SET seq = excluded.seq, entry = excluded.entry",
      found,
      seq,
      database.seal(`file_label/${found}`, JSON.stringify(file)),
    );
  }
  for (const path of gone) database.run("DELETE FROM file_label WHERE found = ?", database.index("file_label", path));
}

/** Which file an opened entry is about. */
export function labelledPath(entry: string): string {
  return Entry.parse(JSON.parse(entry)).path;
}

/** @param path null: of all files. */
function clearFiles(database: StateDatabase, path: string | null): void {
  if (path === null) {
    database.run("DELETE FROM file_label");
    database.run("DELETE FROM label_lost");
    return;
  }
  for (const file of labelledFiles(database).files)
    if (file.path === path || file.path.startsWith(`${path}/`))
      database.run("DELETE FROM file_label WHERE found = ?", database.index("file_label", file.path));
}

/** The rows that said it are erased: what lay where is forgotten, and that something did is not. */
export function forgetFileLabels(database: StateDatabase, seq: number): void {
  const { changes } = database.run("DELETE FROM file_label WHERE seq = ?", seq);
  if (changes > 0) database.run("INSERT INTO label_lost VALUES (?) ON CONFLICT DO NOTHING", seq);
}

/** Those of one session. */
export function labelsOfSession(database: StateDatabase, session: string): Labels {
  const rows = database.many("SELECT label, person FROM label WHERE session = ? ORDER BY person", session);
  return {
    untrusted: rows.some(({ label }) => label === "untrusted"),
    private: rows.filter(({ label }) => label === "private").map(({ person }) => String(person)),
  };
}

/** Sessions that have any. */
export function labelledSessions(database: StateDatabase): string[] {
  return database.many("SELECT DISTINCT session FROM label ORDER BY session").map(({ session }) => String(session));
}

/** Those of files. */
export function labelledFiles(database: StateDatabase): FilesBefore {
  const files: FileLabel[] = database
    .many("SELECT found, entry FROM file_label ORDER BY seq")
    .map(({ found, entry }) => Entry.parse(JSON.parse(database.opened(`file_label/${String(found)}`, entry))));
  return { files, lost: database.one("SELECT seq FROM label_lost LIMIT 1") !== null };
}
