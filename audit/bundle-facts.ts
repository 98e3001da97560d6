import type { BundleFiles } from "./bundle-files.ts";
import { BUNDLE_FORMAT, type BundleFacts } from "./export.ts";
import type { ContentLine } from "./export-content.ts";
import type { Findings } from "./findings.ts";
import { keyOf } from "./note-check.ts";
import type { VerifierKey } from "./note.ts";

/** What an export says of itself, read as a stranger's: of the right types and sizes, or not at all. */

const MAX_FACTS = 64 * 1024;
const MAX_LINE = 4 * 1024;
/** A log that hands over its key once an hour for a year has fewer. */
const MAX_KEYS = 10_000;

type Read = Readonly<Record<string, unknown>>;

/** @returns null for bytes that are no JSON object. */
export function readObject(bytes: Uint8Array | null): Read | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes ?? new Uint8Array()).toString("utf8"));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : null;
  } catch {
    return null;
  }
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isText(value: unknown, most: number): value is string {
  return typeof value === "string" && value.length <= most;
}

/** @returns null, with a finding, for an export that says nothing one can go by. */
export function readFacts(files: BundleFiles, findings: Findings): BundleFacts | null {
  const {
    format,
    export: id,
    at,
    version,
    origin,
    size,
    root,
    from,
    to,
    session,
    content,
    rows,
    proofs,
    parts,
  } = readObject(files.read("bundle.json", MAX_FACTS)) ?? {};
  const known =
    isText(id, 64) &&
    isText(at, 24) &&
    isText(version, 128) &&
    isText(origin, 200) &&
    isText(root, 64) &&
    isCount(size) &&
    isCount(from) &&
    isCount(to) &&
    isCount(rows) &&
    isCount(proofs) &&
    isCount(parts) &&
    (session === null || isText(session, 64)) &&
    (content === "none" || content === "commitments" || content === "full");
  if (known && format === BUNDLE_FORMAT)
    return { format, export: id, at, version, origin, size, root, from, to, session, content, rows, proofs, parts };
  const newer = isCount(format) && format > BUNDLE_FORMAT;
  findings.add(
    "bundle-form",
    null,
    newer
      ? `the export has the form ${format}, which a newer build writes: verify it with that`
      : "bundle.json is missing or damaged: this is no export, or not all of one",
  );
  return null;
}

/** One key's time: the sizes of the checkpoints that it signs, the first and the last with it. */
export interface BundleEpoch {
  readonly key: VerifierKey;
  readonly protector: string;
  readonly first: number;
  readonly last: number;
}

/** The keys as the export lists them, each after the other. */
export function readKeys(files: BundleFiles, facts: BundleFacts, findings: Findings): BundleEpoch[] {
  const epochs: BundleEpoch[] = [];
  for (const line of files.lines("keys.jsonl", MAX_LINE)) {
    const { epoch, vkey, protector, first, last } = readObject(line) ?? {};
    const key = isText(vkey, 512) ? keyOf(vkey) : null;
    const before = epochs.at(-1);
    const follows =
      isCount(first) && isCount(last) && last >= first && first === (before?.last ?? 1) && epoch === epochs.length + 1;
    const fresh = key?.name === facts.origin && !epochs.some((other) => other.key.id === key.id);
    if (key === null || !isText(protector, 16) || !follows || !fresh || epochs.length === MAX_KEYS) {
      findings.add("rotation", null, `key number ${epochs.length + 1} of keys.jsonl does not follow the one before it`);
      return epochs;
    }
    epochs.push({ key, protector, first, last });
  }
  if (epochs.at(-1)?.last !== facts.size)
    findings.add("rotation", null, "the keys of keys.jsonl do not reach the newest checkpoint");
  return epochs;
}

/** @returns null for a line that is no checkpoint's. */
export function readStored(line: Uint8Array | null): { size: number; note: string } | null {
  const { size, note } = readObject(line) ?? {};
  return isCount(size) && size > 0 && isText(note, 16_384) ? { size, note } : null;
}

/** @returns null for a line that tells of no content. */
export function readContent(line: Uint8Array | null): ContentLine | null {
  const { seq, part, commitment, state, salt, text, base64, file } = readObject(line) ?? {};
  if (!isCount(seq) || !isText(part, 64) || !isText(commitment, 64)) return null;
  if (state === undefined) return { seq, part, commitment };
  if (state === "erased" || state === "missing") return { seq, part, commitment, state };
  if (!isText(salt, 64) || !/^[0-9a-f]{64}$/.test(salt)) return null;
  if (state === "derived") return { seq, part, commitment, state, salt };
  if (state !== "open") return null;
  const read = { seq, part, commitment, state, salt } as const;
  if (typeof text === "string" && base64 === undefined && file === undefined) return { ...read, text };
  if (typeof base64 === "string" && file === undefined) return { ...read, base64 };
  return isText(file, 128) ? { ...read, file } : null;
}
