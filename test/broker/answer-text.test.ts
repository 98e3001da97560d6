import { expect, test } from "vitest";
import { readAnswer } from "../../src/broker/answer-text.ts";

test.for([
  ["approve K7Q2MX", { decision: "approve", code: "K7Q2MX", scope: "once", reason: null }],
  ["  Approve k7q2mx  ", { decision: "approve", code: "K7Q2MX", scope: "once", reason: null }],
  ["approve K7Q2MX session", { decision: "approve", code: "K7Q2MX", scope: "session", reason: null }],
  ["approve K7Q2MX ALWAYS", { decision: "approve", code: "K7Q2MX", scope: "always", reason: null }],
  ["deny K7Q2MX", { decision: "deny", code: "K7Q2MX", scope: "once", reason: null }],
  [
    "deny K7Q2MX not the right\nfolder",
    { decision: "deny", code: "K7Q2MX", scope: "once", reason: "not the right\nfolder" },
  ],
  ["approve K7Q2MX please", null],
  ["approve K7Q2M", null],
  ["approve K7Q2MU", null],
  ["please approve K7Q2MX", null],
  ["yes", null],
] as const)("%j is read as an answer to a card, or as none", ([text, answer]) => {
  expect(readAnswer(text)).toEqual(answer);
});
