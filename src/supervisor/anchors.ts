import { realpathSync, statSync } from "node:fs";
import { dirname, isAbsolute, relative } from "node:path";
import type { AuditLog } from "../../audit/log.ts";
import { Authorities, fingerprint } from "../../audit/authorities.ts";
import { readCertificate } from "../../audit/certificate.ts";
import { DerError } from "../../audit/der.ts";
import { parseWitnessVkey } from "../../audit/cosignature.ts";
import { NoteError } from "../../audit/note.ts";
import { AnchorUrl } from "../ipc/anchor-frames.ts";
import type { OperatorCall, AnswerTo } from "../ipc/operator.ts";
import type { AnchorHistory, AnchorSpec } from "./anchor-history.ts";
import { type AnchorPlace, FilePlace, type Reached, TimestampPlace, WitnessPlace } from "./anchor-places.ts";
import { AnchorProcess } from "./anchor-process.ts";
import { AnchorRun } from "./anchor-run.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";
import type { Processes } from "./processes.ts";
import type { KeychainState } from "./vault-keeper.ts";

type AddCall = Extract<OperatorCall, { call: "audit.anchor.add" }>;
type AnchorView = AnswerTo<"audit.anchor.list">["anchors"][number];

/** Anchors are a handful: each costs a process. */
const MAX_ANCHORS = 16;

export interface AnchorsParts {
  readonly log: AuditLog;
  readonly history: AnchorHistory;
  readonly processes: Processes;
  /** The data directory. */
  readonly home: string;
  readonly probe: (maxAgeMs: number) => Promise<KeychainState>;
  readonly line: (role: string, line: string) => void;
}

/** The anchors that this log promises, and what each of them holds. */
export class Anchors {
  readonly #parts: AnchorsParts;
  readonly #history: AnchorHistory;
  readonly #runs = new Map<string, AnchorRun>();
  #end: (() => void) | null = null;

  constructor(parts: AnchorsParts) {
    this.#parts = parts;
    this.#history = parts.history;
    this.#history.onRotation(() => void this.#rotated());
  }

  /** Is the pin promised beside what the vault's protector promises? */
  get pinned(): boolean {
    return this.#history.promised.some(({ type }) => type === "keychain");
  }

  /** Is one of them asked over the network? */
  get remote(): boolean {
    return this.#history.promised.some(({ type }) => type === "witness" || type === "timestamp");
  }

  /** Goes on with each promised anchor. Nothing waits for them. */
  start(cause: number): void {
    const { log } = this.#parts;
    if (this.#end !== null) return;
    for (const spec of this.#history.promised) this.#run(spec, cause)?.wanted();
    this.#end = log.onCheckpoint(() => {
      for (const run of this.#runs.values()) run.wanted();
    });
  }

  async #rotated(): Promise<void> {
    for (const run of this.#runs.values())
      await run.rotated().catch((error: unknown) => this.#line(run.spec.name, error));
  }

  #line(name: string, error: unknown): void {
    this.#parts.line("anchor", `${name}: ${error instanceof Error ? error.message : String(error)}`);
  }

  #run(spec: AnchorSpec, cause: number | null, place = this.#place(spec, cause)): AnchorRun | null {
    if (place === null) return null;
    const { log, line } = this.#parts;
    const run = new AnchorRun({ log, history: this.#history, spec, place, line: (text) => line("anchor", text) });
    this.#runs.set(spec.name, run);
    return run;
  }

  #place(
    { name, type, place, vkey, pins }: Omit<AnchorSpec, "seq">,
    cause: number | null,
    pinned: readonly Uint8Array[] = this.#stored(name, pins),
  ): AnchorPlace | null {
    const { log, processes } = this.#parts;
    if (place === null) return null;
    if (type === "file") return new FilePlace(log, place);
    if (type === "keychain") return null;
    const process = new AnchorProcess(processes, { name, type, url: place, cause });
    if (type === "timestamp")
      return new TimestampPlace(log, process, pins.length === 0 ? null : new Authorities(pinned));
    return new WitnessPlace({ log, process, vkey: vkey ?? "", held: () => log.anchors.newest(name) });
  }

  /** The certificates that were pinned, as they are stored. */
  #stored(name: string, pins: readonly string[]): Uint8Array[] {
    if (pins.length === 0) return [];
    const found = this.#parts.log.anchors.certificates(name).filter((der) => pins.includes(fingerprint(der)));
    if (found.length < pins.length) this.#line(name, new Error("a certificate that was pinned for it is not stored"));
    return found;
  }

