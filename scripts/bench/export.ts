import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as z from "zod/mini";
import { bulkLog } from "../../test/support/audit-fixture.ts";
import type { Figure } from "./figure.ts";

const ROWS = 1_000_000;

const Measured = z.strictObject({ seconds: z.number(), megabytes: z.number(), rows: z.int(), bytes: z.int() });

/** An export of a million rows: tiles, entries and the last sync included. */
export function exportFigures(): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), "wirken-bench-"));
  try {
    const { path } = bulkLog(folder, ROWS);
    const child = join(import.meta.dirname, "export-child.ts");
    const words = ["--no-warnings", child, path, join(folder, "out")];
    const printed = execFileSync(process.execPath, words, { encoding: "utf8" });
    const { seconds, megabytes, rows, bytes } = Measured.parse(JSON.parse(printed));
    if (rows !== ROWS) throw new Error(`${rows} rows were exported`);
    return Promise.resolve([
      {
        what: "a million rows, on disk",
        measured: `${seconds.toFixed(2)} s (${(bytes / 1e6).toFixed(0)} MB)`,
        budget: "≤ 10 s",
        met: seconds <= 10,
      },
      {
        what: "its memory at the most",
        measured: `${megabytes.toFixed(0)} MB`,
        budget: "≤ 256 MB",
        met: megabytes <= 256,
      },
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
