import { conditionsOf as of, type Condition } from "./verifier-without.ts";

/** Sources of the verifier whose every finding and refusal is taken away in turn. What prunes, anchors and exports bring has a table of its own
 *  (`checks-beside.ts`). */
export const FILES_OF_CHECKS = [
  "row-scan.ts",
  "row-meaning.ts",
  "note-check.ts",
  "content-check.ts",
  "verification.ts",
  "verify.ts",
  "note.ts",
] as const;

/** Checks that are part of a condition. */
export const CONDITIONS: readonly Condition[] = [
  ...of("row-scan.ts", [
    ["computed !== hash", "false"],
    ["(previous === null && !HASH.test(hash))", "false"],
    ["seq < this.#size || !Number.isSafeInteger(seq)", "false"],

    ['⟦typeof body !== "string" || typeof hash !== "string"⟧)\n        this.#skip', "false"],
    ["else if (⟦role === null⟧) this.#unread", "false"],
    ["head.seq !== seq", "false"],
    ["says !== seq", "false"],
    ["seq === 1", "false"],
    ["!body.includes(REPLACEMENT)", "true"],
    ["!stored", "false"],
    ["this.#follows(seq + 1, computed)", "false"],
    ["this.#whole && first !== undefined && this.#tree.root() !== signed.root", "false"],
    ["first.seq > from", "false"],
    ["!this.#explained", "true"],
    ["signed?.firstDifference(this.#tree) ?? 0", "0"],
    ["seq === 0 || !HASH.test(hash)", "false"],
  ]),
  ...of("note-check.ts", [
    ['action === null || !isActionOf("log.opened", action)', "action === null"],
    ["key.name !== action.origin", "false"],
    ["action.format !== 1", "false"],
    ["checkpoint.origin !== epoch.key.name", "false"],
    ["checkpoint.size !== size", "false"],
    ["checkpoint.signatures.length !== keys.length", "false"],
    ["!keys.every((key) => good(checkpoint, key))", "false"],
    ["frontier?.root() === checkpoint.root", "true"],
    ["key.name !== last.key.name", "false"],
    ["this.#epochs.some((epoch) => epoch.key.id === key?.id)", "false"],
    ["action.epoch !== this.#epochs.length + 1", "false"],
    ["checkpoint.origin !== this.#epochs[0]?.key.name", "false"],
    ["keys.some((key) => good(checkpoint, key))", "true"],
  ]),
  ...of("row-meaning.ts", [
    ["time < this.#newestTime", "false"],
    ["cause >= seq", "false"],
    ["endsIn(intent, kind)", "true"],
    ["!isCanonical(line)", "false"],
    ["!NONCE.test(body.nonce)", "false"],
    ["!isAction({ ...body.fields, kind })", "false"],
    ["Object.keys(body.content ?? {}).some((part) => !parts.includes(part))", "false"],
  ]),
  ...of("page-reader.ts", [
    ["this.#text.slice(at, at + HASH_LENGTH) !== hashed", "false"],
    ["ends.length === rows", "true"],
    ["this.#bytes[PAGE_AT + begin] !== BRACE", "false"],
  ]),
  ...of("content.ts", [["commit(salt, bytes) === commitment", "true"]]),
  ...of("database.ts", [
    ["known === undefined", "false"],
    ['database.pragma("encoding", { simple: true }) !== "UTF-8"', "false"],
    ['type !== "table" || typeof name !== "string" || !Object.hasOwn(known, name)', "false"],
    ["table !== name || sql !== known[name]", "false"],
    ["if (⟦found.has(name)⟧) return", "false"],
    ["missing === undefined", "true"],
  ]),
  ...of("evidence.ts", [
    ["size === PAGE_SIZE", "true"],
    ["wrongSchema(database) ?? wrongPages(database)", "wrongPages(database)"],
    ["openSync(from, constants.O_RDONLY | constants.O_NOFOLLOW)", "openSync(from, constants.O_RDONLY)"],
    ["openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW)", "openSync(path, constants.O_RDONLY)"],
    ['isSqlite(error, "SQLITE_NOTADB")', "false"],
  ]),
];

