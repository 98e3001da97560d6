import type { Protector } from "./head.ts";

export type FindingCode =
  // The file
  | "link"
  | "not-a-database"
  | "schema"
  | "pages"
  // Rows
  | "genesis"
  | "row-type"
  | "row-changed"
  | "row-moved"
  | "row-missing"
  | "row-stray"
  | "row-emptied"
  | "pruned"
  | "row-form"
  | "time-backwards"
  | "cause"
  | "outcome"
  | "intent"
  // Checkpoints and keys
  | "checkpoint-missing"
  | "checkpoint-stray"
  | "checkpoint-changed"
  | "checkpoint-forged"
  | "checkpoint-frontier"
  | "rows-unsigned"
  | "log-cut"
  | "rotation"
  | "wrong-key"
  // What is kept elsewhere
  | "rolled-back"
  | "forked"
  | "anchor-foreign"
  | "anchor-missing"
  | "anchor-forged"
  | "anchor-time"
  | "anchor-conflict"
  // Content
  | "content-changed"
  | "content-stray"
  // An export
  | "bundle-file"
  | "bundle-form"
  | "tile"
  | "proof";

/** Findings that say whose log it is, not whether it is whole. */
export const OF_AUTHENTICITY: ReadonlySet<FindingCode> = new Set<FindingCode>([
  "checkpoint-forged",
  "wrong-key",
  "rotation",
  "genesis",
]);
export const OF_ANCHORS: ReadonlySet<FindingCode> = new Set<FindingCode>([
  "anchor-foreign",
  "anchor-missing",
  "rolled-back",
  "forked",
  "wrong-key",
  "anchor-forged",
  "anchor-time",
  "anchor-conflict",
]);

export type WarningCode =
  | "future"
  | "unknown-kind"
  | "open-intents"
  | "content-missing"
  | "unsigned-rows"
  | "checkpoint-file"
  | "pin"
  | "anchor-file"
  | "path"
  | "more";

export interface Finding<Code extends string = FindingCode> {
  readonly code: Code;
  /** The first row that it concerns; null when it is about the whole file. */
  readonly seq: number | null;
  /** Without a full stop: `row 7 was changed`. */
  readonly sentence: string;
}

/** A copy of a checkpoint that is kept somewhere else. */
export interface AnchorVerdict {
  /** `file`: beside the database. `disk`: in a file on another disk. `pin`: in the keychain. `outside`: with somebody whom this log's writer does not
   *  reach. `timestamp`: with a timestamp authority; its signature was checked if there is a {@link pin}. */
  readonly by: "file" | "disk" | "pin" | "outside" | "timestamp";
  readonly name: string;
  readonly size: number;
  /** Of the last row that it covers; null where that is not in the log. */
  readonly time: string | null;
  readonly good: boolean;
  /** The witness's key, as the log names it. */
  readonly vkey?: string | null;
  /** Of a timestamp: SHA-256 of the certificate that vouches for its authority, hex; null where nobody said whom to trust. */
  readonly pin?: string | null;
  /** The reader gave that certificate; else the log names it. */
  readonly given?: boolean;
}

/** Is it out of the reach of this log's writer, as far as signatures show? */
export function isOutside({ by, pin }: AnchorVerdict): boolean {
  return by === "outside" || (by === "timestamp" && typeof pin === "string");
}

export interface Pause {
  /** The last row before and the first one after, by time. */
  readonly from: string;
  readonly to: string;
}

/** The answer of a verification: a value first, then {@link sentences}, then an exit status. */
export interface Verdict {
  /** `unchecked`: nothing is wrong, and no key was given to tell the log from one that somebody else made. */
  readonly state: "good" | "broken" | "unchecked";
  readonly origin: string | null;
  /** Rows. */
  readonly size: number;
  /** Merkle root over them, hex. */
  readonly root: string;
  readonly from: string | null;
  readonly until: string | null;
  /** Every row follows from the one before it, and the trees are those that were signed. */
  readonly integrity: "good" | "broken";
  /** Are the signatures those of the key that the reader was given? */
  readonly authenticity: "good" | "broken" | "not-checked";
  /** The key that signs now. */
  readonly vkey: string | null;
  readonly epochs: number;
  readonly protector: Protector | null;
  /** The log key lies beside the log. */
  readonly provisional: boolean;
  /** No checkpoint of it was compared with one that is out of this user's reach. */
  readonly selfAttested: boolean;
  /** Nothing up to here is missing. */
  readonly completeness: {
    readonly size: number;
    readonly time: string | null;
    readonly by: AnchorVerdict["by"] | "checkpoint" | null;
  };
  /** Rows above {@link completeness}. */
  readonly newer: number;
  readonly checkpoints: number;
  readonly anchors: readonly AnchorVerdict[];
  /** Times between a stop and the next start; the newest 20. */
  readonly pauses: readonly Pause[];
  readonly starts: number;
  /** Intents whose outcome is not on the log yet. */
  readonly open: number;
  readonly content: { readonly checked: number; readonly missing: number; readonly opened: boolean };
  /** Rows whose bodies were taken out by `audit prune`: only their hashes are there. From row `before` on every body is. */
  readonly pruned: { readonly rows: number; readonly before: number };
  /** Were pages and every row's form checked too? */
  readonly deep: boolean;
  readonly pages: "checked" | "not-checked";
  /** What was read, where it was copied first. */
  readonly files: readonly { readonly name: string; readonly bytes: number; readonly sha256: string }[];
  /** The first 100; `more` of the warnings says how many there are besides. */
  readonly findings: readonly Finding[];
  readonly warnings: readonly Finding<WarningCode>[];
  /** Of an exported folder. */
  readonly bundle?: BundleVerdict;
}

