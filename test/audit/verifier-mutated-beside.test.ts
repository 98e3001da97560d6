import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BESIDE_CONDITIONS, BESIDE_FILES, BESIDE_LIKELY, BESIDE_SECOND_LINES } from "./tampering/checks-beside.ts";
import { anchorCases } from "./tampering/anchor-cases.ts";
import type { Case } from "./tampering/case.ts";
import { exportCases } from "./tampering/export-cases.ts";
import { prunedCases } from "./tampering/pruned-cases.ts";
import { verifierWithSwitches } from "./tampering/verifier-without.ts";

/** The verifier of what stands beside the rows (anchors, what was pruned, exports), mutated as the one of the rows is: with any one check taken away some
 *  case is answered otherwise, unless the check is a second line, named with what finds the same. */

const switches = await verifierWithSwitches(BESIDE_FILES, BESIDE_CONDITIONS);
const folder = mkdtempSync(join(tmpdir(), "wirken-beside-"));
const cases: Case[] = [];
const meets = new Map<string, Case[]>();
/** What the whole verifier says of each. */
const whole = new Map<Case, string[]>();

beforeAll(async () => {
  for (const make of [anchorCases, prunedCases, exportCases]) cases.push(...(await make(folder)));
  for (const one of cases) {
    const { result, met } = switches.watch(() => findingsOf(one));
    whole.set(one, result);
    for (const check of met) meets.set(check, [...(meets.get(check) ?? []), one]);
  }
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Code and row of each, in an order of their own. */
function findingsOf({ path, options }: Case): string[] {
  const { findings } = switches.verifier.verifySync(path, options);
  return findings.map(({ code, seq }) => `${code} ${String(seq)}`).toSorted();
}

/** With this check away, is this case not answered as it should be? One that makes the verifier fail altogether is not. */
function survives(check: string, one: Case): boolean {
  try {
    return switches.without(check, () => findingsOf(one)).join() !== whole.get(one)?.join();
  } catch {
    return true;
  }
}

/** Those whose finding the check is named after, or that are told, come first: one of them it is, most of the time. */
function candidates(check: string): Case[] {
  const told = BESIDE_LIKELY.get(check.slice(check.indexOf(": ") + 2));
  const likely = (one: Case): number =>
    one.name === told || codesOf(one).some((code) => check.includes(`"${code}"`)) ? 0 : 1;
  return (meets.get(check) ?? []).toSorted((a, b) => likely(a) - likely(b));
}

function codesOf(one: Case): string[] {
  return [...new Set(whole.get(one)?.map((line) => line.split(" ", 1).join("")))];
}

test("with all checks each case is answered as it should be", () => {
  expect(cases.length).toBeGreaterThan(80);
  expect(cases.map((one) => [one.name, ...codesOf(one)])).toEqual(cases.map(({ name, codes }) => [name, ...codes]));
});

describe("without", () => {
  const firstLines = switches.checks.filter((check) => !Object.hasOwn(BESIDE_SECOND_LINES, check));
  test.for(firstLines)("%s", { timeout: 60_000 }, (check) => {
    expect(candidates(check).find((one) => survives(check, one))?.name).toBeDefined();
  });
});

test("every second line is a check that there is, without which each case is still answered, and what stands before it is none itself", () => {
  for (const [check, { before }] of Object.entries(BESIDE_SECOND_LINES)) {
    expect(switches.checks).toContain(check);
    expect(
      (meets.get(check) ?? []).filter((one) => survives(check, one)).map(({ name }) => name),
      check,
    ).toEqual([]);
    if (!before.includes(".ts: ")) continue;
    expect(switches.checks, check).toContain(before);
    expect(Object.keys(BESIDE_SECOND_LINES), check).not.toContain(before);
  }
});
