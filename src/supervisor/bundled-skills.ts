import { readdirSync } from "node:fs";
import { join } from "node:path";
import { getRawAsset, isSea } from "node:sea";
import { BUNDLED } from "../../skills/bundled.ts";
import { readSkillFolder } from "../../skills/folder.ts";
import { unpackFiles } from "../../skills/packed.ts";
import type { SkillFiles } from "../../skills/verify.ts";

/** The files of a skill that came with this build: out of the executable, else (in tests) from where they are written. Null: there is none of that name. */
export function bundledFiles(name: string): SkillFiles | null {
  if (!BUNDLED.includes(name)) return null;
  if (isSea()) return unpackFiles(new Uint8Array(getRawAsset(`skills/${name}`)));
  const folder = join(process.cwd(), "skills/bundled");
  return readdirSync(folder).includes(name) ? readSkillFolder(join(folder, name)) : null;
}