/** What an export holds. */
export interface BundleVerdict {
  /** Its id on the log, and when it was asked for. */
  readonly export: string;
  readonly at: string;
  /** Rows in it, of those that the tree has. */
  readonly rows: number;
  /** Those from one up to, without, the other, and of one session only. */
  readonly from: number;
  readonly to: number;
  readonly session: string | null;
  readonly content: "none" | "commitments" | "full";
  /** Rows that were proved one by one. */
  readonly proofs: number;
  readonly files: number;
  /** SHA-256 of its manifest, hex: the log that it was exported from records the same. */
  readonly manifest: string;
}

const SHOWN = 20;

/** What a verdict means, in lines for a person: findings first, then what each layer shows, and what no log proves. */
export function sentences(verdict: Verdict): string[] {
  return [
    headline(verdict),
    ...findingLines(verdict),
    ...provisional(verdict),
    ...layers(verdict),
    ...remarks(verdict),
    ...LIMITS,
  ];
}

function headline(verdict: Verdict): string {
  const { state, selfAttested, size, origin, findings, bundle } = verdict;
  const start = selfAttested ? "self-attested: " : "";
  if (bundle !== undefined) return `${start}${exportHeadline(verdict, bundle)}`;
  const name = origin === null ? "this file" : `the log ${origin}`;
  if (state === "broken")
    return `${start}${name} is broken: ${count(findings.length, "finding")} in ${count(size, "row")}`;
  const rows = `${count(size, "row")} of ${name} ${size === 1 ? "is" : "are"} whole and in order`;
  return state === "good" ? `${start}${rows}` : `${start}${rows}; whose they are was not checked`;
}

function exportHeadline({ state, size, origin, findings }: Verdict, { rows, export: id }: BundleVerdict): string {
  const name = `the export ${id} of the log ${origin ?? "unknown"}`;
  if (state === "broken") return `${name} is broken: ${count(findings.length, "finding")}`;
  const held =
    rows === size
      ? `${count(size, "row")} of ${name} are whole and in order`
      : `${rows} of ${count(size, "row")} are in ${name}, as they were signed`;
  return state === "good" ? held : `${held}; whose they are was not checked`;
}

function findingLines({ findings }: Verdict): string[] {
  const lines = findings.slice(0, SHOWN).map(({ sentence }) => `audit: ${sentence}`);
  return findings.length > SHOWN ? [...lines, `audit: and ${findings.length - SHOWN} more`] : lines;
}

function provisional(verdict: Verdict): string[] {
  return verdict.provisional ? ["provisional: whoever reads this user's files can forge this log"] : [];
}

function layers(verdict: Verdict): string[] {
  if (verdict.origin === null) return [];
  return [
    "chain: finds edits by someone who does not recompute the hashes",
    checkpointLine(verdict),
    keyLine(verdict),
    ...anchorLines(verdict),
    newerLine(verdict),
  ];
}

function checkpointLine({ checkpoints }: Verdict): string {
  return `signed checkpoints (${checkpoints}): find any change up to the newest by someone without the log key`;
}

function keyLine({ authenticity, vkey, epochs }: Verdict): string {
  if (authenticity === "not-checked")
    return `authenticity: not checked; the key was read from the log itself (${vkey ?? "none"}), so give the one that you were handed`;
  if (authenticity === "broken") return "authenticity: this log is not signed with the key that was given";
  return `authenticity: signed with the key that was given${epochs > 1 ? `, through ${count(epochs, "key")} that each handed over to the next` : ""}`;
}

