import { createHash } from "node:crypto";
import type { ActionOf } from "../../audit/action.ts";
import { generalizedTime, stamps, timestampProof } from "../../audit/anchor-proof.ts";
import type { Authorities } from "../../audit/authorities.ts";
import { findCosignature, parseWitnessVkey } from "../../audit/cosignature.ts";
import type { AuditLog, StoredCheckpoint } from "../../audit/log.ts";
import { NoteError, parseCheckpoint } from "../../audit/note.ts";
import { copyNote, readCopy } from "./anchor-file.ts";
import type { AnchorAnswer, AnchorProcess } from "./anchor-process.ts";

/** An anchor's clock may be so far behind the last row that it covers, in milliseconds: the verifier's own number. */
const CLOCKS_MS = 5 * 60_000;

/** What came of giving an anchor a checkpoint. `failed`: in the words of the record, with a sentence for the owner. */
export type Reached =
  | { readonly state: "held"; readonly size: number }
  | { readonly state: "failed"; readonly reason: ActionOf<"anchor.failed">["reason"]; readonly sentence: string };

/** Gives one anchor a checkpoint and checks what comes back, before anything is stored. It throws only for what the log itself does. */
export interface AnchorPlace {
  /** @returns with `proof` what is to be stored of the answer. */
  reach(checkpoint: StoredCheckpoint): Promise<Reached & { readonly proof?: Uint8Array }>;
  close(): Promise<void>;
}

export class WitnessPlace implements AnchorPlace {
  readonly #log: AuditLog;
  readonly #process: AnchorProcess;
  readonly #vkey: string;
  /** What the witness holds, as far as is known. */
  readonly #held: () => number;

  constructor(parts: { log: AuditLog; process: AnchorProcess; vkey: string; held: () => number }) {
    this.#log = parts.log;
    this.#process = parts.process;
    this.#vkey = parts.vkey;
    this.#held = parts.held;
  }

  async reach(checkpoint: StoredCheckpoint): Promise<Reached & { readonly proof?: Uint8Array }> {
    const first = await this.#submit(this.#held(), checkpoint);
    if (first.state !== "holds") return this.#judge(first, checkpoint);
    // It answered for another checkpoint that this log does not know of: a crash fell between its answer and our note of it.
    if (first.size > checkpoint.size)
      return failed(
        "conflict",
        `it holds ${first.size} rows of this log, and the log has ${checkpoint.size}: an older copy was put back, or it was continued in two places`,
      );
    const second = await this.#submit(first.size, checkpoint);
    return second.state === "holds"
      ? failed("bad-answer", "it names another size each time")
      : this.#judge(second, checkpoint);
  }

  async #submit(old: number, { size, note }: StoredCheckpoint): Promise<AnchorAnswer> {
    const from = Math.min(old, size);
    const proof = from === 0 || from === size ? [] : await this.#log.anchors.growth(from, size);
    return await this.#process.submit(from, proof, note);
  }

  #judge(answer: AnchorAnswer, { size, note }: StoredCheckpoint): Reached & { readonly proof?: Uint8Array } {
    if (answer.state === "failed") return ofFailure(answer, this.#log);
    if (answer.state !== "cosigned") return failed("bad-answer", "it answered something else");
    try {
      const found = findCosignature(answer.lines, parseCheckpoint(note).text, parseWitnessVkey(this.#vkey));
      if (found === null) return failed("bad-answer", "its answer is not signed with the key that was given for it");
      return tooEarly(this.#log, size, found.time * 1000) ?? { state: "held", size, proof: Buffer.from(found.line) };
    } catch (error) {
      if (!(error instanceof NoteError)) throw error;
      return failed("bad-answer", `its answer is no good cosignature: ${error.message}`);
    }
  }

  async close(): Promise<void> {
    await this.#process.stop();
  }
}

export class TimestampPlace implements AnchorPlace {
  readonly #log: AuditLog;
  readonly #process: AnchorProcess;
  readonly #authorities: Authorities | null;

  /** @param authorities who vouches for it; null where nobody was named, and its signature is for others to check. */
  constructor(log: AuditLog, process: AnchorProcess, authorities: Authorities | null) {
    this.#log = log;
    this.#process = process;
    this.#authorities = authorities;
  }

  async reach({ size, note }: StoredCheckpoint): Promise<Reached & { readonly proof?: Uint8Array }> {
    const answer = await this.#process.stamp(note);
    if (answer.state === "failed") return ofFailure(answer, this.#log);
    if (answer.state !== "stamped") return failed("bad-answer", "it answered something else");
    const { response, time } = answer;
    const ms = generalizedTime(time);
    const digest = createHash("sha256").update(note).digest();
    if (ms === null || !stamps(response, digest.toString("hex"), time))
      return failed("bad-answer", "its answer is not a timestamp of what was asked");
    const checked = this.#authorities?.check(response, digest) ?? { ms };
    if (typeof checked === "string") return failed("bad-answer", `its answer ${checked}`);
    if (checked.ms !== ms) return failed("bad-answer", "its answer is of another time than was read");
    return tooEarly(this.#log, size, ms) ?? { state: "held", size, proof: timestampProof(time, response) };
  }

  async close(): Promise<void> {
    await this.#process.stop();
  }
}

/** A file on another disk: it holds the newest checkpoint and nothing else. */
export class FilePlace implements AnchorPlace {
  readonly #log: AuditLog;
  readonly #path: string;

  constructor(log: AuditLog, path: string) {
    this.#log = log;
    this.#path = path;
  }

  async reach({ size, note }: StoredCheckpoint): Promise<Reached> {
    const before = await readCopy(this.#path);
    if (before.state === "unreachable") return failed("unreachable", before.sentence);
    if (before.state === "found") {
      const wrong = this.#log.compare(before.note);
      // What it vouches for is not overwritten: it is the evidence.
      if (wrong !== null) return failed(wrong.code === "foreign" ? "refused" : "conflict", wrong.sentence);
    }
    const trouble = await copyNote(this.#path, note);
    return trouble === null ? { state: "held", size } : failed("unreachable", trouble);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function failed(reason: ActionOf<"anchor.failed">["reason"], sentence: string): Reached & { state: "failed" } {
  return { state: "failed", reason, sentence };
}

function ofFailure(answer: Extract<AnchorAnswer, { state: "failed" }>, log: AuditLog): Reached {
  if (answer.reason !== "unknown-key") return failed(answer.reason, answer.sentence);
  // After a change of the log's key its witnesses have to be told the new one.
  return log.epoch > 1
    ? failed(
        "new-key",
        `it does not know this log's new key yet: on its machine run wirken witness add-log ${log.vkey}`,
      )
    : failed("refused", `it does not know this log's key: on its machine run wirken witness add-log ${log.vkey}`);
}

function tooEarly(log: AuditLog, size: number, ms: number): Reached | null {
  const last = log.row(size - 1);
  if (last === null || ms + CLOCKS_MS >= Date.parse(last.at)) return null;
  return failed(
    "bad-answer",
    `its clock says ${new Date(ms).toISOString()}, and the newest row that it saw is of ${last.at}: one of the two clocks is wrong`,
  );
}
