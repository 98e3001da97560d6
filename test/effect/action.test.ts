import fc from "fast-check";
import { expect, test } from "vitest";
import { ActionError, decodeAction, encodeAction, type ToolAction } from "../../src/effect/action.ts";

const EXEC: ToolAction = {
  type: "exec",
  workspace: "/w",
  argv: ["sh", "-c", "echo ü"],
  write: true,
  stdin: "in",
  timeoutSeconds: 60,
  files: [{ path: "a", digest: "0".repeat(64) }],
};

test("an action is read back as it was written", () => {
  expect(decodeAction(encodeAction(EXEC))).toEqual(EXEC);
  expect(encodeAction({ ...EXEC, type: "exec" })).toEqual(encodeAction(EXEC));
});

test("an action has one form: the same in other words is none", () => {
  const text = Buffer.from(encodeAction(EXEC)).toString();
  for (const other of [
    ` ${text}`,
    `${text}\n`,
    text.replace('"write":true', '"write": true'),
    text.replace("ü", "\\u00fc"),
    text.replace('{"type":"exec","workspace":"/w"', '{"workspace":"/w","type":"exec"'),
    text.replace('"write":true', '"write":true,"more":1'),
    text.replace('"write":true', '"write":false,"write":true'),
    text.replace('"timeoutSeconds":60', '"timeoutSeconds":6e1'),
    "null",
    "",
  ]) {
    expect(() => decodeAction(Buffer.from(other))).toThrow(ActionError);
  }
});

test("no flipped bit leaves it the same action", () => {
  const bytes = encodeAction(EXEC);
  fc.assert(
    fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
      const flipped = bytes.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      let read: ToolAction | null = null;
      try {
        read = decodeAction(flipped);
      } catch (error) {
        if (!(error instanceof ActionError)) throw error;
      }
      expect(read).not.toEqual(EXEC);
    }),
    { numRuns: 1000 },
  );
});
