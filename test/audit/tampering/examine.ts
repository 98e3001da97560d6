import { createHash } from "node:crypto";
import { existsSync, lstatSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { sentences, Verdict, VerifyOptions, verifySync } from "../../../audit/verify.ts";
import { Copy } from "./hand.ts";
import { copyLog, FILES, killedLog, type Original, closingLog, wholeLog } from "./original.ts";
import { Known, type Tampering } from "./tampering.ts";

/** The verifier under test: the project's own, or one with a check taken away. */
export interface Verifier {
  readonly verifySync: typeof verifySync;
  readonly sentences: typeof sentences;
}

export type Logs = Readonly<Record<"whole" | "killed" | "closing", Known>>;

/** Controls and marks that change the order of text: no sentence holds one, whatever the file says. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/** Makes the logs that the table is about, in a folder. */
export async function makeLogs(folder: string): Promise<Logs> {
  const made = async (how: (folder: string) => Promise<Original>): Promise<Known> =>
    new Known(await how(mkdtempSync(join(folder, "log-"))));
  return { whole: await made(wholeLog), killed: await made(killedLog), closing: await made(closingLog) };
}

/** What a reader has who was handed the key, has the vault open, and looks a minute later. */
export function options({ original }: Known): VerifyOptions {
  return { vkey: original.signers[0]?.vkey ?? "", sealer: original.sealer, now: original.now + 60_000 };
}

/** Tampers with a copy and lets a verifier look at it.
 *  @returns null if its answer is the one that the table has, else what it said instead. */
export function examine(verifier: Verifier, tampering: Tampering, logs: Logs): string | null {
  const log = logs[tampering.of ?? "whole"];
  const folder = copyLog(log.original.folder);
  try {
    const copy = new Copy(folder);
    const before = digestOf(folder);
    tampering.does(copy, log);
    if (digestOf(folder) === before) return "the tampering changed nothing";
    return answer(verifier, copy.path, log, tampering);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function answer(verifier: Verifier, path: string, log: Known, { found, given }: Tampering): string | null {
  const how = { ...options(log), ...given?.(log) };
  const verdict = verifier.verifySync(path, how);
  const raw = [...verdict.findings, ...verdict.warnings].find(({ sentence }) => UNSEEN.test(sentence));
  if (raw !== undefined) return `a sentence is not shown escaped: ${JSON.stringify(raw.sentence)}`;
  if ("code" in found) return broken(verdict, found.code, found.seq(log));
  if ("warning" in found) {
    const said = verdict.warnings.some(({ code, seq }) => code === found.warning && seq === found.seq(log));
    return said && verdict.findings.length === 0 ? null : told(verdict);
  }
  const words = verifier.sentences(verdict).join("\n");
  const named = "named" in found ? found.named : found.never;
  if (verdict.state !== "good" || !named.test(words)) return told(verdict);
  const anchors = [{ name: "elsewhere", note: log.original.outside }];
  const anchored = verifier.verifySync(path, { ...how, anchors });
  if ("outside" in found) return broken(anchored, found.outside, found.seq(log));
  return anchored.state === "good" && named.test(verifier.sentences(anchored).join("\n")) ? null : told(anchored);
}

function broken(verdict: Verdict, code: string, seq: number | null): string | null {
  const { findings, state } = verdict;
  const named = findings.some((finding) => finding.code === code && finding.seq === seq);
  const earlier = findings.find((finding) => finding.seq !== null && seq !== null && finding.seq < seq);
  return state === "broken" && named && earlier === undefined ? null : `not ${code} ${String(seq)}: ${told(verdict)}`;
}

function told({ state, findings, warnings }: Verdict): string {
  return `${state}; ${listed(findings.slice(0, 8))}; ${listed(warnings)}`;
}

function listed(all: readonly { code: string; seq: number | null }[]): string {
  return all.map(({ code, seq }) => `${code} ${String(seq)}`).join(", ");
}

/** Of the files as they lie there, links as links. */
export function digestOf(folder: string): string {
  const digest = createHash("sha256");
  for (const name of FILES) {
    const path = join(folder, name);
    if (!existsSync(path)) continue;
    digest.update(`${name} ${String(lstatSync(path).isSymbolicLink())} `);
    digest.update(readFileSync(path));
  }
  return digest.digest("hex");
}
