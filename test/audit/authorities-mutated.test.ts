import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestCertificates } from "../support/test-certificates.ts";
import { type Answered, answersOf, STAMPED } from "./refused-timestamps.ts";
import type { SecondLine } from "./tampering/checks.ts";
import { conditionsOf, verifierWithSwitches } from "./tampering/verifier-without.ts";

/** The checks of a timestamp, mutated: with any one of them away a timestamp is good that must not be, unless the check is a second line. */

const switches = await verifierWithSwitches(
  [],
  [
    ...conditionsOf("authorities.ts", [
      ["!imprint.digest.equals(digest)", "false"],
      ["ms < found.from", "false"],
      ["ms > found.until", "false"],
      ["!purposes.critical", "false"],
      ["purposes.oids.length !== 1", "false"],
      ["purposes.oids[0] !== OID.timeStamping", "false"],
      ["!certificate.signs", "false"],
      ["wrong !== null", "false"],
      ["isSigned(algorithmOf(signer), found.key, signer.signed, signer.signature)", "true"],
      ["!issuer.certifies", "false"],
      ["!issuer.subject.equals(certificate.issuer)", "false"],
      ["certificate.certifies && further < 1", "false"],
      ["!isSigned(certificate.algorithm, theirs, certificate.signed, certificate.signature)", "false"],
      ['type?.tag !== TAG.oid || type.body.toString("hex") !== OID.tstInfo', "false"],
      ['!said.body.equals(hash(name, info, "buffer"))', "false"],
      ["first === undefined && second === undefined", "false"],
      ['digest.equals(hash(name, der, "buffer"))', "true"],
    ]),
    ...conditionsOf("certificate.ts", [
      ['type === "rsa" ? ⟦modulusLength < RSA_BITS⟧ :', "false"],
      ["critical && !HARMLESS.has(oid)", "false"],
      ["ca && ⟦(bits === null || (bits & 0x04) !== 0)⟧", "true"],
      ["certifies: ⟦ca⟧ &&", "true"],
    ]),
    ...conditionsOf("timestamp.ts", [
      ["!all.done", "false"],
      ["info.maybe(TAG.c1) !== null", "info.maybe(TAG.c1) === undefined"],
    ]),
  ],
);

const SECOND_LINES: Readonly<Record<string, SecondLine>> = {
  "authorities.ts: !issuer.subject.equals(certificate.issuer)": {
    before: "authorities.ts: !isSigned(certificate.algorithm, theirs, certificate.signed, certificate.signature)",
    why: "another's key has not signed it; the name says whose signature is worth trying",
  },
  'authorities.ts: type?.tag !== TAG.oid || type.body.toString("hex") !== OID.tstInfo': {
    before: "the type around it is read as a timestamp's alone",
    why: "what was signed as another type has that type around it, too, unless its maker wants it to be refused",
  },
};

const folder = mkdtempSync(join(tmpdir(), "wirken-authorities-"));
let good: readonly Answered[];
let refused: readonly Answered[];
beforeAll(() => ({ good, refused } = answersOf(new TestCertificates(folder))), 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function takes({ response, pinned }: Answered): boolean {
  try {
    return typeof new switches.Authorities(pinned).check(response, STAMPED) !== "string";
  } catch {
    // One that breaks the check is not refused either.
    return true;
  }
}

function accepted(answers: readonly Answered[]): string[] {
  return answers.filter((one) => takes(one)).map(({ name }) => name);
}

test("with every check in place the good ones are good, and each of the others is refused", () => {
  expect(accepted(good)).toEqual(good.map(({ name }) => name));
  expect(refused.length).toBeGreaterThan(20);
  expect(accepted(refused)).toEqual([]);
});

describe("without", () => {
  test.for(switches.checks.filter((check) => !Object.hasOwn(SECOND_LINES, check)))("%s", (check) => {
    expect(switches.without(check, () => accepted(refused))).not.toEqual([]);
  });
});

test("without a second line each of them is refused all the same", () => {
  for (const [check, { before }] of Object.entries(SECOND_LINES)) {
    expect(switches.checks).toContain(check);
    expect(Object.keys(SECOND_LINES)).not.toContain(before);
    expect(
      switches.without(check, () => accepted(refused)),
      check,
    ).toEqual([]);
  }
});
