import { expect, test } from "vitest";
import { HiddenLine } from "../../src/cli/hidden-line.ts";

function typed(keys: string): { end: string | null; line: string } {
  const line = new HiddenLine();
  let end: string | null = null;
  for (const byte of new TextEncoder().encode(keys)) end ??= line.key(byte);
  return { end, line: new TextDecoder().decode(line.take()) };
}

test.for([
  ["abc\r", "line", "abc"],
  ["abc\n", "line", "abc"],
  ["abd\u007fc\r", "line", "abc"],
  ["aé\u007fb\r", "line", "ab"],
  ["wrong\u0015right\r", "line", "right"],
  ["a\u001b[Db\u001bOAc\r", "line", "abc"],
  ["\u001b[200~pasted\u001b[201~\r", "line", "pasted"],
  ["abc\rmore", "line", "abc"],
  ["abc\u0003", "interrupt", "abc"],
  ["\u0004", "interrupt", ""],
  ["a\u0004b\r", "line", "ab"],
  ["\u007f\u007fa\r", "line", "a"],
] as const)("the keys %j end as %s with %j", ([keys, end, line]) => {
  expect(typed(keys)).toEqual({ end, line });
});

test("what was taken is not kept", () => {
  const line = new HiddenLine();
  for (const byte of new TextEncoder().encode("secret")) line.key(byte);
  line.take();
  expect(line.take()).toEqual(new Uint8Array(0));
});