/** Which tampering a condition is there for: only to try that one first. */
export const LIKELY: readonly (readonly [check: string, tampering: string])[] = [
  ["size === PAGE_SIZE", "pages of another size"],
  ["wrongSchema(database) ??", "a trigger ignores"],
  ["openSync(from", "the write-ahead log is a symbolic link"],
  ["openSync(path", "the checkpoint file is a symbolic link"],
  ["SQLITE_NOTADB", "the file is no database"],
  ["known === undefined", "claims another version"],
  ["encoding", "of another encoding"],
  ["table !== name", "a column more"],
  ["missing === undefined", "a table is deleted"],
  ["checkpoint.origin !== epoch", "another log's name and is signed with this"],
  ["frontier?.root()", "the tree stored with a checkpoint is another"],
  ["key.name !== last", "brings a key of another log"],
  ["this.#epochs.some", "brings the key that there is"],
  ["action.epoch", "is numbered as one that was"],
  ["atOf(body)", "moved back behind the row before it"],
  ["endsIn(intent", "ends in what one of another kind"],
  ["typeof body", "a body is stored as bytes"],
  ["role === null", "no calendar"],
  ["head.seq", "keep their numbers"],
  ["REPLACEMENT", "become no UTF-8"],
  ["commit(salt", "sealed in its place"],
  ["ends.length === rows", "a body holds the next row, which is gone"],
  ["!keys.every((key)", "with a checkpoint that another key signed"],
  ["keys.some((key)", "later checkpoints deleted and their rows made into others"],
  ["time < this.#newestTime", "are newer than the newest checkpoint"],
  ["action.format", "the beginning becomes one of another format"],
  ["key.name !== action.origin", "the beginning gets the name of another log"],
  ["checkpoint.signatures.length", "a row is deleted, the rows after it are renumbered and linked anew"],
  ["checkpoint.size !== size", "and the checkpoints moved with them"],
  ["cause >= seq", "a row is deleted, the rows after it are renumbered and linked anew"],
  ["says !== seq", "two rows change places"],
  ["seq === 1", "no row calls for a checkpoint any more"],
  ["this.#tree.root() !== signed.root", "the hashes of two rows change places"],
  ["!== BRACE", "the first character of a body is another one"],
  ["!Number.isSafeInteger(seq)", "a row is numbered below nothing"],
];

/** What stands before a second line (a check by its name, or what SQLite does), and why it is there all the same. */
export interface SecondLine {
  readonly before: string;
  readonly why: string;
}

/** Checks without which every tampering is still found. */
export const SECOND_LINES: Readonly<Record<string, SecondLine>> = {
  "verify.ts: the finding that is passed on (2)": {
    before: 'verification.ts: the finding "pages"',
    why: "pages that cannot be read are found by the check of all pages; only a large log in use is read without it",
  },
  'database.ts: type !== "table" || typeof name !== "string" || !Object.hasOwn(known, name)': {
    before: "database.ts: table !== name || sql !== known[name]",
    why: "what is no table of ours is not made as one of ours was; the first says better what it is",
  },
  "database.ts: found.has(name)": {
    before: "SQLite opens no file whose schema has one name twice",
    why: "it costs nothing, and another version of SQLite might",
  },
  'note-check.ts: action === null || !isActionOf("log.opened", action)': {
    before: "note-check.ts: key.name !== action.origin",
    why: "another row brings no key of the log's name",
  },
  "note-check.ts: checkpoint.origin !== this.#epochs[0]?.key.name": {
    before: "note-check.ts: keys.some((key) => good(checkpoint, key))",
    why: "another log's checkpoint has no signature of this one; the first says better what it is",
  },
  "note.ts: refuses what holds characters that no checkpoint has": {
    before: "note.ts: refuses what has a signature line that is none",
    why: "no line has a form that admits such characters; this refuses them before anything is looked at",
  },
  'note-check.ts: the finding "rotation" (2)': {
    before: 'note-check.ts: the finding "checkpoint-forged"',
    why: "a limit on memory and time: ten thousand keys in a row are more than whoever has the last of them makes",
  },
  'row-scan.ts: the finding "row-changed" (2)': {
    before: 'row-scan.ts: the finding "row-changed" (5)',
    why: "a limit on memory: of more than ten thousand rows that do not follow, each is told when it is met",
  },
  'row-meaning.ts: the finding "intent"': {
    before: 'row-meaning.ts: the finding "checkpoint-missing"',
    why: "a limit on memory: 100,000 open actions are more than may stand without a checkpoint, and the next start ends those before it",
  },
  "row-scan.ts: (previous === null && !HASH.test(hash))": {
    before: 'row-scan.ts: the finding "row-missing"',
    why: "only after a gap, which is a finding itself",
  },
  "row-scan.ts: !stored": {
    before: 'row-scan.ts: the finding "row-changed" (4)',
    why: "such a row is a suspect then, which the next checkpoint settles",
  },
  "row-scan.ts: this.#follows(seq + 1, computed)": {
    before: "row-scan.ts: this.#whole && first !== undefined && this.#tree.root() !== signed.root",
    why: "hashes that alone were changed are found again at the checkpoint; this one tells it where none follows",
  },
  "row-scan.ts: seq === 0 || !HASH.test(hash)": {
    before: 'note-check.ts: the finding "genesis"',
    why: "a beginning without a body is accounted for by no pruning",
  },
};
