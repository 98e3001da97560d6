import { hash } from "node:crypto";
import type { ActionOf } from "./action.ts";
import { generalizedTime, readProof, stamps } from "./anchor-proof.ts";
import { Authorities, fingerprint } from "./authorities.ts";
import { certificateOrNull } from "./certificate.ts";
import { findCosignature, parseWitnessVkey } from "./cosignature.ts";
import { readBody } from "./entry.ts";
import type { Findings } from "./findings.ts";
import { isActionOf } from "./kinds.ts";
import { NoteError, parseCheckpoint, type VerifierKey } from "./note.ts";
import type { AnchorVerdict } from "./verdict.ts";

/** An anchor's clock and this log's may differ by this, in milliseconds: more says that one of them lies. */
const CLOCKS_MS = 5 * 60_000;
/** A hostile file may introduce an anchor a row. */
const MAX_ANCHORS = 1_000;

type AnchorType = ActionOf<"anchor.added">["type"];

interface Known {
  readonly type: AnchorType;
  /** Of a witness: one a time that it was added. */
  readonly keys: VerifierKey[];
  readonly vkeys: string[];
  /** The row of the newest promise; null after it was taken back. */
  promised: number | null;
  /** What the log itself says that this anchor holds. */
  reached: number;
  /** The row that says that the anchor holds another history. */
  conflict: number | null;
  best: Best | null;
  /** Of a timestamp authority: fingerprints of the certificates that were pinned for it, and those of them that are stored. */
  readonly pins: Set<string>;
  readonly certificates: Map<string, Uint8Array>;
  authorities: Authorities | null;
}

interface Best {
  readonly size: number;
  readonly vkey: string | null;
  /** The certificate that vouches for it; null where it was only compared. */
  readonly pin: string | null;
}

/** Keys that one witness may have had, through all the times that it was added. */
const MAX_KEYS = 64;
/** Certificates that one anchor may have, through all the times that it was added. */
const MAX_PINS = 64;

/** The log that the proofs are about, as it was read. */
export interface ProofPlaces {
  readonly size: number;
  /** The root of the first so many rows; null if it was not remembered. */
  rootAt(size: number): { readonly root: string; readonly at: string | null } | null;
  /** The stored note of so many rows, or null. */
  noteAt(size: number): string | null;
  /** The time of the last of so many rows, or null. */
  timeAt(size: number): string | null;
}

/** Keeps the anchors that a log promises, as its rows introduce them, and checks what is stored of their answers. */
export class AnchorCheck {
  readonly #findings: Findings;
  readonly #known = new Map<string, Known>();
  readonly #given: Authorities | null;

  /** @param given certificates that the reader trusts to vouch for timestamp authorities, in DER: then no others are asked. @throws {DerError} for what is none. */
  constructor(findings: Findings, given: readonly Uint8Array[] = []) {
    this.#findings = findings;
    this.#given = given.length === 0 ? null : new Authorities(given);
  }

  /** Anchors of a type that are promised now, with the row that promises them. */
  promised(type: AnchorType): { name: string; seq: number }[] {
    return [...this.#known].flatMap(([name, known]) =>
      known.type === type && known.promised !== null ? [{ name, seq: known.promised }] : [],
    );
  }

  /** A row of a kind `anchor.*`. */
  row(seq: number, body: string): void {
    const row = readBody(body);
    const action = row === null ? null : { ...row.fields, kind: row.kind };
    if (action === null) return;
    if (isActionOf("anchor.added", action)) this.#added(seq, action);
    else if (isActionOf("anchor.removed", action)) {
      const known = this.#known.get(action.anchor);
      if (known !== undefined) [known.promised, known.conflict] = [null, null];
    } else if (isActionOf("anchor.reached", action)) {
      const known = this.#known.get(action.anchor);
      if (known !== undefined) [known.reached, known.conflict] = [Math.max(known.reached, action.size), null];
    } else if (isActionOf("anchor.failed", action) && action.reason === "conflict") {
      const known = this.#known.get(action.anchor);
      if (known !== undefined) known.conflict = seq;
    }
  }

