import { statSync } from "node:fs";
import { join } from "node:path";
import type { Requires } from "../../skills/manifest.ts";
import { programsOf } from "../sandbox/toolchains.ts";

/** Where commands look for programs, beside the toolchains. */
const PATH = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"];

/** The bits of a file's mode that let its owner, its group or others run it. */
const ANYBODY_RUNS = 0o111;

/** What a skill needs and a command would not find, a sentence each.
 *  @param toolchains folders with programs that commands have besides. */
export function lacking({ bins, anyBins, env, os }: Requires, toolchains: readonly string[]): string[] {
  const places = [...toolchains.map(programsOf), ...PATH];
  const has = (name: string): boolean =>
    /^[A-Za-z0-9._+-]+$/.test(name) && places.some((place) => isProgram(join(place, name)));
  const missing = bins.filter((name) => !has(name));
  return [
    ...missing.map((name) => `the program ${name} is not there`),
    ...(anyBins.length > 0 && !anyBins.some(has) ? [`none of the programs ${anyBins.join(", ")} is there`] : []),
    // Commands have an environment of their own: what is in ours is not handed on.
    ...env.map(
      (name) => `it wants ${name} in its environment, where no secret goes: have it use a credential of the vault`,
    ),
    ...(os.length > 0 && !os.includes(process.platform) ? [`it is made for ${os.join(", ")}`] : []),
  ];
}

/** This is asked at every turn of an agent, mostly where nothing is: no error is made of that. */
function isProgram(path: string): boolean {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    return found?.isFile() === true && (found.mode & ANYBODY_RUNS) !== 0;
  } catch {
    return false;
  }
}
