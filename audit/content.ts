import type Database from "better-sqlite3";
import type { Kind } from "./action.ts";
import { commit, newSalt, SALT_BYTES } from "./commitment.ts";
import { AuditError } from "./error.ts";
import { isDerived, partsOf } from "./kinds.ts";
import type { Sealer } from "./ports.ts";

/** A row's sealed parts: `content.sealed = u8 length of the scope ‖ scope ‖ Sealer.seal(scope, place, salt ‖ bytes)`, under the id `seq*16 + part`.
 *  The scope is `daemon` or an id of ours; it says which key opens the rest, and which rows a key's end erases. */

/** Parts a row may have. */
export const PARTS_A_ROW = 16;
/** One part, in bytes: the largest model request twice over. */
const MAX_PART_BYTES = 64 * 1024 * 1024;
const MAX_SCOPE = 64;
/** What a stored part has at the most: what is sealed, its salt, its scope, and what the seal adds to it. */
export const MAX_SEALED_BYTES = MAX_PART_BYTES + 1_024;
export const DAEMON = "daemon";

export interface Part {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly salt: Uint8Array;
  readonly commitment: string;
  /** Only its salt is kept. */
  readonly derived: boolean;
}

/** Copies the given content, salts it and commits to it. Text is written as UTF-8.
 *  @throws {AuditError} AUDIT_INVALID for a part that the kind does not have, or one too large. */
export function commitParts(kind: Kind, content: object): Part[] {
  return Object.entries(content).map(([name, value]: [string, unknown]) => {
    if (!partsOf(kind).includes(name)) throw invalid(`${kind} has no content ${JSON.stringify(name)}`);
    if (typeof value !== "string" && !(value instanceof Uint8Array))
      throw invalid(`the content ${name} of ${kind} is neither text nor bytes`);
    const bytes = typeof value === "string" ? new Uint8Array(Buffer.from(value, "utf8")) : Uint8Array.from(value);
    if (bytes.length > MAX_PART_BYTES) throw invalid(`the content ${name} of ${kind} is larger than 64 MiB`);
    const salt = newSalt();
    return { name, bytes, salt, commitment: commit(salt, bytes), derived: isDerived(kind, name) };
  });
}

export function commitmentsOf(parts: readonly Part[]): Readonly<Record<string, string>> {
  return Object.freeze(Object.fromEntries(parts.map((part) => [part.name, part.commitment])));
}

export function contentId(seq: number, kind: Kind, part: string): number {
  return seq * PARTS_A_ROW + partsOf(kind).indexOf(part);
}

function placeOf(origin: string, seq: number, part: string): string {
  return `${origin}#${seq}/${part}`;
}

/** Where a part stands: the log, the row, the part's name. */
export interface Place {
  readonly origin: string;
  readonly seq: number;
  readonly part: string;
  readonly derived: boolean;
}

/** @throws {AuditError} AUDIT_UNSEALED, with the sealer's own error as its cause. */
export function sealPart(
  sealer: Sealer,
  scope: string,
  { origin, seq }: Omit<Place, "part" | "derived">,
  part: Part,
): Uint8Array {
  const head = Buffer.from(scope, "utf8");
  if (head.length === 0 || head.length > MAX_SCOPE) throw invalid(`nothing can be sealed for ${JSON.stringify(scope)}`);
  const plain = Buffer.concat(part.derived ? [part.salt] : [part.salt, part.bytes]);
  try {
    const sealed = sealer.seal(scope, placeOf(origin, seq, part.name), plain);
    return Buffer.concat([Uint8Array.of(head.length), head, sealed]);
  } catch (cause) {
    throw new AuditError("AUDIT_UNSEALED", `nothing was recorded: the content cannot be sealed for ${scope}`, {
      cause,
    });
  } finally {
    plain.fill(0);
  }
}

/** Why a stored part cannot be had: its key is gone, or it is not what its row committed to. */
export type Opened =
  | { readonly state: "open"; readonly bytes: Uint8Array; readonly salt: Uint8Array }
  | { readonly state: "erased" }
  /** Only its salt is kept, which is there. */
  | { readonly state: "derived"; readonly salt: Uint8Array }
  | { readonly state: "changed" };

/** Whose key opens a stored part; null if it is none. @param stored its beginning is enough. */
export function scopeOf(stored: Uint8Array): string | null {
  const length = stored[0] ?? 0;
  if (length === 0 || length > MAX_SCOPE || stored.length < 1 + length) return null;
  return Buffer.from(stored.subarray(1, 1 + length)).toString("utf8");
}

/** @param stored what the content table holds. */
export function openPart(
  sealer: Sealer,
  stored: Uint8Array,
  { origin, seq, part, derived }: Place,
  commitment: string,
): Opened {
  const scope = scopeOf(stored);
  if (scope === null) return { state: "changed" };
  let plain: Uint8Array | null;
  try {
    plain = sealer.open(scope, placeOf(origin, seq, part), stored.subarray(1 + (stored[0] ?? 0)));
  } catch {
    return { state: "changed" };
  }
  if (plain === null) return { state: "erased" };
  if (plain.length < SALT_BYTES) return { state: "changed" };
  const salt = plain.subarray(0, SALT_BYTES);
  if (derived) return plain.length === SALT_BYTES ? { state: "derived", salt } : { state: "changed" };
  const bytes = plain.subarray(SALT_BYTES);
  return commit(salt, bytes) === commitment ? { state: "open", bytes, salt } : { state: "changed" };
}

/** Seals a stored part anew under the newest key of its scope. @returns null if nothing opens it.
 *  @throws {AuditError} AUDIT_UNSEALED, with the sealer's own error as its cause. */
export function renewPart(
  sealer: Sealer,
  stored: Uint8Array,
  { origin, seq, part }: Omit<Place, "derived">,
): Uint8Array | null {
  const scope = scopeOf(stored);
  if (scope === null) return null;
  const head = stored.subarray(0, 1 + (stored[0] ?? 0));
  try {
    const renewed = sealer.renew(scope, placeOf(origin, seq, part), stored.subarray(head.length));
    return renewed === null ? null : Buffer.concat([head, renewed]);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new AuditError("AUDIT_UNSEALED", `the ${part} of row ${seq} cannot be sealed anew: ${why}`, { cause });
  }
}

/** Reads one part of a row back. @returns null if it is erased, or nothing opens it now.
 *  @throws {AuditError} AUDIT_BROKEN if it is not what the row committed to. */
export function readPart(
  database: Database.Database,
  sealer: Sealer | null,
  where: Omit<Place, "derived"> & { readonly kind: Kind },
  commitment: string,
): Uint8Array | null {
  if (sealer === null) return null;
  const place = { ...where, derived: isDerived(where.kind, where.part) };
  const stored: unknown = database
    .prepare("SELECT sealed FROM content WHERE id = ?")
    .pluck()
    .get(contentId(place.seq, place.kind, place.part));
  if (!(stored instanceof Uint8Array)) return null;
  const opened = openPart(sealer, stored, place, commitment);
  if (opened.state === "changed")
    throw new AuditError(
      "AUDIT_BROKEN",
      `the ${place.part} of row ${place.seq} was changed: it is not what the row committed to`,
    );
  return opened.state === "open" ? Uint8Array.from(opened.bytes) : null;
}

function invalid(why: string): AuditError {
  return new AuditError("AUDIT_INVALID", `nothing was recorded: ${why}`);
}
