import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { type Manifest, NO_REQUIRES, SIGNATURE_FILE, writeManifest } from "../../skills/manifest.ts";
import { NO_PERMISSIONS } from "../../skills/permissions.ts";
import { signManifest, vkeyOf } from "../../skills/signed.ts";
import type { Trust } from "../../skills/trust.ts";
import { listFiles, type SkillFile, type SkillFiles } from "../../skills/verify.ts";

/** A key that signs skills, and what vouching for it looks like. */
export interface SigningKey {
  readonly name: string;
  readonly secret: KeyObject;
  readonly trust: Trust;
}

export function aKey(name = "acme", trust: Partial<Trust> = {}): SigningKey {
  const { privateKey } = generateKeyPairSync("ed25519");
  const vkey = vkeyOf(name, privateKey);
  return { name, secret: privateKey, trust: { vkey, names: "*", until: null, revoked: false, own: false, ...trust } };
}

export function fileOf(text: string, executable = false): SkillFile {
  return { bytes: Buffer.from(text), executable };
}

export const SKILL_TEXT =
  "---\nname: greet\ndescription: Greets somebody.\n---\n\n# Greet\n\nRun scripts/greet.sh with a name.\n";

export function greetFiles(): Map<string, SkillFile> {
  return new Map([
    ["SKILL.md", fileOf(SKILL_TEXT)],
    ["references/words.md", fileOf("hello, good day\n")],
    ["scripts/greet.sh", fileOf('#!/bin/sh\necho "hello $1"\n', true)],
  ]);
}

export function manifestOf(files: SkillFiles, more: Partial<Manifest> = {}): Manifest {
  return {
    name: "greet",
    version: "1.0.0",
    description: "Greets somebody.",
    permissions: NO_PERMISSIONS,
    requires: NO_REQUIRES,
    files: listFiles(files),
    ...more,
  };
}

/** The same files with a signature beside them. */
export function signed(files: SkillFiles, key: SigningKey, more: Partial<Manifest> = {}): Map<string, SkillFile> {
  const note = signManifest(writeManifest(manifestOf(files, more)), key.name, key.secret);
  return new Map([...files, [SIGNATURE_FILE, fileOf(note)]]);
}