  #added(seq: number, { anchor, type, vkey, pins = "" }: ActionOf<"anchor.added">): void {
    const before = this.#known.get(anchor);
    if (before === undefined && this.#known.size >= MAX_ANCHORS) {
      this.#findings.add("anchor-foreign", seq, `row ${seq} promises more than ${MAX_ANCHORS} anchors`);
      return;
    }
    const same = before?.type === type ? before : undefined;
    const known: Known = same ?? newAnchor(type, seq);
    known.promised = seq;
    known.reached = 0;
    for (const pin of pins.match(/.{64}/g) ?? []) if (known.pins.size < MAX_PINS) known.pins.add(pin);
    if (vkey !== null && !known.vkeys.includes(vkey)) {
      const key = known.keys.length < MAX_KEYS ? keyOf(vkey) : null;
      if (key === null) this.#findings.add("anchor-foreign", seq, `row ${seq} introduces a witness without a key`);
      else {
        known.keys.push(key);
        known.vkeys.push(vkey);
      }
    }
    this.#known.set(anchor, known);
  }

  /** One row of the table that is about no checkpoint: a certificate. All of them come before the first {@link stored}. */
  certificate(name: unknown, proof: unknown): void {
    const shown = shownName(name);
    const known = typeof name === "string" ? this.#known.get(name) : undefined;
    if (known === undefined) {
      this.#findings.add(
        "anchor-foreign",
        null,
        `a proof stored for the anchor ${shown} is of an anchor that no row introduces`,
      );
      return;
    }
    const read = proof instanceof Uint8Array ? readProof(proof) : null;
    const certificate = read?.type === "certificate" ? certificateOrNull(read.der) : null;
    const pin = certificate === null ? "" : fingerprint(certificate.der);
    if (certificate !== null && known.pins.has(pin)) known.certificates.set(pin, Uint8Array.from(certificate.der));
    else
      this.#findings.add(
        "anchor-forged",
        null,
        `what is stored for the anchor ${shown}, about no rows, is not a certificate that a row pins for it`,
      );
  }

  /** An answer in an export that has not the row which introduces its anchor. @returns whether it was a timestamp that the reader can have checked, and was. */
  unintroduced(name: unknown, size: unknown, proof: Uint8Array | null, places: ProofPlaces): boolean {
    if (this.#given === null || typeof name !== "string" || proof === null || readProof(proof)?.type !== "timestamp")
      return false;
    if (!this.#known.has(name) && this.#known.size < MAX_ANCHORS) this.#known.set(name, newAnchor("timestamp", null));
    this.stored(name, size, proof, places);
    return true;
  }

  /** One row of the table. */
  stored(name: unknown, size: unknown, proof: unknown, places: ProofPlaces): void {
    const shown = shownName(name);
    const at = typeof size === "number" && Number.isSafeInteger(size) && size > 0 ? size : null;
    const known = typeof name === "string" ? this.#known.get(name) : undefined;
    const wrong = (code: "anchor-forged" | "anchor-foreign", why: string): void =>
      this.#findings.add(code, at === null ? null : at - 1, `a proof stored for the anchor ${shown} ${why}`);
    if (known === undefined) return wrong("anchor-foreign", "is of an anchor that no row introduces");
    if (at === null) return wrong("anchor-forged", "is about a size that no log has");
    const read = proof instanceof Uint8Array ? readProof(proof) : null;
    if (read === null || read.type === "certificate" || read.type !== known.type)
      return wrong("anchor-forged", "is not a proof of its kind");
    const note = places.noteAt(at);
    if (note === null) return wrong("anchor-forged", `is about ${at} rows, of which there is no checkpoint`);
    const time =
      read.type === "witness"
        ? cosigned(read.line, note, known)
        : stamped(read.response, read.time, note, this.#authoritiesOf(known));
    if (typeof time === "string") return wrong("anchor-forged", `of ${at} rows ${time}`);
    const covered = places.timeAt(at);
    if (covered !== null && time.ms + CLOCKS_MS < Date.parse(covered)) {
      this.#findings.add(
        "anchor-time",
        at - 1,
        `the anchor ${shown} says that it saw row ${at - 1} at ${new Date(time.ms).toISOString()}, and the row says that it was written at ${covered}`,
      );
      return;
    }
    // Of more proofs than are remembered the oldest are not compared with the tree: the newest says more.
    if (at <= places.size && places.rootAt(at) === null) return;
    if (at > (known.best?.size ?? 0)) known.best = { size: at, vkey: time.vkey, pin: time.pin };
  }

  /** @returns null where nobody vouches for this authority. */
  #authoritiesOf(known: Known): Authorities | null {
    if (this.#given !== null) return this.#given;
    if (known.pins.size === 0) return null;
    known.authorities ??= new Authorities([...known.certificates.values()]);
    return known.authorities;
  }

  /** Says what only the end of the log shows: what was promised and is not there.
   *  @param whole whether all rows were read: else it is not known what is promised. @returns the newest good proof of each anchor that has any. */
  end(places: ProofPlaces, whole = true): AnchorVerdict[] {
    const verdicts: AnchorVerdict[] = [];
    for (const [name, { type, promised, reached, conflict, best, pins, certificates }] of this.#known) {
      if (type !== "witness" && type !== "timestamp") continue;
      if (whole && pins.size > certificates.size && promised !== null)
        this.#findings.add(
          "anchor-missing",
          promised,
          `row ${promised} pins a certificate for the anchor ${name}, and it is not stored: it was deleted or damaged`,
        );
      const verdict = best === null ? null : this.#compared(name, type, best, places);
      if (verdict !== null) verdicts.push(verdict);
      if (promised === null || !whole) continue;
      const holds = verdict?.good === true ? verdict.size : 0;
      if (holds === 0 || holds < reached)
        this.#findings.add(
          "anchor-missing",
          promised,
          reached === 0
            ? `row ${promised} promises the anchor ${name}, and there is no good proof of it: it was never reached`
            : `the anchor ${name} held ${reached} rows, and ${holds === 0 ? "no good proof of it is stored" : `the newest good proof stored is of ${holds}`}: proofs were deleted or damaged`,
        );
      if (conflict !== null)
        this.#findings.add(
          "anchor-conflict",
          conflict,
          `the anchor ${name} holds another history of this log: an older copy of it was put back, or it was continued in two places`,
        );
    }
    return verdicts;
  }

  #compared(name: string, type: "witness" | "timestamp", best: Best, places: ProofPlaces): AnchorVerdict {
    const { size } = places;
    const by = type === "witness" ? "outside" : "timestamp";
    const found = places.rootAt(best.size);
    const given = this.#given !== null;
    const pin = type === "timestamp" ? { pin: best.pin, given } : {};
    const verdict = { by, name, size: best.size, time: found?.at ?? null, vkey: best.vkey, ...pin } as const;
    if (best.size > size) {
      this.#findings.add(
        "rolled-back",
        size,
        `the log has ${size} rows, and the anchor ${name} covers ${best.size}: rows were cut off, or an older copy was put back`,
      );
      return { ...verdict, good: false };
    }
    const note = places.noteAt(best.size);
    const good = note !== null && found !== null && rootOf(note) === found.root;
    if (!good)
      this.#findings.add(
        "forked",
        null,
        `the first ${best.size} rows are not those that the anchor ${name} was signed for: this is another history`,
      );
    return { ...verdict, good };
  }
}

