import fc from "fast-check";
import { expect, test } from "vitest";
import { TurnGate } from "../../src/supervisor/turn-gate.ts";

const ROUNDS = process.env["WIRKEN_TEST_ROUNDS"] === "long" ? 5_000 : 200;
const never = new AbortController().signal;

/** @returns what has begun so far, in order. */
function asking(gate: TurnGate, names: readonly string[]): string[] {
  const begun: string[] = [];
  for (const name of names) void gate.enter(name, never).then(() => begun.push(name));
  return begun;
}

async function settled(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}

test("a person who floods takes half of the turns at most, and another begins at once", async () => {
  const gate = new TurnGate(8, 4);
  const begun = asking(gate, [...Array<string>(100).fill("flood"), "ada"]);
  await settled();
  expect(begun).toEqual(["flood", "flood", "flood", "flood", "ada"]);
});

test("when all turns run, the next is of whoever has the fewest, however long others' list is", async () => {
  const gate = new TurnGate(4, 2);
  const begun = asking(gate, ["a", "a", "b", "b", "a", "a", "b", "b", "ada"]);
  await settled();
  expect(begun).toEqual(["a", "a", "b", "b"]);
  gate.leave("a");
  await settled();
  expect(begun.slice(4)).toEqual(["ada"]);
  gate.leave("ada");
  await settled();
  // Then it goes on where it was.
  expect(begun.slice(5)).toEqual(["a"]);
});

test("who gives up waits no more, and keeps nobody waiting", async () => {
  const gate = new TurnGate(1, 1);
  const stop = new AbortController();
  await gate.enter("a", never);
  const waiting = gate.enter("b", stop.signal);
  const last = asking(gate, ["c"]);
  stop.abort(new Error("stopped"));
  await expect(waiting).rejects.toThrow("stopped");
  await expect(gate.enter("b", stop.signal)).rejects.toThrow("stopped");
  gate.leave("a");
  await settled();
  expect(last).toEqual(["c"]);
});

test("however turns come and end, no limit is passed, and no turn waits that might run", async () => {
  const step = fc.oneof(fc.record({ ask: fc.constantFrom("a", "b", "c", "d") }), fc.record({ end: fc.nat() }));
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
      const gate = new TurnGate(5, 2);
      const running: string[] = [];
      let waiting: string[] = [];
      for (const one of steps) {
        if ("ask" in one) {
          waiting.push(one.ask);
          void gate.enter(one.ask, never).then(() => {
            waiting = waiting.toSpliced(waiting.indexOf(one.ask), 1);
            running.push(one.ask);
          });
        } else if (running.length > 0) gate.leave(running.splice(one.end % running.length, 1)[0] ?? "");
        await settled();
        const of = (name: string): number => running.filter((other) => other === name).length;
        expect(running.length).toBeLessThanOrEqual(5);
        for (const name of "abcd") expect(of(name)).toBeLessThanOrEqual(2);
        if (running.length < 5) for (const name of waiting) expect(of(name)).toBe(2);
      }
    }),
    { numRuns: ROUNDS / 4, seed: 6 },
  );
});
