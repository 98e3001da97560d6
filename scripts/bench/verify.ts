import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as z from "zod/mini";
import { bulkLog } from "../../test/support/audit-fixture.ts";
import { type Figure, median, ratio, spread } from "./figure.ts";

const ROWS = 1_000_000;
const ROUNDS = 5;

/** `busy`: seconds that a processor was at it, whatever else the machine did. */
const Measured = z.strictObject({ seconds: z.number(), busy: z.number(), megabytes: z.number() });

/** In a process of its own: what it holds at the most is its own. */
export function measured(
  what: "verify" | "threads" | "baseline" | "signatures",
  path: string,
  vkey: string,
): z.infer<typeof Measured> {
  const child = join(import.meta.dirname, "verify-child.ts");
  const printed = execFileSync(process.execPath, ["--no-warnings", child, what, path, vkey], { encoding: "utf8" });
  return Measured.parse(JSON.parse(printed));
}

/** Verification of a million rows against reading them in pages and hashing them, nothing else: by the time that a processor was at it. */
export function verifyFigures(): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), "wirken-bench-"));
  try {
    const { path, vkey } = bulkLog(folder, ROWS);
    const pairs = Array.from({ length: ROUNDS }, () => ({
      ours: measured("verify", path, vkey),
      threads: measured("threads", path, vkey),
      baseline: measured("baseline", path, vkey),
      signatures: measured("signatures", path, vkey),
    }));
    const shares = pairs.map(({ ours, baseline }) => baseline.busy / ours.busy);
    const unsigned = pairs.map(({ ours, baseline, signatures }) => baseline.busy / (ours.busy - signatures.busy));
    const seconds = median(pairs.map(({ ours }) => ours.seconds));
    const peakOf = (of: "ours" | "threads"): number => Math.max(...pairs.map((pair) => pair[of].megabytes));
    const [peak, together] = [peakOf("ours"), peakOf("threads")];
    const times = pairs.map(({ ours, threads }) => ours.seconds / threads.seconds);
    return Promise.resolve([
      {
        what: "a million rows: chain and tree, against reading and hashing",
        measured: spread(unsigned, ratio),
        budget: "≥ 0.8 ×",
        met: median(unsigned) >= 0.8,
      },
      {
        what: "all of audit verify, signatures too, against the same",
        measured: `${spread(shares, ratio)}; ${seconds.toFixed(2)} s, of which signatures ${median(pairs.map(({ signatures }) => signatures.busy)).toFixed(2)} s`,
        budget: "≥ 0.8 ×",
        met: median(shares) >= 0.8,
      },
      {
        what: "the same in two threads, against one",
        measured: spread(times, ratio),
        budget: null,
        met: null,
      },
      { what: "its memory at the most", measured: `${peak.toFixed(0)} MB`, budget: "≤ 160 MB", met: peak <= 160 },
      { what: "in two threads", measured: `${together.toFixed(0)} MB`, budget: null, met: null },
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
