import { expect, test } from "vitest";
import { usageText } from "../../src/cli/usage-text.ts";

const names = (): string[] => ["add", "list"];

test.for([
  ["error: unknown command 'ad'", ["vault", "ad"], { sentence: "unknown command ad", hint: "did you mean add?" }],
  [
    "error: unknown command 'zzzz'",
    ["vault", "zzzz"],
    { sentence: "unknown command zzzz", hint: "commands: add, list" },
  ],
  [
    "error: missing required argument 'seq'",
    ["audit", "show", "--json"],
    { sentence: "missing required argument seq", hint: "see: wirken audit show --help" },
  ],
] as const)("%s is said in our words", ([message, words, said]) => {
  expect(usageText(message, words, names)).toEqual(said);
});
