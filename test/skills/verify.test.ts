import { hash, sign } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Manifest, parseManifest, SIGNATURE_FILE, writeManifest } from "../../skills/manifest.ts";
import { readSigned, readVkey } from "../../skills/signed.ts";
import { SkillError, type SkillProblem } from "../../skills/skill-error.ts";
import type { Trust } from "../../skills/trust.ts";
import { bodyOf, type SkillFile, type SkillFiles, verifySkill } from "../../skills/verify.ts";
import { aKey, fileOf, greetFiles, manifestOf, signed, SKILL_TEXT, type SigningKey } from "./world.ts";

const NOW = Date.parse("2030-01-01T00:00:00Z");
const key = aKey();

function problemOf(files: SkillFiles, trusted: readonly Trust[] = [key.trust]): SkillProblem | "none" {
  try {
    verifySkill(files, trusted, NOW);
    return "none";
  } catch (error) {
    if (error instanceof SkillError) {
      expect(error.message).not.toMatch(/[\n\u007f-\uffff]/);
      expect(error.hint).not.toBe("");
      return error.code;
    }
    throw error;
  }
}

/** A manifest that nobody checked, signed all the same: what somebody with a good key could try. */
function forcedManifest(text: string, files: SkillFiles = greetFiles(), by: SigningKey = key): Map<string, SkillFile> {
  const body = `wirken/skill/v1\n${text}\n`;
  const { id } = readVkey(by.trust.vkey);
  const line = Buffer.concat([Buffer.from(id, "hex"), sign(null, Buffer.from(body), by.secret)]).toString("base64");
  return new Map([...files, [SIGNATURE_FILE, fileOf(`${body}\n\u2014 ${by.name} ${line}\n`)]]);
}

describe("a skill", () => {
  test("is used when every file is as it was signed, and its instructions come without the front matter", () => {
    const { manifest, digest, files, signer } = verifySkill(signed(greetFiles(), key), [key.trust], NOW);
    expect(manifest.name).toBe("greet");
    expect(digest).toBe(hash("sha256", writeManifest(manifest), "hex"));
    expect([...files.keys()].toSorted()).toEqual(["SKILL.md", "references/words.md", "scripts/greet.sh"]);
    expect(signer).toEqual({ name: "acme", own: false, vkey: key.trust.vkey });
    expect(bodyOf(SKILL_TEXT)).toBe("# Greet\n\nRun scripts/greet.sh with a name.");
  });

  test("is refused with any one byte of any of its files changed, the signature's among them", () => {
    const files = signed(greetFiles(), key);
    expect(problemOf(files)).toBe("none");
    let tried = 0;
    for (const [path, { bytes, executable }] of files)
      for (let at = 0; at < bytes.length; at++)
        for (const by of [0x01, 0x20, 0x80]) {
          const changed = Buffer.from(bytes);
          changed[at] = (changed[at] ?? 0) ^ by;
          expect(problemOf(new Map([...files, [path, { bytes: changed, executable }]])), `${path} at ${at}`).not.toBe(
            "none",
          );
          tried += 1;
        }
    expect(tried).toBeGreaterThan(2000);
  });

  test("is refused cut short or with a byte more, whichever file it is", () => {
    const files = signed(greetFiles(), key);
    for (const [path, { bytes, executable }] of files)
      for (const other of [bytes.subarray(0, -1), Buffer.concat([bytes, Buffer.from("\n")]), Buffer.alloc(0)])
        expect(problemOf(new Map([...files, [path, { bytes: other, executable }]]))).not.toBe("none");
  });

  test.for<[SkillProblem, (files: Map<string, SkillFile>) => void]>([
    ["unsigned", (files) => void files.delete(SIGNATURE_FILE)],
    ["extra", (files) => void files.set("more.md", fileOf("x"))],
    ["extra", (files) => void files.set("skill.md", fileOf("x"))],
    ["missing", (files) => void files.delete("references/words.md")],
    ["altered", (files) => void files.set("references/words.md", fileOf("hello, good dax\n"))],
    ["altered", (files) => void files.set("references/words.md", fileOf("hello, good day\n", true))],
    ["altered", (files) => void files.set("scripts/greet.sh", fileOf('#!/bin/sh\necho "hello $1"\n'))],
  ])("is refused as %s", ([problem, change]) => {
    const files = signed(greetFiles(), key);
    change(files);
    expect(problemOf(files)).toBe(problem);
  });

  test.for<[SkillProblem | "none", Partial<Trust>]>([
    ["none", { names: "greet" }],
    ["none", { names: "g*t" }],
    ["none", { until: NOW + 1 }],
    ["expired", { until: NOW }],
    ["revoked", { revoked: true }],
    ["wrong-name", { names: "other" }],
    ["wrong-name", { names: "greeter*" }],
  ])("is %s with a key that is trusted so", ([problem, more]) => {
    expect(problemOf(signed(greetFiles(), key), [{ ...key.trust, ...more }])).toBe(problem);
  });

  test("of a key that nobody trusts is refused, also of one of the same name", () => {
    expect(problemOf(signed(greetFiles(), key), [])).toBe("untrusted");
    expect(problemOf(signed(greetFiles(), aKey(key.name)))).toBe("untrusted");
  });

  test("that a revoked key signed beside a good one is refused", () => {
    const other = aKey("other", { revoked: true });
    const note = Buffer.from(signed(greetFiles(), key).get(SIGNATURE_FILE)?.bytes ?? []).toString();
    const second = Buffer.from(signed(greetFiles(), other).get(SIGNATURE_FILE)?.bytes ?? [])
      .toString()
      .split("\n")
      .at(-2);
    const files = new Map([...greetFiles(), [SIGNATURE_FILE, fileOf(`${note}${second}\n`)]]);
    expect(problemOf(files)).toBe("none");
    expect(problemOf(files, [key.trust, other.trust])).toBe("revoked");
  });
});

