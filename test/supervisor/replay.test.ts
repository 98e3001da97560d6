import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { NO_ITEMS, rootWith } from "../../src/ipc/item-digest.ts";
import { packRequest, unpack } from "../../src/ipc/items.ts";
import { compared, type RequestRecord } from "../../src/supervisor/replay.ts";
import type { Told } from "../../src/supervisor/transcript.ts";
import { Rows } from "./transcript-world.ts";

const SETUP = { instructions: "be brief", tools: [] };

/** What a row would hold of a request that shows this. */
function recorded(told: readonly Told[]): RequestRecord {
  const packed = packRequest({ ...SETUP, messages: told.map(({ message }) => message) }, 0);
  const items = unpack(packed).map(({ head, body }) => ({
    head: Buffer.from(head).toString("utf8"),
    sha256: createHash("sha256").update(body).digest("hex"),
    bytes: body.length,
  }));
  return { root: Buffer.from(rootWith(NO_ITEMS, packed)).toString("hex"), items };
}

function talk(answer: string): Rows {
  const rows = new Rows();
  rows.message("look at it");
  rows.answer({ text: "", calls: [{ id: "a", name: "look", arguments: "{}" }] });
  rows.result(rows.called("look", "a"), answer);
  return rows;
}

test("a request whose rows make the same bytes is the same", () => {
  const { now } = talk("found").transcript;
  expect(compared(recorded(now), SETUP, now)).toEqual({ verdict: "same", why: null });
});

test("one whose rows make others is different, and it is said which message", () => {
  const record = recorded(talk("found").transcript.now);
  const other = talk("forged").transcript.now;
  expect(compared(record, SETUP, other)).toMatchObject({
    verdict: "different",
    why: "message 3 (a result, row 4) is another",
  });
  expect(compared(record, SETUP, other.slice(0, 2))).toMatchObject({
    verdict: "different",
    why: expect.stringContaining("had 3 messages"),
  });
  expect(compared(record, { ...SETUP, instructions: "be long" }, talk("found").transcript.now)).toMatchObject({
    verdict: "different",
    why: "the system prompt or the tools are other ones",
  });
  // The items are those, and the row commits to something else.
  expect(compared({ ...record, root: "0".repeat(64) }, SETUP, talk("found").transcript.now).verdict).toBe("different");
});

test("what was erased is neither the same nor different; what stands beside it may still differ", () => {
  const rows = talk("found");
  const record = recorded(rows.transcript.now);
  rows.erase(0);
  expect(compared(record, SETUP, rows.transcript.now)).toEqual({ verdict: "not provable", why: "content erased" });
  expect(compared(null, SETUP, rows.transcript.now).verdict).toBe("not provable");
  const other = talk("forged");
  other.erase(0);
  expect(compared(record, SETUP, other.transcript.now)).toMatchObject({ verdict: "different" });
});
