import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Command } from "commander";
import * as z from "zod/mini";
import { readSkillFolder } from "../../../skills/folder.ts";
import { type Manifest, SIGNATURE_FILE, writeManifest, parseManifest } from "../../../skills/manifest.ts";
import { PERMISSION_NAMES, permissionSentences, permissionsOf } from "../../../skills/permissions.ts";
import { secretKey, signManifest, vkeyOf } from "../../../skills/signed.ts";
import { SkillError } from "../../../skills/skill-error.ts";
import { listFiles, skillMd, verifySkill } from "../../../skills/verify.ts";
import { CommandError } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { printable } from "../printable.ts";
import { reachOperator } from "../reach.ts";

/** What a key's file holds: its name, and the 32 bytes in base64. */
const KEY_FILE = /^wirken-skill-key:([\x21-\x2a\x2c-\x7e]{1,100}):([A-Za-z0-9+/]{43}=)\n?$/;

const Lists = Object.fromEntries(PERMISSION_NAMES.map((name) => [name, z.optional(z.array(z.string()))]));
const Options = z.object({
  json: z._default(z.boolean(), false),
  key: z.string(),
  newKey: z.optional(z.string()),
  version: z.optional(z.string()),
  ...Lists,
});

export function skillsSignCommand(context: Context): Command {
  const command = new Command("sign")
    .summary("sign a skill's folder: every file of it, and what it wants")
    .description(
      "Writes skill.sig into the folder. What it wants is what its SKILL.md says under metadata.wirken, or by allowed-tools; options here say it instead, " +
        "so that you can vouch for a skill that somebody else wrote.",
    )
    .argument("<dir>", "the folder with SKILL.md")
    .requiredOption("--key <file>", "the file with your private key")
    .option("--new-key <name>", "make a key of this name first, and write it into that file")
    .option("--version <version>", "three numbers, as 1.0.0; what SKILL.md says if left out")
    .option("--json", "print one JSON object");
  for (const name of PERMISSION_NAMES)
    command.option(`--${name} <entry...>`, `its ${name}, instead of what SKILL.md says`);
  return command.action((dir: string, options: unknown) =>
    context.run(async () => {
      const given = Options.parse(options);
      const folder = resolve(dir);
      const { name: by, secret } = keyOf(resolve(given.key), given.newKey ?? null);
      await using operator = await reachOperator(context);
      try {
        const files = readSkillFolder(folder, (entry) => entry === ".git" || entry === SIGNATURE_FILE);
        // A copy: what goes with a call is wiped when it is sent.
        const front = await operator.call({ call: "skill.read" }, { payload: Buffer.from(skillMd(files)) });
        const own = PERMISSION_NAMES.flatMap((name) => {
          const list = z.optional(z.array(z.string())).parse(Object.entries(given).find(([key]) => key === name)?.[1]);
          return list === undefined ? [] : [[name, list.flatMap((one) => one.split(","))] as const];
        });
        const manifest: Manifest = {
          name: front.name,
          version: given.version ?? front.version ?? "0.0.1",
          description: front.description,
          permissions: permissionsOf({ ...front.permissions, ...Object.fromEntries(own) }),
          requires: front.requires,
          files: listFiles(files),
        };
        const text = writeManifest(manifest);
        parseManifest(text); // what it would be refused for, it is not signed with
        const note = signManifest(text, by, secret);
        const vkey = vkeyOf(by, secret);
        const whole = new Map([...files, [SIGNATURE_FILE, { bytes: Buffer.from(note), executable: false }]]);
        const { digest } = verifySkill(
          whole,
          [{ vkey, names: "*", until: null, revoked: false, own: true }],
          Date.now(),
        );
        writeFileSync(join(folder, SIGNATURE_FILE), note, { mode: 0o644 });
        if (given.json)
          context.terminal.print(JSON.stringify({ name: manifest.name, version: manifest.version, digest, vkey }));
        else {
          context.terminal.print(
            `${manifest.name} ${manifest.version} is signed by ${by}: ${manifest.files.length} ${manifest.files.length === 1 ? "file" : "files"}, digest ${digest.slice(0, 16)}`,
          );
          const wants = permissionSentences(manifest.permissions);
          for (const want of wants.length === 0 ? ["nothing besides being read"] : wants)
            context.terminal.say(printable(`it wants: ${want}`));
          for (const sentence of front.notes) context.terminal.say(printable(`note: ${sentence}`));
          context.terminal.say(`whoever is to use it trusts: ${vkey}`);
        }
        return EXIT.ok;
      } catch (error) {
        if (error instanceof SkillError)
          throw new CommandError(EXIT.bad, `it is not signed: ${error.message}`, error.hint, { cause: error });
        throw error;
      }
    }),
  );
}

/** @throws {CommandError} usage. */
function keyOf(path: string, make: string | null): { readonly name: string; readonly secret: KeyObject } {
  if (make !== null) return newKey(path, make);
  let text: string;
  try {
    text = readFileSync(path, "latin1");
  } catch (cause) {
    throw new CommandError(EXIT.usage, `--key: ${printable(path)} cannot be read`, "make one with --new-key NAME", {
      cause,
    });
  }
  const [, name = "", seed64 = ""] = KEY_FILE.exec(text) ?? [];
  if (name === "")
    throw new CommandError(
      EXIT.usage,
      `--key: ${printable(path)} holds no key that signs skills`,
      "make one with --new-key NAME",
    );
  const seed = Buffer.from(seed64, "base64");
  try {
    return { name, secret: secretKey(seed) };
  } finally {
    seed.fill(0);
  }
}

function newKey(path: string, name: string): { readonly name: string; readonly secret: KeyObject } {
  const { privateKey } = generateKeyPairSync("ed25519");
  const der = privateKey.export({ format: "der", type: "pkcs8" });
  try {
    const text = `wirken-skill-key:${name}:${der.subarray(-32).toString("base64")}\n`;
    if (!KEY_FILE.test(text))
      throw new CommandError(EXIT.usage, "--new-key: a name is 1 to 100 visible characters, without a plus", "");
    // Only where nothing is yet: a key that is gone signs nothing any more.
    writeFileSync(path, text, { flag: "wx", mode: 0o600 });
  } catch (cause) {
    if (cause instanceof CommandError) throw cause;
    throw new CommandError(
      EXIT.usage,
      `--new-key: ${printable(path)} is there already, or cannot be written`,
      "give another file",
      { cause },
    );
  } finally {
    der.fill(0);
  }
  return { name, secret: privateKey };
}
