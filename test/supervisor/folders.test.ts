import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { mint, Name, type PrincipalId } from "../../src/ipc/ids.ts";
import { Folders } from "../../src/supervisor/folders.ts";
import { refusalOfFile } from "../../src/sandbox/refusal.ts";
import { Workspaces } from "../../src/supervisor/workspaces.ts";
import { World } from "../broker/world.ts";

let world: World;
/** A machine of its own: a home folder with what lies in one. */
let machine = "";
let workspaces: Workspaces;
const ada = mint("principal");
const bob = mint("principal");
const DEFAULT = Name.parse("default");

beforeEach(async () => {
  world = await World.make();
  machine = realpathSync(mkdtempSync(join(tmpdir(), "wirken-machine-")));
  for (const path of [
    "home/ada/.ssh",
    "home/ada/.config/google-chrome/Default",
    "home/ada/documents/taxes",
    "home/ada/backup/old/.gnupg",
    "data/workspaces",
    "opt/wirken",
  ])
    mkdirSync(join(machine, path), { recursive: true });
  writeFileSync(join(machine, "opt/wirken/wirken"), "");
  writeFileSync(join(machine, "home/ada/file"), "");
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
  rmSync(machine, { recursive: true, force: true });
});

const at = (path: string): string => join(machine, path);
const places = () => ({ data: at("data"), executable: at("opt/wirken/wirken"), home: at("home/ada") });

function book(): Folders {
  const folders: Folders = new Folders({
    log: world.log,
    added: () => world.state.placed("folder"),
    places: places(),
    knowsAgent: (agent) => agent === "default" || agent === "other",
    nameOf: (principal) => (principal === ada ? "Ada" : principal === bob ? "Bob" : null),
    contentKey: () => Promise.resolve(),
    taken: (agent, principal, name) => workspaces.taken(agent, principal, name),
    changed: () => Promise.resolve(),
  });
  workspaces = new Workspaces(at("data/workspaces"), folders);
  return folders;
}

const who = { by: ada, via: "terminal" };
function add(
  folders: Folders,
  path: string,
  given: { agent?: Name; write?: boolean; principal?: PrincipalId; name?: string } = {},
) {
  const { agent = DEFAULT, write = false, principal = null, name = null } = given;
  return folders.add({ call: "folder.add", path: at(path), agent, write, principal, name }, who);
}

describe("a folder is refused", () => {
  test.for([
    ["home/ada", "the home folder itself"],
    ["home", "holds the home folder"],
    ["", "holds the home folder"],
    ["data", "the data directory"],
    ["data/workspaces", "the data directory"],
    ["home/ada/.ssh", "where credentials are"],
    ["home/ada/.config", "where credentials are"],
    ["home/ada/.config/google-chrome/Default", "where credentials are"],
    ["home/ada/backup", "backup/old/.gnupg, where credentials are"],
    ["home/ada/backup/old/.gnupg", "where credentials are"],
    ["opt", "our own executable"],
    ["link", "where credentials are"],
    ["home/ada/file", "not a directory"],
    ["nowhere", "nothing there"],
  ] as const)("%s: %s", async ([path, why]) => {
    symlinkSync(at("home/ada/.ssh"), at("link"));
    await expect(add(book(), path)).rejects.toThrow(why);
    expect(world.rows("folder.added")).toEqual([]);
  });

  test("that lies in another, or holds one: a command that changes the one could put a link in the place of the other", async () => {
    const folders = book();
    await add(folders, "home/ada/documents/taxes", { write: true });
    await expect(add(folders, "home/ada/documents", { agent: Name.parse("other") })).rejects.toThrow(
      "holds the folder taxes",
    );
  });

  test("of a name that is taken, by a folder, by what is shared, or by a file of the workspace", async () => {
    const folders = book();
    mkdirSync(at("home/ada/more/documents"), { recursive: true });
    await add(folders, "home/ada/documents");
    await expect(add(folders, "home/ada/more/documents")).rejects.toThrow("has a folder documents already");
    await expect(add(folders, "home/ada/more/documents", { name: "shared" })).rejects.toThrow(
      "shared is what all people",
    );
    await expect(add(folders, "home/ada/more/documents", { name: "No Name" })).rejects.toThrow(
      "cannot be a folder's name",
    );
    writeFileSync(join(workspaces.placeOf("default", bob, "direct").workspace, "mine"), "");
    await expect(add(folders, "home/ada/more/documents", { name: "mine" })).rejects.toThrow("is called mine already");
    await expect(add(folders, "home/ada/more/documents", { name: "more" })).resolves.toMatchObject({ name: "more" });
  });
});

test("a folder is part of the workspaces of whom it is for, and of group talk if it is everybody's", async () => {
  const folders = book();
  mkdirSync(at("srv/team"), { recursive: true });
  await add(folders, "home/ada/documents", { write: true, principal: ada });
  await add(folders, "srv/team");
  const names = (principal: string, talk: "direct" | "group"): string[] =>
    workspaces.placeOf("default", principal, talk).folders.map(({ name }) => name);
  expect(names(ada, "direct")).toEqual(["shared", "documents", "team"]);
  expect(names(bob, "direct")).toEqual(["shared", "team"]);
  expect(names(ada, "group")).toEqual(["team"]);
  // What all share is the workspace itself there.
  const group = workspaces.placeOf("default", ada, "group").workspace;
  expect(workspaces.placeOf("default", bob, "direct").folders[0]).toMatchObject({ path: group, write: true });
  expect(folders.inForce("other")).toEqual([]);
});

test("what was added is known after a restart from the rows alone, until it is removed", async () => {
  await add(book(), "home/ada/documents", { write: true, principal: ada });
  await world.restart();
  const folders = book();
  expect(folders.list(null).folders).toMatchObject([{ name: "documents", write: true, person: "Ada", wrong: null }]);
  await folders.remove({ call: "folder.remove", agent: DEFAULT, name: "documents" }, who);
  await world.restart();
  expect(book().list(null).folders).toEqual([]);
  expect(world.rows("folder.removed")).toHaveLength(1);
});

test("one that vanished or was replaced says so", async () => {
  const folders = book();
  await add(folders, "home/ada/documents");
  renameSync(at("home/ada/documents"), at("home/ada/elsewhere"));
  expect(folders.notes()).toEqual([expect.stringContaining("is not there any more")]);
  mkdirSync(at("home/ada/documents"));
  expect(folders.list(DEFAULT).folders).toMatchObject([{ wrong: expect.stringContaining("was replaced") }]);
});

test("what lay in an agent's workspace before people had their own is what they share", () => {
  book();
  mkdirSync(at("data/workspaces/default"), { recursive: true });
  writeFileSync(at("data/workspaces/default/old.txt"), "old");
  const { folders } = workspaces.placeOf("default", ada, "direct");
  expect(folders).toMatchObject([{ name: "shared", path: at("data/workspaces/default") }]);
});

test.for([
  ["data/vault.db", "data directory"],
  ["home/ada/.ssh/id_ed25519", "credentials"],
  ["home/ada/.config/google-chrome/Default/Cookies", "credentials"],
  ["opt/wirken/wirken", "our own executable"],
] as const)("a single file is refused as well: %s", ([path, why]) => {
  expect(refusalOfFile(at(path), places())).toContain(why);
  expect(refusalOfFile(at("home/ada/file"), places())).toBeNull();
});
