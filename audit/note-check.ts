import type { ActionOf } from "./action.ts";
import { readBody } from "./entry.ts";
import type { Findings } from "./findings.ts";
import type { Protector } from "./head.ts";
import { isActionOf } from "./kinds.ts";
import { Frontier } from "./merkle.ts";
import { isSignedBy, NoteError, parseCheckpoint, parseVkey, type SignedCheckpoint, type VerifierKey } from "./note.ts";

/** A new key every day for twenty-seven years; a hostile file may introduce one a row. */
const MAX_EPOCHS = 10_000;

/** One key's time: it signs the checkpoints of sizes above `from`, up to and with the rotation's. */
interface KeyEpoch {
  readonly key: VerifierKey;
  readonly protector: Protector;
  readonly from: number;
}

/** The same, as it is told to another thread. */
export interface EpochNamed {
  readonly vkey: string;
  readonly protector: Protector;
  readonly from: number;
}

/** A stored checkpoint whose signature is good: the root that was signed, and the tree if the stored one is that. */
export interface Signed {
  readonly root: string;
  readonly frontier: Frontier | null;
}

/** Keeps the keys of a log as its rows introduce them, and checks the checkpoints of each. */
export class NoteCheck {
  readonly #findings: Findings;
  readonly #epochs: KeyEpoch[] = [];
  #genesis: ActionOf<"log.opened"> | null = null;
  #checked = 0;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  get genesis(): ActionOf<"log.opened"> | null {
    return this.#genesis;
  }
  get epochs(): readonly KeyEpoch[] {
    return this.#epochs;
  }
  /** Stored checkpoints with a good signature. */
  get checked(): number {
    return this.#checked;
  }

  get named(): EpochNamed[] {
    return this.#epochs.map(({ key: { vkey }, protector, from }) => ({ vkey, protector, from }));
  }

  /** Goes on behind rows that are looked at elsewhere. @param epochs the keys that they introduce. @param checked their good checkpoints. */
  resume(epochs: readonly EpochNamed[], checked: number): void {
    this.#checked = checked;
    this.#epochs.length = 0;
    for (const { vkey, protector, from } of epochs) this.#epochs.push({ key: parseVkey(vkey), protector, from });
  }

  /** Reads row 0. */
  open(body: string): void {
    const row = readBody(body);
    const action = row === null ? null : { ...row.fields, kind: row.kind };
    if (action === null || !isActionOf("log.opened", action)) {
      this.#findings.add("genesis", 0, "row 0 is not the beginning of a log");
      return;
    }
    const key = keyOf(action.vkey);
    if (key === null || key.name !== action.origin || action.format !== 1) {
      this.#findings.add("genesis", 0, "row 0 introduces no key of this log");
      return;
    }
    this.#genesis = action;
    this.#epochs.push({ key, protector: action.protector, from: 0 });
  }

  /** Checks the note of a checkpoint row. @param body the row's; of `log.checkpointed` or `key.rotated`. */
  stored(size: number, kind: string, body: string, note: string, frontierText: string): Signed | null {
    const seq = size - 1;
    const epoch = this.#epochs.at(-1);
    const rotated = kind === "key.rotated" ? this.#rotation(seq, body) : null;
    if (epoch === undefined) return null;
    const checkpoint = this.#read(seq, note);
    if (checkpoint === null) return null;
    const keys = rotated === null ? [epoch.key] : [epoch.key, rotated.key];
    if (rotated !== null) this.#epochs.push(rotated);
    if (checkpoint.origin !== epoch.key.name || checkpoint.size !== size) {
      this.#findings.add(
        "checkpoint-changed",
        seq,
        `the checkpoint of ${size} rows is one of other rows, or of another log`,
      );
      return null;
    }
    if (checkpoint.signatures.length !== keys.length || !keys.every((key) => good(checkpoint, key))) {
      const whose = rotated === null ? "the log's key of that time" : "both the old and the new key";
      this.#findings.add("checkpoint-forged", seq, `the checkpoint of ${size} rows is not signed with ${whose}`);
      return null;
    }
    this.#checked += 1;
    const frontier = Frontier.parse(size, frontierText);
    const fits = frontier?.root() === checkpoint.root;
    if (!fits)
      this.#findings.add(
        "checkpoint-frontier",
        seq,
        `the tree stored with the checkpoint of ${size} rows is not the one that was signed`,
      );
    return { root: checkpoint.root, frontier: fits ? frontier : null };
  }

  #read(seq: number, note: string): SignedCheckpoint | null {
    try {
      return parseCheckpoint(note);
    } catch (error) {
      if (!(error instanceof NoteError)) throw error;
      this.#findings.add("checkpoint-changed", seq, `the checkpoint of ${seq + 1} rows is damaged: ${error.message}`);
      return null;
    }
  }

  #rotation(seq: number, body: string): KeyEpoch | null {
    const row = readBody(body);
    const action = row === null ? null : { ...row.fields, kind: row.kind };
    const last = this.#epochs.at(-1);
    if (action === null || !isActionOf("key.rotated", action) || last === undefined) {
      this.#findings.add("rotation", seq, `row ${seq} introduces no key`);
      return null;
    }
    const key = keyOf(action.vkey);
    const known = this.#epochs.some((epoch) => epoch.key.id === key?.id);
    if (this.#epochs.length >= MAX_EPOCHS) {
      this.#findings.add("rotation", seq, `row ${seq} introduces one key more than ${MAX_EPOCHS}, which no log has`);
      return null;
    }
    if (key === null || key.name !== last.key.name || known || action.epoch !== this.#epochs.length + 1) {
      this.#findings.add("rotation", seq, `row ${seq} introduces a key that does not follow the one before it`);
      return null;
    }
    return { key, protector: action.protector, from: seq + 1 };
  }

  /** Reads a checkpoint that is kept elsewhere. @returns why it says nothing of this log, or the checkpoint. */
  elsewhere(note: string): SignedCheckpoint | "malformed" | "foreign" | "forged" {
    let checkpoint: SignedCheckpoint;
    try {
      checkpoint = parseCheckpoint(note);
    } catch {
      return "malformed";
    }
    if (checkpoint.origin !== this.#epochs[0]?.key.name) return "foreign";
    const epoch = this.#epochs.findLast(({ from }) => from < checkpoint.size) ?? this.#epochs[0];
    // A log that was cut lacks the rows that introduce later keys; then an older key's signature is still looked for.
    const keys = epoch === undefined ? [] : [epoch.key];
    return keys.some((key) => good(checkpoint, key)) ? checkpoint : "forged";
  }
}

function good(checkpoint: SignedCheckpoint, key: VerifierKey): boolean {
  try {
    return isSignedBy(checkpoint, key);
  } catch (error) {
    if (error instanceof NoteError) return false;
    throw error;
  }
}

/** @returns null for what is no key. */
export function keyOf(vkey: string): VerifierKey | null {
  try {
    return parseVkey(vkey);
  } catch (error) {
    if (error instanceof NoteError) return null;
    throw error;
  }
}
