import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** Where the turns of the one person who has talked to an agent take place; nobody's while none has. @throws {Error} if several have. */
export function ownWorkspace(data: string, agent = "default"): string {
  const top = join(data, "workspaces");
  const people = (existsSync(top) ? readdirSync(top) : []).filter(
    (name) => name.startsWith("p_") && existsSync(join(top, name, agent)),
  );
  if (people.length > 1)
    throw new Error(`${people.length} people have talked to ${agent}: say whose workspace is meant`);
  return join(top, people[0] ?? "p_nobody", agent);
}
