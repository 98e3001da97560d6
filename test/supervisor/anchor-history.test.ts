import { expect, test } from "vitest";
import type { AuditLog } from "../../audit/log.ts";
import { anId, beginLog } from "../support/audit-fixture.ts";
import { ownFolder } from "../support/folder.ts";
import { historyOf } from "./anchor-world.ts";

const BY = { by: anId("p"), via: "terminal" } as const;

async function added(log: AuditLog, anchor: string, place: string): Promise<void> {
  await log.append(
    { kind: "anchor.added", anchor, type: "file", vkey: null, ...BY },
    { cause: null, content: { place } },
  );
}

test("a start reads of each anchor what holds now: where it is, and how it stood when it was last tried", async () => {
  const { log } = await beginLog(ownFolder());
  const before = historyOf(log);
  await added(log, "usb", "/mnt/old");
  await added(log, "gone", "/mnt/gone");
  await log.append({ kind: "anchor.reached", anchor: "usb", size: 4 }, { cause: null });
  await log.append({ kind: "anchor.removed", anchor: "gone", ...BY }, { cause: null });
  await log.append({ kind: "anchor.removed", anchor: "usb", ...BY }, { cause: null });
  await added(log, "usb", "/mnt/usb");
  for (const size of [5, 6]) await log.append({ kind: "anchor.reached", anchor: "usb", size }, { cause: null });
  await log.append(
    { kind: "anchor.failed", anchor: "usb", reason: "unreachable" },
    { cause: null, content: { error: "no such disk" } },
  );
  const after = historyOf(log);
  const [spec] = after.promised;
  expect(after.promised).toMatchObject([{ name: "usb", place: "/mnt/usb" }]);
  expect([...after.types.keys()].toSorted()).toEqual(["gone", "usb"]);
  expect(spec === undefined ? null : after.standing(spec)).toEqual({
    state: "unreachable",
    size: 6,
    sentence: "no such disk",
  });
  expect(after.promised).toEqual(before.promised);
  await log.close();
});

test("of anchors a start reads a few rows, however often they were reached", async () => {
  const { log } = await beginLog(ownFolder());
  await added(log, "usb", "/mnt/usb");
  for (let size = 4; size < 40; size++)
    await log.append({ kind: "anchor.reached", anchor: "usb", size }, { cause: null });
  const read: number[] = [];
  const counted = new Proxy(log, {
    get: (target, name) => {
      if (name === "rows") throw new Error("the log was searched");
      if (name === "row")
        return (seq: number) => {
          read.push(seq);
          return target.row(seq);
        };
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  historyOf(counted);
  expect(read).toHaveLength(2);
  await log.close();
});
