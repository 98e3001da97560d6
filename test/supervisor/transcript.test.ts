import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Life, Rows } from "./transcript-world.ts";

test("whatever happens, each request of an agent is what its rows make, byte for byte, after a restart too", () => {
  let requests = 0;
  fc.assert(
    fc.property(fc.array(fc.nat(), { minLength: 60, maxLength: 600 }), (drawn) => {
      let at = 0;
      const draw = (most: number): number => (drawn[at++ % drawn.length] ?? 0) % Math.max(1, most);
      const life = new Life(draw);
      for (let turn = 0; turn < 6; turn++) {
        if (draw(4) === 0) life.restart();
        life.turn(`message ${turn}`);
      }
      requests += life.requests;
      expect(life.differs).toEqual([]);
    }),
    { seed: 9, numRuns: 200 },
  );
  expect(requests).toBeGreaterThan(1_000);
});

test("results stand in the order of their calls, whichever came first", () => {
  const rows = new Rows();
  rows.message("look at both");
  rows.answer({ text: "", calls: [call("a"), call("b")] });
  const [first, second] = [rows.called("look", "a"), rows.called("look", "b")];
  rows.result(second, "B");
  rows.result(first, "A");
  expect(rows.messages.slice(2)).toMatchObject([
    { call: "a", text: "A" },
    { call: "b", text: "B" },
  ]);
});

test("a call that was begun and one that was not say so where no result came", () => {
  const rows = new Rows();
  rows.message("look at both");
  rows.answer({ text: "", calls: [call("a"), call("b")] });
  rows.called("look", "a");
  rows.message("and then?");
  expect(rows.messages.slice(2, 4)).toMatchObject([
    { call: "a", text: "[no result: it was interrupted, and its effect is unknown]" },
    { call: "b", text: "[not run: the turn ended before it]" },
  ]);
});

test("what was erased says so in its place, and a call whose answer was erased stays with its result", () => {
  const rows = new Rows();
  const said = rows.message("my secret");
  const answer = rows.answer({ text: "I look", calls: [call("a")] });
  const called = rows.called("look", "a");
  const result = rows.result(called, "found");
  for (const seq of [said - 1, answer, called, result]) rows.erase(seq);
  rows.message("and then?");
  expect(rows.messages).toEqual([
    { role: "user", text: "[erased]" },
    { role: "assistant", text: "[erased]", calls: [{ id: `row_${called}`, name: "look", arguments: "{}" }] },
    { role: "tool", call: `row_${called}`, name: "look", text: "[erased]" },
    { role: "user", text: "and then?" },
  ]);
  expect(rows.transcript.now.map(({ erased }) => erased)).toEqual([true, true, true, false]);
});

function call(id: string) {
  return { id, name: "look", arguments: "{}" };
}
