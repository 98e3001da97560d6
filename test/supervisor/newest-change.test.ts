import { expect, test } from "vitest";
import type { AuditLog } from "../../audit/log.ts";
import { newestChange } from "../../src/supervisor/boot.ts";
import { anId, beginLog, recordTurn } from "../support/audit-fixture.ts";
import { ownFolder } from "../support/folder.ts";

const [FROM, TO] = ["0".repeat(64), "1".repeat(64)];

/** @returns the rows of its beginning and its end. */
async function changed(log: AuditLog, to: number, kind: "vault.changed" | "vault.change.abandoned" | null) {
  const intent = await log.record<"vault.changing">(
    {
      kind: "vault.changing",
      change: "content-key",
      scope: `audit/content/${anId("s")}`,
      from: to - 1,
      fromRoot: FROM,
      to,
      toRoot: TO,
    },
    { cause: null },
  );
  intent.redeem();
  const end = kind === null ? null : await intent.finish({ kind });
  return { seq: intent.seq, ended: end?.seq ?? null };
}

/** How often the log is searched. */
function counted(log: AuditLog) {
  const searched: number[] = [];
  const rows: AuditLog["rows"] = (filter) => {
    const found = log.rows(filter);
    searched.push(found[0]?.seq ?? -1);
    return found;
  };
  return { searched, found: newestChange({ rows, row: (seq) => log.row(seq), size: log.size }) };
}

test("the newest change of the vault is found behind an opening that names how it ended, without a search of what lies before", async () => {
  const made = await beginLog(ownFolder());
  const { log } = made;
  expect(newestChange(log)).toBeNull();
  await changed(log, 1, "vault.changed");
  const second = await changed(log, 2, "vault.change.abandoned");
  await recordTurn(made);
  expect(newestChange(log)).toMatchObject({ ...second, action: { to: 2 }, outcome: "vault.change.abandoned" });

  // An unlocking in between names none.
  await log.append({ kind: "vault.opened", protector: "keychain", generation: 2 }, { cause: null });
  expect(newestChange(log)).toMatchObject({ ...second, outcome: "vault.change.abandoned" });
  const { seq: opened } = await log.append(
    { kind: "vault.opened", protector: "keychain", generation: 2, ended: second.ended ?? 0 },
    { cause: null },
  );
  for (let turn = 0; turn < 3; turn++) await recordTurn(made);
  const { searched, found } = counted(log);
  expect(searched).toEqual([opened]);
  expect(found).toMatchObject({ ...second, action: { to: 2 }, outcome: "vault.change.abandoned" });

  // What came after an opening counts before what that names.
  const third = await changed(log, 3, null);
  expect(newestChange(log)).toMatchObject({ seq: third.seq, action: { to: 3 }, outcome: null, ended: null });
  await log.close();
});