/** When an anchor saw a checkpoint, and what says that it was this anchor. */
interface Seen {
  readonly ms: number;
  readonly vkey: string | null;
  readonly pin: string | null;
}

/** @returns when, or what is wrong. */
function cosigned(line: string, note: string, { keys, vkeys }: Known): Seen | string {
  try {
    const { text } = parseCheckpoint(note);
    for (const [index, key] of keys.entries()) {
      const found = findCosignature(line, text, key);
      if (found !== null) return { ms: found.time * 1000, vkey: vkeys[index] ?? null, pin: null };
    }
    return "is not signed with the key that its witness was added with";
  } catch (error) {
    if (!(error instanceof NoteError)) throw error;
    return "is not one: the checkpoint or the cosignature was changed";
  }
}

/** @param authorities null: its time and what it is about are compared, as far as bytes show them, and its signature is not. */
function stamped(response: Uint8Array, time: string, note: string, authorities: Authorities | null): Seen | string {
  const ms = generalizedTime(time);
  const digest = hash("sha256", note, "buffer");
  if (ms === null || !stamps(response, digest.toString("hex"), time))
    return "is a timestamp of something else, or of another time";
  if (authorities === null) return { ms, vkey: null, pin: null };
  const checked = authorities.check(response, digest);
  if (typeof checked === "string") return checked;
  return checked.ms === ms ? { ms, vkey: null, pin: checked.pin } : "is a timestamp of another time";
}

function newAnchor(type: AnchorType, promised: number | null): Known {
  const trusted = { pins: new Set<string>(), certificates: new Map<string, Uint8Array>(), authorities: null };
  return { type, keys: [], vkeys: [], promised, reached: 0, conflict: null, best: null, ...trusted };
}

/** @returns null for what is no checkpoint: a timestamp may be of any bytes. */
function rootOf(note: string): string | null {
  try {
    return parseCheckpoint(note).root;
  } catch (error) {
    if (error instanceof NoteError) return null;
    throw error;
  }
}

function shownName(name: unknown): string {
  return JSON.stringify(typeof name === "string" ? name.slice(0, 64) : null);
}

function keyOf(vkey: string): VerifierKey | null {
  try {
    return parseWitnessVkey(vkey);
  } catch (error) {
    if (error instanceof NoteError) return null;
    throw error;
  }
}
