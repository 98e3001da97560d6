import { statSync } from "node:fs";
import { verifyBundle } from "./bundle-verify.ts";
import { type Evidence, isReadInPlace, openCopy, openLive, unreadable } from "./evidence.ts";
import { Findings } from "./findings.ts";
import type { Sealer } from "./ports.ts";
import type { SpanFound } from "./span.ts";
import { checkInThreads, type Threads, type Work } from "./threads.ts";
import type { Verdict } from "./verdict.ts";
import { Verification } from "./verification.ts";

export {
  type FindingCode,
  sentences,
  type Verdict,
} from "./verdict.ts";

export interface Progress {
  readonly rows: number;
  /** Null while the log is copied. */
  readonly of: number | null;
}

/** What a verification asks for between two pages; most often nothing. */
export interface Step extends Progress {
  /** Spans that may be checked beside each other, if the caller likes: what they say is the answer to this step. */
  readonly work?: Work;
}

/** What the caller knows of the pin. `absent`: asked, and there is none. */
export type Pin = { readonly state: "found"; readonly note: string } | { readonly state: "absent" | "unreachable" };

export interface VerifyOptions {
  /** The log in use: read in place, in short transactions, up to the size it has at the start. Any other is copied first, and the copy read. */
  readonly live?: boolean;
  /** The key that the reader was given (of any of the log's epochs). Without it authenticity is not checked. */
  readonly vkey?: string;
  /** What the keychain holds; left out where it was not asked. */
  readonly pin?: Pin;
  /** Checkpoints kept by somebody whom this log's writer does not reach. */
  readonly anchors?: readonly { readonly name: string; readonly note: string }[];
  /** Certificates that the reader trusts to vouch for timestamp authorities, in DER. Then those that the log pins are not asked. */
  readonly authorities?: readonly Uint8Array[];
  /** What the promised anchors of the type `file` hold; left out where their places are not known. */
  readonly disks?: readonly ({ readonly name: string } & Pin)[];
  /** Opens content, so that its commitments are checked too. */
  readonly sealer?: Sealer;
  /** Checks every row's form and, of a large log in use, every page too. */
  readonly deep?: boolean;
  /** Leaves out the check of SQLite's pages, which cannot be done in pieces: for a log that others write to meanwhile. */
  readonly gentle?: boolean;
  /** The verifier's clock, in milliseconds since 1970. */
  readonly now?: number;
  /** Lets more than one thread look at a large log. The verdict is the same. Without a sealer only: the key to content stays in one thread. */
  readonly threads?: Threads;
  /** Where the private copy is made; the system's folder for temporary files when left out. */
  readonly scratch?: string;
}

/** Verifies a log, letting others run between pages.
 *  @throws {AuditError} AUDIT_UNREADABLE if there is no file, it may not be read, or it is written to each time it is copied. Everything else is a verdict. */
export async function verify(
  path: string,
  options: VerifyOptions = {},
  progress: (progress: Progress) => void = () => undefined,
): Promise<Verdict> {
  const steps = verifySteps(path, options);
  let found: readonly SpanFound[] | null | undefined;
  for (;;) {
    const step = steps.next(found);
    if (step.done === true) return step.value;
    const { rows, of, work } = step.value;
    progress({ rows, of });
    found =
      work === undefined || options.threads === undefined
        ? await nextTurn()
        : await checkInThreads(work, options.threads, (done) => progress({ rows: done, of }));
  }
}

async function nextTurn(): Promise<undefined> {
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** The same, all at once. */
export function verifySync(path: string, options: VerifyOptions = {}): Verdict {
  const steps = verifySteps(path, options);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** The same, a thousand rows a step. Whoever stops early calls `return()`, so that files are closed and the copy is deleted. */
export function* verifySteps(path: string, options: VerifyOptions = {}): Steps<Verdict> {
  if (options.live !== true && isFolder(path)) return yield* verifyBundle(path, new Findings(), options);
  const evidence =
    options.live === true && isReadInPlace(path) ? openLive(path) : yield* openCopy(path, options.scratch);
  if ("code" in evidence) {
    const findings = new Findings();
    findings.add(evidence.code, evidence.seq, evidence.sentence);
    return new Verification(null, findings, path, options).verdict();
  }
  try {
    const threaded = options.threads !== undefined && options.sealer === undefined;
    const good = threaded ? yield* inSpans(evidence, path, options) : null;
    return good ?? (yield* atOnce(evidence, path, options));
  } finally {
    evidence.close();
  }
}

type Steps<Result> = Generator<Step, Result, readonly SpanFound[] | null | undefined>;

/** @returns null if a span is not good. */
function* inSpans(evidence: Evidence, path: string, options: VerifyOptions): Steps<Verdict | null> {
  const verification = new Verification(evidence, new Findings(), path, options);
  try {
    return (yield* verification.run(true)) ? verification.verdict() : null;
  } catch (error) {
    if (unreadable(error) === null) throw error;
    return null;
  }
}

function* atOnce(evidence: Evidence, path: string, options: VerifyOptions): Steps<Verdict> {
  const findings = new Findings();
  const verification = new Verification(evidence, findings, path, options);
  try {
    yield* verification.run(false);
  } catch (error) {
    const finding = unreadable(error);
    if (finding === null) throw error;
    findings.add(finding.code, finding.seq, finding.sentence);
  }
  return verification.verdict();
}

/** An export is a folder; a log is a file. */
function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
