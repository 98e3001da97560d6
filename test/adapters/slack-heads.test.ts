import { expect, test } from "vitest";
import { MAX_CURSOR } from "../../src/ipc/adapter-frames.ts";
import { after, Heads } from "../../adapters/slack/heads.ts";

test("how far each conversation is on the log is read back, and never goes backward", () => {
  const heads = new Heads(null);
  heads.advance({ place: "D0ADA", thread: null, ts: "18.000100" });
  heads.advance({ place: "D0ADA", thread: null, ts: "17.000100" });
  heads.advance({ place: "C0OPS", thread: "16.000001", ts: "19.000100" });
  heads.begin({ place: "C0OPS", thread: "16.000001", ts: "99.000100" });
  const again = new Heads(heads.encoded());
  expect(again.all).toEqual([
    { place: "D0ADA", thread: null, ts: "18.000100" },
    { place: "C0OPS", thread: "16.000001", ts: "19.000100" },
  ]);
  again.leave("C0OPS");
  expect(again.encoded()).toBe("D0ADA::18.000100");
});

test("the newest two hundred conversations are remembered, and fit into what is saved", () => {
  const heads = new Heads(null);
  for (let i = 0; i < 250; i++)
    heads.advance({ place: `C${String(i).padStart(10, "0")}`, thread: "1700000000.000100", ts: "1700000000.000100" });
  const cursor = heads.encoded();
  expect(cursor.length).toBeLessThan(MAX_CURSOR);
  const { all } = new Heads(cursor);
  expect(all).toHaveLength(200);
  expect(all[0]?.place).toBe("C0000000050");
});

test.for(["", "1234@5", "D0ADA::", "d/../x::17.1", "D0ADA:17.1", " "])("%j is no place to go on from", (cursor) => {
  expect(new Heads(cursor).all).toEqual([]);
});

test.for([
  ["18.000001", "18.000000", true],
  ["18.000000", "18.000001", false],
  ["18.000001", "18.000001", false],
  ["100.0", "99.9", true],
  ["18.1", "18.05", true],
] as const)("%s after %s: %s", ([one, other, later]) => {
  expect(after(one, other)).toBe(later);
});