describe("a manifest", () => {
  const text = writeManifest(manifestOf(greetFiles()));
  const listed = (path: string, more: object = {}): string => {
    const manifest: object = JSON.parse(text);
    const file = { mode: "0644", path, sha256: "0".repeat(64), size: 1, ...more };
    const old = "files" in manifest && Array.isArray(manifest.files) ? manifest.files : [];
    return JSON.stringify({ ...manifest, files: [...old, file].toSorted((a, b) => (a.path < b.path ? -1 : 1)) });
  };

  test.for([
    "../x",
    "a/../b",
    "./a",
    "/etc/passwd",
    "a//b",
    "a\\b",
    "a/",
    "",
    "C:x",
    "nul",
    "a/CON.txt",
    "a.",
    "a ",
    "n\u0061\u0308h",
    "\u212a",
    "a\u200bb",
    "a\u202eb",
    "a\0b",
    "a\nb",
    ".git/config",
    "x/.GIT/hooks",
    "a/b/c/d/e/f/g/h/i",
    "x".repeat(201),
    "skill.sig",
    "skill.md",
    "REFERENCES/other.md",
    "references/words.md/below",
    "SKILL.md/below",
  ])("with the path %j is refused, whoever signed it", (path) => {
    const problem = problemOf(forcedManifest(listed(path), new Map([...greetFiles(), [path, fileOf("x")]])));
    expect(["path", "malformed"]).toContain(problem);
  });

  test("of too many files, or too much, is refused before a file of it is looked at", () => {
    const many = Array.from({ length: 10_000 }, (_, at) => ({
      mode: "0644",
      path: `f${String(at).padStart(5, "0")}`,
      sha256: "0".repeat(64),
      size: 1,
    }));
    const manifest: object = JSON.parse(text);
    expect(problemOf(forcedManifest(JSON.stringify({ ...manifest, files: many })))).not.toBe("none");
    expect(problemOf(forcedManifest(listed("big", { size: 6 * 1024 * 1024 })))).toBe("too-large");
    const five = Array.from({ length: 5 }, (_, at) => ({
      mode: "0644",
      path: `big${at}`,
      sha256: "0".repeat(64),
      size: 5 * 1024 * 1024,
    }));
    expect(
      problemOf(forcedManifest(JSON.stringify({ ...manifest, files: [...manifestOf(greetFiles()).files, ...five] }))),
    ).toBe("too-large");
  });

  test.for<[string, (manifest: Record<string, unknown>) => string]>([
    ["a key more", (manifest) => JSON.stringify({ ...manifest, zebra: 1 })],
    ["a key less", (manifest) => JSON.stringify({ ...manifest, version: undefined })],
    ["blanks", (manifest) => JSON.stringify(manifest, null, 1).replaceAll("\n", "")],
    ["a duplicate key", () => `{"description":"Nothing.",${text.slice(1)}`],
    ["another order", ({ description, ...rest }) => JSON.stringify({ ...rest, description })],
    ["another format", (manifest) => JSON.stringify({ ...manifest, format: 2 })],
    ["a name in capitals", (manifest) => JSON.stringify({ ...manifest, name: "Greet" })],
    ["a name with two hyphens", (manifest) => JSON.stringify({ ...manifest, name: "gr--eet" })],
    ["a version with a word", (manifest) => JSON.stringify({ ...manifest, version: "1.0.0-rc1" })],
    ["an unknown permission", (manifest) => JSON.stringify({ ...manifest, permissions: { everything: ["*"] } })],
    ["a host with a star", (manifest) => withPermission(manifest, "hosts", ["*.example.com"])],
    ["a path that leads out", (manifest) => withPermission(manifest, "read", ["../x"])],
    ["exec that would not read", (manifest) => withPermission(manifest, "tools", ["exec"])],
    ["a command with a path", (manifest) => withPermission(manifest, "commands", ["/bin/sh"])],
    ["an array for an object", () => "[]"],
    ["no JSON", () => "x"],
  ])("with %s is refused", ([, change]) => {
    const manifest: Record<string, unknown> = JSON.parse(text);
    expect(problemOf(forcedManifest(change(manifest)))).toBe("malformed");
  });

  function withPermission(manifest: Record<string, unknown>, name: string, list: readonly string[]): string {
    const { permissions } = parseManifest(text);
    return JSON.stringify({ ...manifest, permissions: { ...permissions, [name]: list } });
  }

  test("is read back as it was written, whatever it says", () => {
    const words = fc.array(fc.stringMatching(/^[a-z][a-z0-9]{0,9}$/), { maxLength: 4 });
    fc.assert(
      fc.property(
        words,
        words,
        fc.string({ minLength: 1, maxLength: 200, unit: "grapheme" }),
        (tools, bins, description) => {
          const own = manifestOf(greetFiles());
          const permissions = {
            ...own.permissions,
            tools: [...new Set(tools)].filter((tool) => tool !== "exec").toSorted(),
          };
          const manifest: Manifest = { ...own, permissions, requires: { ...own.requires, bins }, description };
          const written = writeManifest(manifest);
          if (description.trim() === "" || /(?![\t\n])\p{Cc}/u.test(description) || !description.isWellFormed()) return;
          expect(parseManifest(written)).toEqual(manifest);
          expect(writeManifest(parseManifest(written))).toBe(written);
        },
      ),
    );
  });

  test("of any bytes at all is read or refused, and nothing else", () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (any) => {
        expect(problemOf(forcedManifest(any.replaceAll("\n", " ")))).toMatch(/^(malformed|path|too-large|missing)$/);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (any) => {
        const files = new Map([...greetFiles(), [SIGNATURE_FILE, { bytes: any, executable: false }]]);
        expect(problemOf(files)).toBe("malformed");
      }),
    );
  });
});

