import { expect, test } from "vitest";
import { CredentialView, isCredentialView } from "../../src/ipc/vault-calls.ts";

const AT = "2026-11-23T22:31:00.000Z";
const GOOD = {
  scope: "channel/slack",
  names: ["app-token", "bot-token"],
  version: 3,
  fallback: 2,
  created: AT,
  checked: true,
  lastCheck: { result: "good", at: AT },
  account: "@wirken in workspace Acme",
  expires: AT,
  rotationDue: AT,
  lastUsed: AT,
  hosts: ["slack.com"],
  header: null,
};
const VALUES = [null, undefined, 1, -1, 1.5, 2 ** 53, Number.NaN, true, "x", "x".repeat(25), [], [1], ["a"], {}, AT];
const CHECKS = [
  { result: "odd", at: AT },
  { result: "good" },
  { result: "good", at: 1 },
  { ...GOOD.lastCheck, more: 1 },
];

test("a credential's view is told from what is none by hand as by its schema, whatever one of its fields holds", () => {
  const fields = Object.keys(GOOD);
  const others: unknown[] = [GOOD, null, [], "x", { ...GOOD, more: 1 }];
  for (const field of fields) {
    for (const value of [...VALUES, ...CHECKS]) others.push({ ...GOOD, [field]: value });
    others.push(Object.fromEntries(Object.entries(GOOD).filter(([name]) => name !== field)));
    others.push({ ...Object.fromEntries(Object.entries(GOOD).filter(([name]) => name !== field)), other: 1 });
  }
  const verdicts = others.map((value) => [isCredentialView(value), CredentialView.safeParse(value).success]);
  for (const [nth, [byHand, bySchema]] of verdicts.entries())
    expect(byHand, JSON.stringify(others[nth])).toBe(bySchema);
  expect(new Set(verdicts.map(([byHand]) => byHand))).toEqual(new Set([true, false]));
});
