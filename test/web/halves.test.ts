import { createHash, randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { cut, digestOfHalves } from "../../src/web/halves.ts";

const secret = () => randomBytes(32).toString("base64url");

test("the two halves name the session that the supervisor knows", () => {
  const whole = secret();
  const halves = cut(whole);
  expect(halves).not.toBeNull();
  expect(digestOfHalves(halves?.cookie ?? "", halves?.key ?? "")).toBe(
    createHash("sha256").update(whole).digest("hex"),
  );
});

test("neither half is the secret, and the same secret is cut anew each time", () => {
  const whole = secret();
  const cuts = Array.from({ length: 20 }, () => cut(whole));
  const parts = cuts.flatMap((halves) => [halves?.cookie, halves?.key]);
  expect(parts).not.toContain(whole);
  expect(new Set(parts).size).toBe(40);
});

test.for(["", "short", "x".repeat(44), `${"A".repeat(42)}*`, `${"A".repeat(42)}B`])("%j is no half", (bad) => {
  expect(cut(bad)).toBeNull();
  expect(digestOfHalves(bad, secret())).toBeNull();
  expect(digestOfHalves(secret(), bad)).toBeNull();
});
