import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ed25519Signer, newOrigin } from "../../support/audit-ports.ts";
import { rounds } from "../../support/claims-random.ts";
import { MALFORMED_KEYS, MALFORMED_NOTES, ROOT, SIZE } from "../malformed-notes.ts";
import { CONDITIONS, FILES_OF_CHECKS, LIKELY, SECOND_LINES } from "./checks.ts";
import { examine, type Logs, makeLogs } from "./examine.ts";
import { TABLE } from "./table.ts";
import type { Tampering } from "./tampering.ts";
import { verifierWithSwitches } from "./verifier-without.ts";

/** The verifier, mutated: with any one check taken away some tampering is not found any more (or not by its name), unless the check is a second line,
 *  named with what finds the same. */

const switches = await verifierWithSwitches(FILES_OF_CHECKS, CONDITIONS);
const ofNotes = switches.checks.filter((check) => check.startsWith("note.ts"));
const ofLogs = switches.checks.filter((check) => !check.startsWith("note.ts"));
const firstLines = (checks: readonly string[]): string[] =>
  checks.filter((check) => !Object.hasOwn(SECOND_LINES, check));

const folder = mkdtempSync(join(tmpdir(), "wirken-mutated-"));
const tamperings = Object.values(TABLE).flat();
let logs: Logs;
/** The tamperings that come by a check. */
const meets = new Map<string, Tampering[]>();

beforeAll(async () => {
  logs = await makeLogs(folder);
  for (const tampering of tamperings) {
    const { result, met } = switches.watch(() => examine(switches.verifier, tampering, logs));
    if (result !== null) throw new Error(`with all checks, ${tampering.name}: ${result}`);
    for (const check of met) meets.set(check, [...(meets.get(check) ?? []), tampering]);
  }
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** With this check away, is this tampering not answered as it should be? One that makes the verifier fail altogether is not. */
function survives(check: string, tampering: Tampering): boolean {
  try {
    return switches.without(check, () => examine(switches.verifier, tampering, logs)) !== null;
  } catch {
    return true;
  }
}

function codeOf({ found }: Tampering): string {
  return "code" in found ? found.code : "outside" in found ? found.outside : "warning" in found ? found.warning : "";
}

/** Those whose finding the check is named after come first: one of them it is, most of the time. */
function candidates(check: string): Tampering[] {
  const told = LIKELY.find(([part]) => check.includes(part))?.[1];
  const likely = (one: Tampering): number =>
    check.includes(`"${codeOf(one)}"`) || (told !== undefined && one.name.includes(told)) ? 0 : 1;
  return (meets.get(check) ?? []).toSorted((a, b) => likely(a) - likely(b));
}

describe("without", () => {
  test.for(firstLines(ofLogs))("%s", { timeout: 60_000 }, (check) => {
    expect(candidates(check).find((tampering) => survives(check, tampering))?.name).toBeDefined();
  });

  test.for(firstLines(ofNotes))("%s", (check) => {
    expect(switches.without(check, accepted), "notes or keys that are accepted then").not.toEqual([]);
  });
});

const origin = newOrigin();
const signer = ed25519Signer(origin);
const signed = switches.notes.signCheckpoint({ origin, size: SIZE, root: ROOT }, [signer]);

/** Which of the notes and keys that must be refused are not. */
function accepted(): string[] {
  const { parseCheckpoint, parseVkey, isSignedBy, NoteError } = switches.notes;
  const takes = (run: () => boolean): boolean => {
    try {
      return run();
    } catch (error) {
      // One that breaks the parser is not refused either.
      return !(error instanceof NoteError);
    }
  };
  const key = parseVkey(signer.vkey);
  const [text = "", line = ""] = signed.split("\n\n");
  const forged = `${text}\n\n${line.replace(/.{8}\n$/, (end) => `${end.startsWith("A") ? "B" : "A"}${end.slice(1)}`)}`;
  return [
    ...MALFORMED_NOTES.filter(([, change]) => takes(() => parseCheckpoint(change(signed)).size > 0)).map(
      ([what]) => what,
    ),
    ...MALFORMED_KEYS.filter(([, vkey]) => takes(() => parseVkey(vkey).vkey === vkey)).map(([what]) => what),
    ...["a forged signature", "two signatures of one key"].filter(
      (what, at) =>
        takes(() => isSignedBy(parseCheckpoint(at === 0 ? forged : `${signed}${line}`), key)) && what !== "",
    ),
  ];
}

test("with every check in place each of those notes and keys is refused", () => {
  expect(accepted()).toEqual([]);
});

test("every second line is a check that there is, and what stands before it is no second line itself", () => {
  for (const [check, { before }] of Object.entries(SECOND_LINES)) {
    expect(switches.checks).toContain(check);
    if (before.includes(".ts: ")) {
      expect(switches.checks, check).toContain(before);
      expect(Object.keys(SECOND_LINES), check).not.toContain(before);
    }
  }
});

// Takes every tampering for each of them: before a release.
test.for(rounds(0, 1) === 0 ? [] : Object.keys(SECOND_LINES))(
  "%s is a second line indeed",
  { timeout: 300_000 },
  (check) => {
    expect(
      check.startsWith("note.ts")
        ? switches.without(check, accepted)
        : tamperings.filter((one) => survives(check, one)).map(({ name }) => name),
    ).toEqual([]);
  },
);
