import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as verifier from "../../../audit/verify.ts";
import { seeded } from "../../support/claims-random.ts";
import { examine, options } from "./examine.ts";
import { chained, type Copy, otherByte, otherHash } from "./hand.ts";
import { logsOfSizes } from "./original.ts";
import { Known, type Tampering } from "./tampering.ts";

/** Trees of sizes at which something changes: powers of two, one more, one less, and the width of a tile. */

const SIZES = [2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257];

const folder = mkdtempSync(join(tmpdir(), "wirken-sizes-"));
const logs = new Map<number, Known>();

beforeAll(async () => {
  const originals = await logsOfSizes(SIZES, (size) => mkdtempSync(join(folder, `${size}-`)));
  for (const original of originals) logs.set(original.rows.length, new Known(original));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function logOf(size: number): Known {
  const log = logs.get(size);
  if (log === undefined) throw new Error(`there is no log of ${size} rows`);
  return log;
}

/** Done to one row of a log. Where the row before a checkpoint's is edited together with its hash, only the next row tells. */
const HARMS: readonly [string, (seq: number) => Pick<Tampering, "does" | "found">][] = [
  [
    "its body edited",
    (seq) => ({
      does: (copy, log) => copy.run("UPDATE entry SET body = ? WHERE seq = ?", otherByte(log.bodies[seq] ?? ""), seq),
      found: { code: "row-changed", seq: () => seq },
    }),
  ],
  [
    "its hash edited",
    (seq) => ({
      does: (copy, log) =>
        copy.run("UPDATE entry SET hash = ? WHERE seq = ?", otherHash(log.rows[seq]?.hash ?? ""), seq),
      found: { code: "row-changed", seq: () => seq },
    }),
  ],
  [
    "its body edited and all later hashes recomputed",
    (seq) => ({
      does: (copy, log) => copy.store(chained(log.bodies.with(seq, otherByte(log.bodies[seq] ?? "")))),
      found: {
        code: "rows-unsigned",
        seq: (log) => {
          const covering = log.signed.find((at) => at >= seq) ?? 0;
          return log.lookedForFrom(seq, covering + 1);
        },
      },
    }),
  ],
  [
    "it deleted",
    (seq) => ({
      does: (copy: Copy) => copy.run("DELETE FROM entry WHERE seq = ?", seq),
      found: { code: "row-missing", seq: () => seq },
    }),
  ],
  [
    "its hash and the hash before exchanged",
    (seq) => ({
      does: (copy, log) => {
        copy.run("UPDATE entry SET hash = ? WHERE seq = ?", log.rows[seq - 1]?.hash ?? "", seq);
        copy.run("UPDATE entry SET hash = ? WHERE seq = ?", log.rows[seq]?.hash ?? "", seq - 1);
      },
      found: { code: "row-changed", seq: () => seq - 1 },
    }),
  ],
];

test.for(SIZES)("of %i rows a log is good, and with any one row harmed it is not", (size) => {
  const log = logOf(size);
  const anchors = [{ name: "elsewhere", note: log.original.outside }];
  expect(verifier.verifySync(join(log.original.folder, "audit.db"), { ...options(log), anchors })).toMatchObject({
    state: "good",
    size,
    newer: 0,
  });
  const random = seeded(size);
  const rows = new Set([0, size - 2, size - 1, Math.floor(random() * size)]);
  for (const seq of rows) {
    for (const [what, harm] of HARMS) {
      if (what.includes("before") && seq === 0) continue;
      // The last row is gone as if it had never been; that the checkpoint covers it tells.
      const last: Tampering["found"] = { code: "log-cut", seq: () => size - 1 };
      const harmed = harm(seq);
      const found = what === "it deleted" && seq === size - 1 ? last : harmed.found;
      const name = `${size} rows, row ${seq}: ${what}`;
      expect(examine(verifier, { name, ...harmed, found }, { whole: log, killed: log, closing: log }), name).toBeNull();
    }
  }
});

test.for(SIZES.slice(1))("a log of %i rows that is cut by one is not good, whatever is cut with it", (size) => {
  const log = logOf(size);
  const cut = (file: Parameters<Copy["cutTo"]>[1], found: Tampering["found"]): Tampering => ({
    name: "cut by one",
    does: (copy) => copy.cutTo(size - 1, file),
    found,
  });
  const logOnly = { whole: log, killed: log, closing: log };
  const rolledBack = { code: "rolled-back", seq: () => size - 1 } as const;
  expect(examine(verifier, cut("without its checkpoint file", rolledBack), logOnly)).toBeNull();
  const unseen = { named: /^no outside anchor/m, outside: "rolled-back", seq: () => size - 1 } as const;
  expect(examine(verifier, cut("with its checkpoint file", unseen), logOnly)).toBeNull();
});
