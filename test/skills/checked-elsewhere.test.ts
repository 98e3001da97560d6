import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { SkillFiles } from "../../skills/verify.ts";
import { aKey, greetFiles, signed } from "./world.ts";

/** A skill's signature, checked by programs that are not ours. */

const place = mkdtempSync(join(tmpdir(), "wirken-elsewhere-"));
afterAll(() => rmSync(place, { recursive: true, force: true }));
const key = aKey("acme");

function written(files: SkillFiles, name: string): string {
  const folder = join(place, name);
  for (const [path, { bytes }] of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes);
  }
  return folder;
}

/** The lines that README tells others to run. */
function recipe(): string {
  const readme = readFileSync(join(import.meta.dirname, "../../README.md"), "utf8");
  const found = /- \*\*Checked by others\.\*\*[\s\S]*?```sh\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";
  expect(found).toContain("openssl pkeyutl -verify");
  return found.replaceAll("/tmp/", `${place}/`);
}

function byOpenssl(folder: string, vkey = key.trust.vkey): number | null {
  return spawnSync("sh", ["-c", recipe()], { cwd: folder, env: { ...process.env, VKEY: vkey } }).status;
}

test("openssl and sha256sum accept a skill as README says, and refuse it with a file, the list or the key changed", () => {
  const files = signed(greetFiles(), key);
  expect(byOpenssl(written(files, "good"))).toBe(0);
  expect(byOpenssl(written(files, "good"), aKey("acme").trust.vkey)).not.toBe(0);
  const text = Buffer.from(files.get("skill.sig")?.bytes ?? []).toString();
  const sig = (changed: string): SkillFiles =>
    new Map([...files, ["skill.sig", { bytes: Buffer.from(changed), executable: false }]]);
  expect(byOpenssl(written(sig(text.replace("Greets", "Cheats")), "other-list"))).not.toBe(0);
  const word = { bytes: Buffer.from("hello, bad day\n"), executable: false };
  expect(byOpenssl(written(new Map([...files, ["references/words.md", word]]), "file"))).not.toBe(0);
});

test("Go's note accepts the same bytes with the same key, and refuses them changed", () => {
  const program = `package main

import (
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/note"
)

func main() {
	verifier, err := note.NewVerifier(os.Args[1])
	if err != nil {
		fmt.Println("KEY", err)
		os.Exit(3)
	}
	message, _ := os.ReadFile(os.Args[2])
	opened, err := note.Open(message, note.VerifierList(verifier))
	if err != nil {
		fmt.Println("REFUSED", err)
		os.Exit(1)
	}
	fmt.Print(opened.Text)
}
`;
  writeFileSync(join(place, "open.go"), program);
  const environment = {
    ...process.env,
    GO111MODULE: "off",
    GOPATH: "/usr/share/gocode",
    GOCACHE: join(place, "cache"),
  };
  const built = spawnSync("go", ["build", "-o", "open", "open.go"], { cwd: place, env: environment, encoding: "utf8" });
  expect(built.stderr).toBe("");
  const opened = (text: string, vkey = key.trust.vkey): { status: number | null; stdout: string } => {
    writeFileSync(join(place, "note"), text);
    return spawnSync(join(place, "open"), [vkey, join(place, "note")], { encoding: "utf8" });
  };
  const text = Buffer.from(signed(greetFiles(), key).get("skill.sig")?.bytes ?? []).toString();
  const good = opened(text);
  expect(good.status, good.stdout).toBe(0);
  expect(text.startsWith(good.stdout)).toBe(true);
  expect(opened(text.replace("Greets", "Cheats")).stdout).toContain("REFUSED");
  expect(opened(text, aKey("acme").trust.vkey).stdout).toContain("REFUSED");
}, 60_000);
