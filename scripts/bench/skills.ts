import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { readSkillFolder } from "../../skills/folder.ts";
import { NO_REQUIRES, SIGNATURE_FILE, writeManifest } from "../../skills/manifest.ts";
import { NO_PERMISSIONS } from "../../skills/permissions.ts";
import { signManifest, vkeyOf } from "../../skills/signed.ts";
import { listFiles, type SkillFile, verifySkill } from "../../skills/verify.ts";
import { type Figure, median } from "./figure.ts";

const SKILLS = 100;
const RUNS = 9;
const MOST_MS = 300;
/** As large as skills are: instructions, two texts and two scripts. */
const SIZES = {
  "SKILL.md": 6_000,
  "references/a.md": 12_000,
  "references/b.md": 8_000,
  "scripts/a.py": 5_000,
  "scripts/b.sh": 2_000,
};

/** Reads, checks and takes in a hundred skills from a disk that has them in its cache: every byte of every file. */
export async function skillFigures(): Promise<Figure[]> {
  const root = mkdtempSync(join(tmpdir(), "wirken-bench-skills-"));
  try {
    const { privateKey } = generateKeyPairSync("ed25519");
    const trust = { vkey: vkeyOf("bench", privateKey), names: "*", until: null, revoked: false, own: false };
    const folders = Array.from({ length: SKILLS }, (_, at) => {
      const name = `skill-${at}`;
      const files = new Map<string, SkillFile>(
        Object.entries(SIZES).map(([path, size]) => [
          path,
          { bytes: Buffer.alloc(size, `${name} ${path}\n`), executable: false },
        ]),
      );
      const manifest = writeManifest({
        name,
        version: "1.0.0",
        description: "A skill of the bench.",
        permissions: NO_PERMISSIONS,
        requires: NO_REQUIRES,
        files: listFiles(files),
      });
      files.set(SIGNATURE_FILE, { bytes: Buffer.from(signManifest(manifest, "bench", privateKey)), executable: false });
      for (const [path, { bytes }] of files) {
        mkdirSync(dirname(join(root, name, path)), { recursive: true });
        writeFileSync(join(root, name, path), bytes, { mode: 0o644 });
      }
      return join(root, name);
    });
    const took = Array.from({ length: RUNS }, () => {
      const begun = performance.now();
      for (const folder of folders) verifySkill(readSkillFolder(folder), [trust], 0);
      return performance.now() - begun;
    });
    const ms = median(took);
    return await Promise.resolve([
      {
        what: `${SKILLS} skills read and checked, median of ${RUNS}`,
        measured: `${ms.toFixed(0)} ms`,
        budget: `≤ ${MOST_MS} ms`,
        met: ms <= MOST_MS,
      },
    ]);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
