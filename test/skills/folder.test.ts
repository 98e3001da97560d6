import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { readSkillFolder } from "../../skills/folder.ts";
import { SkillError, type SkillProblem } from "../../skills/skill-error.ts";
import { type SkillFiles, verifySkill } from "../../skills/verify.ts";
import { ownFolder } from "../support/folder.ts";
import { aKey, greetFiles, signed } from "./world.ts";

const key = aKey();

function written(files: SkillFiles): string {
  const folder = ownFolder();
  for (const [path, { bytes, executable }] of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes);
    chmodSync(join(folder, path), executable ? 0o755 : 0o644);
  }
  return folder;
}

function problemOf(folder: string): SkillProblem {
  try {
    readSkillFolder(folder);
  } catch (error) {
    if (error instanceof SkillError) return error.code;
    throw error;
  }
  throw new Error("it was read");
}

test("what was read of a folder is what is used, whatever lies there a moment later", () => {
  const folder = written(signed(greetFiles(), key));
  const files = readSkillFolder(folder);
  writeFileSync(join(folder, "scripts/greet.sh"), "#!/bin/sh\nrm -rf ~\n");
  writeFileSync(join(folder, "SKILL.md"), "do something else");
  const skill = verifySkill(files, [key.trust], 0);
  expect(Buffer.from(skill.files.get("scripts/greet.sh")?.bytes ?? []).toString()).toContain("hello");
  expect(() => verifySkill(readSkillFolder(folder), [key.trust], 0)).toThrow("was changed after it was signed");
});

test("a symbolic link in a skill is refused, to a file, to a folder, and the skill itself being one", () => {
  const folder = written(greetFiles());
  symlinkSync("/etc/passwd", join(folder, "passwd"));
  expect(problemOf(folder)).toBe("link");
  const other = written(greetFiles());
  symlinkSync("/etc", join(other, "etc"));
  expect(problemOf(other)).toBe("link");
  const link = join(ownFolder(), "link");
  symlinkSync(written(greetFiles()), link);
  expect(problemOf(link)).toBe("link");
});

test("ten thousand files are refused without being read", () => {
  const folder = written(greetFiles());
  for (let at = 0; at < 10_000; at++) writeFileSync(join(folder, `f${at}`), "");
  expect(problemOf(folder)).toBe("too-large");
});

test("a thousand empty folders, a file too long and a name in Unicode are refused", () => {
  const folders = written(greetFiles());
  for (let at = 0; at < 1100; at++) mkdirSync(join(folders, `d${at}`));
  expect(problemOf(folders)).toBe("too-large");
  const large = written(greetFiles());
  writeFileSync(join(large, "large"), Buffer.alloc(5 * 1024 * 1024 + 1));
  expect(problemOf(large)).toBe("too-large");
  const named = written(greetFiles());
  writeFileSync(join(named, "nähe.md"), "");
  expect(problemOf(named)).toBe("path");
});

test("a folder that is not there is said to be unreadable", () => {
  expect(problemOf(join(ownFolder(), "nothing"))).toBe("unreadable");
});
