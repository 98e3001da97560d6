import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** Where the turns of the one person who has talked to an agent take place; nobody's while none has. @throws {Error} if several have. */
export function ownWorkspace(data: string, agent = "default"): string {
  const [one, ...others] = workspacesOf(data, agent);
  if (others.length > 0) throw new Error(`${others.length + 1} people have talked to ${agent}: say whose is meant`);
  return one ?? join(data, "workspaces", "p_nobody", agent);
}

/** A file of that name, in the workspace of whichever person has it; where it would be if nobody does. */
export function ownFile(data: string, name: string, agent = "default"): string {
  const paths = workspacesOf(data, agent).map((workspace) => join(workspace, name));
  return paths.find((path) => existsSync(path)) ?? paths[0] ?? join(data, "workspaces", "p_nobody", agent, name);
}

function workspacesOf(data: string, agent: string): string[] {
  const top = join(data, "workspaces");
  return (existsSync(top) ? readdirSync(top) : [])
    .map((name) => join(top, name, agent))
    .filter((path) => /p_[0-9a-z]+\/[^/]+$/.test(path) && existsSync(path));
}