  /** Adds an anchor: it is contacted at once and refused when it does not answer, unless `later`. @throws {OperatorError}. */
  async add(call: AddCall, who: By): Promise<AnswerTo<"audit.anchor.add">> {
    const { log } = this.#parts;
    const all = this.#history.promised;
    if (all.length >= MAX_ANCHORS)
      throw new OperatorError(
        "usage",
        `a log has at most ${MAX_ANCHORS} anchors`,
        "take one away: wirken audit anchor remove",
      );
    const { type, place, vkey, pinned } = this.#checked(call);
    const pins = pinned.map((der) => fingerprint(der));
    const name = this.#name(call, all);
    const same = all.find((one) => one.type === type && one.place === place);
    if (same !== undefined)
      throw new OperatorError("usage", `this is an anchor already: ${same.name}`, "see: wirken audit anchor list");
    if (type === "keychain") return await this.#addKeychain(name, call.later, who);
    const reachable = this.#place({ name, type, place, vkey, pins }, null, pinned);
    if (reachable === null) throw new OperatorError("usage", "an anchor needs a place");
    const checkpoint = await log.checkpoint("demand");
    let reached: Reached & { readonly proof?: Uint8Array };
    try {
      reached = await reachable.reach(checkpoint);
    } catch (error) {
      await reachable.close();
      throw error;
    }
    if (reached.state === "failed" && (!call.later || reached.reason === "conflict")) {
      await reachable.close();
      throw new OperatorError(
        reached.reason === "conflict" ? "bad-answer" : "not-ready",
        `${name} was not added: ${reached.sentence}`,
        reached.reason === "refused" && type === "witness"
          ? `on the witness's machine: wirken witness add-log ${log.vkey}`
          : "when it is to be reached only later, add --later",
      );
    }
    const { seq } = await log.append(
      { kind: "anchor.added", anchor: name, type, vkey, ...who, ...(pins.length === 0 ? {} : { pins: pins.join("") }) },
      { cause: null, content: place === null ? {} : { place }, certificates: pinned },
    );
    const spec = { name, type, place, vkey, pins, seq };
    const run = this.#run(spec, null, reachable);
    await run?.took(checkpoint, reached);
    run?.wanted();
    return { anchor: await this.#view(spec), notes: this.#notesOn(spec) };
  }

  async #addKeychain(name: string, later: boolean, who: By): Promise<AnswerTo<"audit.anchor.add">> {
    const { log, probe } = this.#parts;
    const keychain = await probe(0);
    if (keychain !== "works" && !later)
      throw new OperatorError(
        "not-ready",
        `the keychain cannot be used: it is ${keychain}`,
        "unlock or install it, or add --later",
      );
    const { seq } = await log.append(
      { kind: "anchor.added", anchor: name, type: "keychain", vkey: null, ...who },
      { cause: null },
    );
    const { size } = await log.checkpoint("demand");
    if (keychain === "works" && (await log.pin()))
      await log.append({ kind: "anchor.reached", anchor: name, size }, { cause: seq });
    return { anchor: await this.#view({ name, type: "keychain", place: null, vkey: null, pins: [], seq }), notes: [] };
  }

  #checked({ anchor }: AddCall): Pick<AnchorSpec, "type" | "place" | "vkey"> & { readonly pinned: Uint8Array[] } {
    switch (anchor.type) {
      case "keychain":
        return { type: "keychain", place: null, vkey: null, pinned: [] };
      case "file":
        return { type: "file", place: this.#filePlace(anchor.path), vkey: null, pinned: [] };
      case "timestamp": {
        const pinned = anchor.certificates.map((base64) => certificateOf(base64));
        return { type: "timestamp", place: AnchorUrl.parse(anchor.url), vkey: null, pinned };
      }
      case "witness":
        try {
          parseWitnessVkey(anchor.vkey);
        } catch (error) {
          if (!(error instanceof NoteError)) throw error;
          throw new OperatorError(
            "usage",
            error.message,
            "wirken witness serve prints the line to paste; a key of another witness is what its operator gives",
            { cause: error },
          );
        }
        return { type: "witness", place: AnchorUrl.parse(anchor.url), vkey: anchor.vkey, pinned: [] };
    }
  }

  #filePlace(path: string): string {
    if (!isAbsolute(path)) throw new OperatorError("usage", `${path} is not an absolute path`);
    let folder: string;
    try {
      folder = realpathSync(dirname(path));
    } catch {
      return path; // the disk is not there now
    }
    if (!relative(realpathSync(this.#parts.home), folder).startsWith(".."))
      throw new OperatorError("usage", "a file in the data directory is lost with it", "choose one on another disk");
    return path;
  }

  #name({ name, anchor }: AddCall, all: readonly AnchorSpec[]): string {
    const used = this.#history.types;
    if (name !== null) {
      if (all.some((one) => one.name === name))
        throw new OperatorError("usage", `there is an anchor ${name} already`, "choose another with --name");
      const before = used.get(name);
      if (before !== undefined && before !== anchor.type)
        throw new OperatorError("usage", `${name} was an anchor of another type once`, "choose another with --name");
      return name;
    }
    const free = [anchor.type, ...Array.from({ length: 10_000 }, (_, n) => `${anchor.type}-${n + 2}`)];
    return free.find((one) => !used.has(one)) ?? anchor.type;
  }

  #notesOn({ type, place, pins }: AnchorSpec): string[] {
    if (type === "timestamp" && pins.length === 0)
      return [
        "nobody vouches for this authority, so its signatures are not checked, and count for nothing: add it with --ca FILE, its root certificate",
      ];
    if (type !== "file" || place === null) return [];
    try {
      if (statSync(dirname(place)).dev === statSync(this.#parts.home).dev)
        return ["this file is on the same disk as the log: it is lost together with it"];
    } catch {
      // Not there now: added for later.
    }
    return [];
  }

  /** Takes a promise back. Proofs that are stored stay. @throws {OperatorError}. */
  async remove(name: string, who: By): Promise<AnswerTo<"audit.anchor.remove">> {
    const spec = this.#history.promised.find((one) => one.name === name);
    if (spec === undefined)
      throw new OperatorError("not-found", `there is no anchor ${name}`, "see: wirken audit anchor list");
    const run = this.#runs.get(name);
    this.#runs.delete(name);
    await run?.close();
    await this.#parts.log.append({ kind: "anchor.removed", anchor: name, ...who }, { cause: spec.seq });
    return { removed: name };
  }

  async list(): Promise<AnswerTo<"audit.anchor.list">> {
    return { anchors: await Promise.all(this.#history.promised.map((spec) => this.#view(spec))) };
  }

  async #view(spec: AnchorSpec): Promise<AnchorView> {
    const { log } = this.#parts;
    const { name, type, place, vkey, pins } = spec;
    const { state, size, sentence } = this.#runs.get(name)?.standing ?? this.#history.standing(spec);
    const last = size === 0 ? null : log.row(size - 1);
    return {
      name,
      type,
      place,
      vkey,
      pins: [...pins],
      state,
      size,
      time: last?.at ?? null,
      newer: log.size - size,
      note: sentence,
    };
  }

  /** Contacts every anchor now, without waiting. */
  now(): void {
    for (const run of this.#runs.values()) void run.now();
  }

  /** A sentence for each anchor that wants doing. */
  notes(): string[] {
    return [...this.#runs.values()].flatMap(({ spec, standing: { state, sentence, size } }) => {
      if (state === "good" || state === "never") return [];
      const what =
        state === "new-key"
          ? "awaits the log's new key"
          : state === "conflict"
            ? "contradicts this log"
            : "does not answer";
      return [`anchor ${spec.name} ${what} (it holds ${size} rows)${sentence === null ? "" : `: ${sentence}`}`];
    });
  }

  async close(): Promise<void> {
    this.#end?.();
    await Promise.all([...this.#runs.values()].map((run) => run.close()));
  }
}

/** @throws {OperatorError} unless it is a certificate that may vouch for an authority, or is an authority's own. */
function certificateOf(base64: string): Uint8Array {
  const der = new Uint8Array(Buffer.from(base64, "base64"));
  try {
    const { certifies, purposes } = readCertificate(der);
    if (certifies || purposes !== null) return der;
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    throw new OperatorError("usage", `this is no certificate: ${error.message}`, CA_HINT, { cause: error });
  }
  throw new OperatorError("usage", "this certificate may not certify others", CA_HINT);
}
const CA_HINT = "--ca FILE: the root certificate that the authority publishes, in PEM or DER";
