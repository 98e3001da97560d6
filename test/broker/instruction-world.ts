import { join } from "node:path";
import { Folders } from "../../src/supervisor/folders.ts";
import { InstructionFiles } from "../../src/supervisor/instruction-files.ts";
import { Workspaces } from "../../src/supervisor/workspaces.ts";
import type { World } from "./world.ts";

/** The files of instructions in a world's workspaces, as a start of the daemon finds them.
 *  @param changed told of agents whose settings are others now. @param names of people; whoever is not in it is Ada. */
export function instructionFilesOf(
  world: World,
  changed: (agent: string) => void = () => undefined,
  names: ReadonlyMap<string, string> = new Map(),
): InstructionFiles {
  const nameOf = (principal: string): string => names.get(principal) ?? "Ada";
  const folders: Folders = new Folders({
    log: world.log,
    added: () => world.state.placed("folder"),
    places: { data: world.home, executable: process.execPath, home: "/nowhere" },
    knowsAgent: () => true,
    nameOf,
    contentKey: () => Promise.resolve(),
    taken: () => null,
    changed: () => Promise.resolve(),
  });
  return new InstructionFiles({
    log: world.log,
    accepted: () => world.state.placed("instructions"),
    workspaces: new Workspaces(join(world.home, "workspaces"), folders),
    folders,
    files: world.files,
    ours: { home: world.home, executable: process.execPath },
    agents: () => ["default"],
    nameOf,
    contentKey: () => Promise.resolve(),
    changed: (agent) => {
      changed(agent);
      return Promise.resolve();
    },
  });
}
