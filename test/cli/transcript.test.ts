import { expect, test } from "vitest";
import { parseTranscript, patternOf } from "./transcript.ts";

test("a transcript is read as commands with what they say and end with", () => {
  const { title, steps } = parseTranscript(
    '# a title\n$ wirken ask "a b" - < in\\nput\nout\n! err\n= 2\n& wirken start\n',
  );
  expect(title).toBe("a title");
  expect(steps).toEqual([
    { background: false, words: ["ask", "a b", "-"], input: "in\nput", stdout: ["out"], stderr: ["err"], status: 2 },
    { background: true, words: ["start"], input: "", stdout: [], stderr: [], status: 0 },
  ]);
});

test.for([
  [["a", "b"], "a\nb\n", true],
  [["a", "b"], "a\n", false],
  [["a"], "a\nb\n", false],
  [[], "", true],
  [[], "noise\n", false],
  [["in {home}"], "in /h\n", true],
  [["in {home}"], "in /x\n", false],
  [["{any} rows"], "12 rows\n", true],
  [["{any} rows"], "1\n2 rows\n", false],
  [["a", "...", "z"], "a\nb\nc\nz\n", true],
  [["a.c"], "abc\n", false],
] as const)("the lines %j against %j: %s", ([lines, text, matches]) => {
  expect(patternOf(lines, "/h").test(text)).toBe(matches);
});