function anchorLines({ anchors, selfAttested }: Verdict): string[] {
  const lines = anchors.map((anchor) => {
    const { by, name, size, time, good } = anchor;
    const where = WHERE[by](name);
    if (!good) return `${where}: contradicts this log`;
    const finds = isOutside(anchor) ? FINDS.outside : FINDS[by];
    return `${where}: agrees up to row ${size - 1}${time === null ? "" : ` (${time})`}; ${finds}${trustLine(anchor)}`;
  });
  return selfAttested
    ? [
        ...lines,
        "no outside anchor: malware under this user id, or the operator, could have cut or replaced the log, and nothing here would show it",
      ]
    : lines;
}

/** Whom one trusts in believing it. */
function trustLine({ vkey, pin, given }: AnchorVerdict): string {
  if (typeof vkey === "string")
    return `; its key was read from the log: compare it with the one its operator gives, ${vkey}`;
  if (typeof pin !== "string") return "";
  return given === true
    ? `; signed by an authority of the certificate that was given, SHA-256 ${pin}`
    : `; signed by an authority of a certificate that was read from the log: compare it with the one that the authority publishes, SHA-256 ${pin}, or give that with --ca`;
}

const WHERE: Readonly<Record<AnchorVerdict["by"], (name: string) => string>> = {
  file: () => "checkpoint file",
  disk: (name) => `file anchor ${name}`,
  pin: () => "pin in the keychain",
  outside: (name) => `outside anchor ${name}`,
  timestamp: (name) => `timestamp of ${name}`,
};
const BY_FILES = "finds loss, mistakes and rollback by someone who has only the database";
const FINDS: Readonly<Record<AnchorVerdict["by"], string>> = {
  file: BY_FILES,
  disk: BY_FILES,
  pin: BY_FILES,
  outside:
    "also finds truncation, rollback or a second history by malware under this user id, or by the operator, up to it",
  timestamp:
    "present, not checked: shows that these rows were there then, once it is known whose certificate to trust: give it with --ca, or to openssl ts -verify",
};

function newerLine({ newer, completeness, bundle, size }: Verdict): string {
  const until = completeness.time === null ? "" : ` (${completeness.time})`;
  if (completeness.by === null) return "completeness: nothing signed says how long this log was";
  if (bundle !== undefined && bundle.rows < size)
    return `completeness: the tree is the one that was signed up to row ${completeness.size - 1}${until}; ${count(size - bundle.rows, "row")} of it are not disclosed; ${count(newer, "row")} ${newer === 1 ? "is" : "are"} newer than the last anchor`;
  return `completeness: nothing is missing up to row ${completeness.size - 1}${until}; ${count(newer, "row")} ${newer === 1 ? "is" : "are"} newer than the last anchor`;
}

function remarks({ warnings, pauses, starts, content, pages, files, pruned, bundle, size }: Verdict): string[] {
  return [
    ...(pruned.rows === 0
      ? []
      : [
          `pruned: of ${count(pruned.rows, "row")} before row ${pruned.before} only the hashes are kept; from row ${pruned.before} on every row is there`,
        ]),
    ...warnings.map(({ sentence }) => `note: ${sentence}`),
    ...(starts > 1 ? [`pauses: ${count(starts, "start")}; ${count(pauses.length, "pause")} listed`] : []),
    ...(bundle === undefined ? [] : exportLines(bundle, size)),
    content.opened
      ? `content: ${count(content.checked, "part")} compared with what its row committed to`
      : bundle === undefined
        ? "content: not compared with what the rows committed to, because that needs the vault unlocked"
        : "content: not in this export",
    ...(pages === "checked" ? [] : ["pages: not checked one by one, because the log is large and in use"]),
    ...files.map(({ name, bytes, sha256 }) => `read: ${name}, ${bytes} bytes, SHA-256 ${sha256}`),
  ];
}

function exportLines({ at, from, to, session, proofs, files, manifest, rows }: BundleVerdict, size: number): string[] {
  const which = session === null ? "" : ` of the session ${session}`;
  const hidden = rows === size ? "" : "; of all others it holds hashes only";
  return [
    `export: asked for at ${at}, rows ${from} to ${to - 1}${which}; ${count(proofs, "row")} proved one by one${hidden}`,
    `manifest: ${count(files, "file")}, SHA-256 ${manifest}; the log that it is of records the same`,
  ];
}

/** Said every time: a good verdict is not more than this. */
const LIMITS = [
  "no log proves that the operator did not act outside wirken, run another program, or make rows up before the first anchor out of their reach",
] as const;

function count(n: number, word: string): string {
  return `${n} ${word}${n === 1 ? "" : "s"}`;
}
