import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bulkLog } from "../../test/support/audit-fixture.ts";
import { type Figure, median } from "./figure.ts";
import { measured } from "./verify.ts";

const SIZES = [10_000, 100_000, 1_000_000];
const ROUNDS = 3;

/** What verification costs a row, from a small log to a large one: it grows with the log and not faster. */
export function growthFigures(): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), "wirken-bench-"));
  try {
    const figures = SIZES.map((rows): Figure => {
      const place = join(folder, String(rows));
      mkdirSync(place);
      const { path, vkey } = bulkLog(place, rows);
      const seconds = median(Array.from({ length: ROUNDS }, () => measured("verify", path, vkey).seconds));
      const each = (seconds / rows) * 1e6;
      return {
        what: `verify ${rows.toLocaleString("en")} rows`,
        measured: `${seconds.toFixed(3)} s, ${each.toFixed(2)} µs a row`,
        budget: null,
        met: null,
      };
    });
    return Promise.resolve(figures);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
