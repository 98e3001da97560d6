import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MANIFEST } from "../../audit/export-folder.ts";
import { sentences, verifySync } from "../../audit/verify.ts";
import { healthyLog, reopen, type TestLog } from "../support/audit-fixture.ts";
import { exported, filesIn, rewriteManifest } from "../support/exported.ts";

/** An export comes from somebody who may want it to be believed, or whoever reads it to be harmed. */

const folder = mkdtempSync(join(tmpdir(), "wirken-bundle-"));
const [whole, part] = [join(folder, "whole"), join(folder, "part")];
let log: TestLog;
let vkey: string;
let size: number;
beforeAll(async () => {
  log = await healthyLog(folder, 10);
  vkey = log.signer.vkey;
  ({ size } = exported(log.path, whole));
  exported(log.path, part, { from: 20, to: 30 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function copyOf(from: string): string {
  const at = join(mkdtempSync(join(folder, "copy-")), "export");
  cpSync(from, at, { recursive: true });
  return at;
}

const codes = (at: string): string[] => verifySync(at, { vkey }).findings.map(({ code }) => code);

test("a good export is good, and says what of it is not disclosed", () => {
  expect(codes(whole)).toEqual([]);
  const verdict = verifySync(part, { vkey });
  expect(verdict.state).toBe("good");
  expect(sentences(verdict).join("\n")).toContain(`10 of ${size} rows are in the export`);
  expect(sentences(verdict).join("\n")).toContain(`${size - 10} rows of it are not disclosed`);
});

test("without a key whose it is was not checked; with a checkpoint that the reader kept it is", () => {
  expect(verifySync(whole)).toMatchObject({ state: "unchecked", authenticity: "not-checked" });
  const notes = readFileSync(join(whole, "checkpoints.jsonl"), "utf8").trimEnd().split("\n");
  const [first = ""] = notes;
  const note = String(Object.values(JSON.parse(first))[1]);
  const verdict = verifySync(part, { anchors: [{ name: "kept", note }] });
  expect(verdict).toMatchObject({ state: "good", selfAttested: false, completeness: { size: 2, by: "outside" } });
});

/** The first finding against a checkpoint that was kept. */
function against(path: string, note: string): string | undefined {
  return verifySync(path, { anchors: [{ name: "kept", note }] }).findings[0]?.code;
}

test("an export of another log than the kept checkpoint's is told, and one that is older than it", async () => {
  const at = mkdtempSync(join(folder, "other-"));
  const other = await healthyLog(at, 4);
  exported(other.path, join(at, "out"));
  const first = readFileSync(join(at, "out/checkpoint"), "utf8");
  expect(against(join(at, "out"), first)).toBeUndefined();
  expect(against(whole, first)).toBe("anchor-foreign");
  const { note } = await (await reopen(other)).checkpoint("demand");
  await other.log.close();
  expect(against(join(at, "out"), note)).toBe("rolled-back");
});

describe("what a hostile folder holds is not followed, and not waited for", () => {
  test.for<[string, string, (at: string) => void]>([
    [
      "a link in place of a file",
      "link",
      (at) => {
        rmSync(join(at, "entries.jsonl"));
        symlinkSync(join(whole, "entries.jsonl"), join(at, "entries.jsonl"));
      },
    ],
    [
      "a link in place of a folder",
      "link",
      (at) => {
        rmSync(join(at, "tile"), { recursive: true });
        symlinkSync(join(whole, "tile"), join(at, "tile"));
      },
    ],
    [
      "a pipe",
      "bundle-file",
      (at) => {
        rmSync(join(at, "keys.jsonl"));
        execFileSync("mkfifo", [join(at, "keys.jsonl")]);
      },
    ],
    ["a file besides", "bundle-file", (at) => writeFileSync(join(at, "letter"), "")],
    ["a file less", "bundle-file", (at) => rmSync(join(at, "anchors.jsonl"))],
    ["no manifest", "bundle-file", (at) => rmSync(join(at, MANIFEST))],
    [
      "a manifest that leads out",
      "bundle-file",
      (at) => writeFileSync(join(at, MANIFEST), `${"0".repeat(64)}  ../../../etc/passwd\n`),
    ],
    ["nothing that says what it is", "bundle-form", (at) => writeFileSync(join(at, "bundle.json"), "{}")],
    [
      "more rows than there are",
      "tile",
      (at) => {
        const text = readFileSync(join(at, "bundle.json"), "utf8");
        writeFileSync(join(at, "bundle.json"), text.replace(`"size": ${size}`, '"size": 9007199254740991'));
      },
    ],
    [
      "a line without an end",
      "row-moved",
      (at) => {
        writeFileSync(join(at, "entries.jsonl"), "x".repeat(300_000));
        rewriteManifest(at);
      },
    ],
    [
      "folders in folders",
      "bundle-file",
      (at) => void mkdirSync(join(at, ...Array.from({ length: 40 }, () => "deep")), { recursive: true }),
    ],
  ])("%s", ([, code, harm]) => {
    const at = copyOf(whole);
    harm(at);
    expect(codes(at)).toContain(code);
  });
});

test("no bit of what is proved can be another one, whatever the manifest says", () => {
  const at = copyOf(part);
  const proved = filesIn(part).filter((name) =>
    /^(entries|checkpoints)\.jsonl$|^checkpoint$|^tile\/|^proof\//.test(name),
  );
  const manifest = readFileSync(join(part, MANIFEST));
  fc.assert(
    fc.property(fc.constantFrom(...proved), fc.nat(), fc.nat(7), (name, pick, bit) => {
      const bytes = readFileSync(join(part, name));
      const place = pick % bytes.length;
      bytes[place] = (bytes[place] ?? 0) ^ (1 << bit);
      writeFileSync(join(at, name), bytes);
      rewriteManifest(at);
      expect(verifySync(at, { vkey }).state, `${name} ${place}/${bit}`).toBe("broken");
      cpSync(join(part, name), join(at, name));
    }),
    { seed: 8, numRuns: 120 },
  );
  writeFileSync(join(at, MANIFEST), manifest);
  expect(codes(at)).toEqual([]);
});
