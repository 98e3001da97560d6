import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { readdirSync, readFileSync, readSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { readSkillFolder } from "../skills/folder.ts";
import { readFrontMatter, splitFrontMatter } from "../skills/front-matter.ts";
import { type Manifest, parseManifest, SIGNATURE_FILE, writeManifest } from "../skills/manifest.ts";
import { secretKey, signManifest, vkeyOf } from "../skills/signed.ts";
import { listFiles, skillMd } from "../skills/verify.ts";
import { readYaml } from "../src/unpack/yaml.ts";

/** Signs the skills that we ship.
 *
 *  `node scripts/sign-skills.ts --key-fd 3 --name wirken-release 3< KEY`: with the 32 bytes that are read from a descriptor, and never from a file that is
 *  named, an argument or the environment. It prints the public key: skills/bundled.ts names it.
 *
 *  `node scripts/sign-skills.ts --development`: with a key that is made for it and forgotten; skills/bundled.ts then names that one. */

const KEY_BYTES = 32;
const DEVELOPMENT_NAME = "wirken-development";
const root = join(import.meta.dirname, "..");
const folder = join(root, "skills/bundled");

const { values } = parseArgs({
  options: {
    "key-fd": { type: "string" },
    name: { type: "string", default: "wirken-release" },
    development: { type: "boolean", default: false },
  },
});

function keyFrom(descriptor: number): KeyObject {
  const seed = Buffer.alloc(KEY_BYTES + 1);
  try {
    let length = 0;
    for (let more = 1; more > 0 && length < seed.length; length += more)
      more = readSync(descriptor, seed, length, seed.length - length, null);
    if (length !== KEY_BYTES)
      throw new Error(`the key has ${KEY_BYTES} bytes, raw; the descriptor gave another number`);
    return secretKey(seed.subarray(0, KEY_BYTES));
  } finally {
    seed.fill(0);
  }
}

function sign(name: string, by: string, secret: KeyObject): void {
  const files = readSkillFolder(join(folder, name), (entry) => entry === SIGNATURE_FILE || entry === "__pycache__");
  const front = readFrontMatter(readYaml(splitFrontMatter(skillMd(files))));
  if (front.name !== name) throw new Error(`${name}: its SKILL.md says ${front.name}`);
  const { version, description, permissions, requires } = front;
  if (version === null) throw new Error(`${name}: its SKILL.md says no version`);
  const manifest: Manifest = { name, version, description, permissions, requires, files: listFiles(files) };
  const text = writeManifest(manifest);
  parseManifest(text);
  writeFileSync(join(folder, name, SIGNATURE_FILE), signManifest(text, by, secret));
}

function main(): void {
  const descriptor = values["key-fd"];
  if (values.development === (descriptor !== undefined)) throw new Error("say --development, or --key-fd N");
  const secret = descriptor === undefined ? generateKeyPairSync("ed25519").privateKey : keyFrom(Number(descriptor));
  const by = values.development ? DEVELOPMENT_NAME : values.name;
  const names = readdirSync(folder).toSorted();
  for (const name of names) sign(name, by, secret);
  const vkey = vkeyOf(by, secret);
  if (values.development) {
    const path = join(root, "skills/bundled.ts");
    const source = readFileSync(path, "utf8");
    const changed = source.replace(/const DEVELOPMENT =\s*"[^"]*";/, `const DEVELOPMENT = ${JSON.stringify(vkey)};`);
    if (changed === source) throw new Error("skills/bundled.ts names no development key");
    writeFileSync(path, changed);
  }
  process.stdout.write(`${names.length} skills are signed by ${vkey}\n`);
}

main();
