import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { approvalText, decisionOf, decisionQuestion } from "../../src/cli/approval-card.ts";
import { mint } from "../../src/ipc/ids.ts";
import type { ApprovalView } from "../../src/ipc/operator.ts";

const card = "exec in the workspace, may write, no network\n\n  rm -r build\n";

function aView(over: Partial<ApprovalView> = {}): ApprovalView {
  return {
    approval: mint("approval"),
    code: "7F3K",
    at: "2026-11-23T22:31:00.000Z",
    expires: "2026-11-23T22:46:00.000Z",
    session: mint("session"),
    agent: "default",
    requester: "owner",
    channel: "terminal",
    key: "exec:rw",
    tier: 2,
    card,
    digest: createHash("sha256").update(card).digest("hex"),
    scopes: [{ scope: "once", means: "this command, now" }],
    decidable: true,
    elsewhere: null,
    ...over,
  };
}
const now = Date.parse("2026-11-23T22:32:00.000Z");

test("a card is shown whole, with its digest, its end and what each scope covers", () => {
  const view = aView();
  const text = approvalText(view, now);
  expect(text).toContain(card.trimEnd());
  expect(text).toContain(view.digest);
  expect(text).toContain("expires in 14 min");
  expect(text).toContain("once     this command, now");
});

test("a card that cannot be decided here says where it can", () => {
  const text = approvalText(aView({ decidable: false, elsewhere: "on the page" }), now);
  expect(text).toContain("it cannot be decided here: on the page");
  expect(text).not.toContain("it can be approved");
});

test("a requester's name cannot add a line to the card", () => {
  expect(approvalText(aView({ requester: "eve\napproved" }), now)).toContain("eve\\x0aapproved");
});

test.for([
  ["o", { decision: "approve", scope: "once" }],
  ["Once", { decision: "approve", scope: "once" }],
  ["session", { decision: "approve", scope: "session" }],
  ["d", { decision: "deny", reason: null }],
  ["deny: not on a Friday", { decision: "deny", reason: "not on a Friday" }],
  ["n later", { decision: "deny", reason: "later" }],
  ["denying", null],
  ["no", { decision: "deny", reason: null }],
  ["always", null],
  ["y", null],
  ["", null],
] as const)("the answer %j is taken as %j where once and session may be chosen", ([typed, meant]) => {
  expect(decisionOf(typed, ["once", "session"])).toEqual(meant);
});

test("the question names what may be chosen and nothing else", () => {
  expect(decisionQuestion(["once"])).toBe("[o]nce, [d]eny (and why)? ");
});