describe("a signature", () => {
  test("is a signed note of C2SP: its first lines are what is signed", () => {
    const note = Buffer.from(signed(greetFiles(), key).get(SIGNATURE_FILE)?.bytes ?? []).toString();
    const { text, signatures } = readSigned(note);
    expect(note.startsWith(`${text}\n\u2014 acme `)).toBe(true);
    expect(signatures[0]?.id).toBe(readVkey(key.trust.vkey).id);
  });

  test.for([
    (note: string) => note.replaceAll("\n", "\r\n"),
    (note: string) => note.slice(0, -1),
    (note: string) => `${note}\n`,
    (note: string) => note.replace("\n\n", "\n\n\n"),
    (note: string) => note.replace("wirken/skill/v1", "wirken/skill/v2"),
    (note: string) => note.replace("\u2014 acme", "- acme"),
    (note: string) => note.replace(/=*\n$/, "\n"),
    (note: string) => `${note}${note.split("\n").at(-2) ?? ""}\n`.repeat(1),
    (note: string) => note + (note.split("\n").at(-2) ?? "").concat("\n").repeat(9),
  ])("in another form is refused (%#)", (change) => {
    const files = signed(greetFiles(), key);
    const note = Buffer.from(files.get(SIGNATURE_FILE)?.bytes ?? []).toString();
    expect(change(note)).not.toBe(note);
    expect(problemOf(new Map([...files, [SIGNATURE_FILE, fileOf(change(note))]]))).toMatch(/malformed|forged/);
  });

  test("key with a letter of it mistyped is none", () => {
    const { vkey } = key.trust;
    expect(readVkey(vkey).vkey).toBe(vkey);
    for (let at = 0; at < vkey.length; at++) {
      const other = vkey[at] === "A" ? "B" : "A";
      expect(() => readVkey(vkey.slice(0, at) + other + vkey.slice(at + 1))).toThrow(SkillError);
    }
  });
});
