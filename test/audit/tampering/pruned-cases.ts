import { cpSync, mkdtempSync } from "node:fs";
import { join } from "node:path";
import { healthyLog, reopen } from "../../support/audit-fixture.ts";
import { sql, BY, type Case, type Harm } from "./case.ts";
import { Copy, isOf, signedAnew, withFields, linkedFrom } from "./hand.ts";

/** What may become of a log whose old bodies were taken out. */

/** Makes the cases in a folder. */
export async function prunedCases(folder: string): Promise<Case[]> {
  const at = mkdtempSync(join(folder, "pruned-"));
  const test = await healthyLog(at, 20);
  const log = await reopen(test);
  await log.checkpoint("start");
  const before = Math.floor(log.size / 2);
  await log.removal.prune({ before, held: () => false, cause: null, ...BY });
  await log.close();
  const options = { vkey: test.signer.vkey };
  const made = (name: string, codes: readonly string[], harm: Harm): Case => {
    const path = join(mkdtempSync(join(folder, "case-")), "audit.db");
    cpSync(test.path, path);
    harm(path);
    return { name, path, options, codes };
  };
  /** By whoever has the log's key: all that follows is made to fit. */
  const resigned =
    (change: (body: string) => string): Harm =>
    (path) => {
      const copy = new Copy(join(path, ".."));
      const rows = copy
        .rows()
        .map((row) => ({ ...row, body: isOf(row.body, "log.pruned") ? change(row.body) : row.body }));
      const from = rows.findIndex(({ body }) => isOf(body, "log.pruned"));
      const fresh = linkedFrom(rows, from);
      const notes = signedAnew(fresh, test.origin, () => [test.signer]);
      copy.edit((database) => {
        for (const { seq, body, hash } of fresh.slice(from))
          database.prepare("UPDATE entry SET body = ?, hash = ? WHERE seq = ?").run(body, hash, seq);
        for (const { size, note, frontier } of notes)
          if (size > from)
            database.prepare("UPDATE checkpoint SET note = ?, frontier = ? WHERE size = ?").run(note, frontier, size);
      });
    };
  return [
    made("pruned: nothing", [], () => undefined),
    made(
      "pruned: a body outside of it is emptied",
      ["content-stray", "row-emptied"],
      sql(`UPDATE entry SET body = '' WHERE seq = ${before + 5}`),
    ),
    made(
      "pruned: a body is put back",
      ["row-changed", "row-emptied"],
      sql(
        "UPDATE entry SET body = (SELECT body FROM entry WHERE seq = 0) WHERE seq = (SELECT min(seq) FROM entry WHERE body = '')",
      ),
    ),
    made(
      "pruned: a hash in it is changed",
      ["pruned", "rows-unsigned"],
      sql(
        `UPDATE entry SET hash = 'ab' || substr(hash, 3) WHERE seq = (SELECT max(seq) FROM entry WHERE body = '' AND seq < ${before} - 3)`,
      ),
    ),
    made(
      "pruned: the row says that others went, and its log's key signs that",
      ["pruned", "row-emptied"],
      resigned((body) => withFields(body, { from: Number(/"\$seq":(\d+)/.exec(body)?.[1]) })),
    ),
    made(
      "pruned: the row counts more than went, and its log's key signs that",
      ["row-emptied"],
      resigned((body) => withFields(body, { rows: Number(/"rows":(\d+)/.exec(body)?.[1]) + 1 })),
    ),
    made(
      "pruned: the row names other hashes, and its log's key signs that",
      ["pruned"],
      resigned((body) => body.replace(/"roots":"../, '"roots":"ab')),
    ),
  ];
}
