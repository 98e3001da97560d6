import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TurnContext } from "../../src/broker/turn.ts";
import { mint, type PrincipalId } from "../../src/ipc/ids.ts";
import { identityOf } from "../../src/sandbox/folder.ts";
import { Workspaces } from "../../src/supervisor/workspaces.ts";
import { World } from "../broker/world.ts";

/** The real broker, log, sandbox and memory. Alice tells an agent something in every way that is kept; then Bob, who may do whatever he likes with his own
 *  requests, asks the same agent for it in every way that there is, and so does anybody in a group that both are in. */

const CANARY = "marmalade-7719";
const alice = mint("principal");
const bob = mint("principal");
let world: World;
let workspaces: Workspaces;
let hers = "";
let folder = "";

beforeAll(async () => {
  world = await World.make();
  await world.sandbox.probe();
  folder = join(world.home, "..", `${world.home.split("/").at(-1) ?? ""}-alice`);
  mkdirSync(folder);
  writeFileSync(join(folder, "diary.txt"), `diary: ${CANARY}`);
  const own = { name: "diary", path: folder, write: false, identity: identityOf(folder) ?? "" };
  workspaces = new Workspaces(join(world.home, "workspaces"), {
    of: (_, principal) =>
      principal === alice
        ? [{ ...own, folder: mint("folder"), agent: "default", principal: alice, at: "", seq: 0 }]
        : [],
  });
  hers = turnOf(alice).workspace;
  const turn = turnOf(alice);
  await ask(turn, "write_file", { path: "told.txt", content: `the code is ${CANARY}` });
  await ask(turn, "memory_write", { text: `the code is ${CANARY}` });
  if (process.getuid?.() === 0) {
    chmodSync(world.home, 0o755);
    execFileSync("chown", ["-R", "65534", join(world.home, "workspaces"), folder]);
  }
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  execFileSync("rm", ["-rf", folder]);
});

function turnOf(principal: PrincipalId, talk: "direct" | "group" = "direct"): TurnContext {
  const session = mint("session");
  return {
    ...world.turn({ talk, labels: world.labels.of(session) }),
    session,
    principal,
    ...workspaces.placeOf("default", principal, talk),
  };
}

/** Every question is answered with yes by whoever asked. @returns what the model is told. */
async function ask(turn: TurnContext, name: string, given: object): Promise<string> {
  const before = world.cards.length;
  const answered = world.call(turn, name, given);
  const done = answered.then(() => true);
  while (!(await Promise.race([done, new Promise<false>((resolve) => setTimeout(() => resolve(false), 5))]))) {
    const card = world.cards[before];
    if (card !== undefined) await world.approvals.decide(card.approval, world.answer({ by: turn.principal }));
  }
  return (await answered).text;
}

const WAYS: readonly (readonly [string, string, () => object])[] = [
  ["a file by its name", "read_file", () => ({ path: "told.txt" })],
  ["her folder", "read_file", () => ({ path: "diary/diary.txt" })],
  ["a search", "search_files", () => ({ pattern: "marmalade" })],
  ["a command", "exec", () => ({ script: "cat told.txt diary/*; grep -r marmalade . 2>&1" })],
  ["memory", "memory_read", () => ({ query: "code" })],
  ["memory of every channel", "memory_read", () => ({ query: "code", other_channels: true })],
];
const FURTHER: typeof WAYS = [
  ["the path of her file", "read_file", () => ({ path: join(hers, "told.txt") })],
  ["a way up", "read_file", () => ({ path: `../../${alice}/default/told.txt` })],
  ["a way up from what they share", "read_file", () => ({ path: `shared/../../${alice}/default/told.txt` })],
  ["a link to it", "read_file", () => ({ path: "shared/link/told.txt" })],
  ["a listing of her workspace", "list_files", () => ({ path: hers })],
  ["a command by her path", "exec", () => ({ argv: ["cat", join(hers, "told.txt"), join(folder, "diary.txt")] })],
  [
    "a command over all that it sees",
    "exec",
    () => ({ script: "grep -rs marmalade / --exclude-dir=proc --exclude-dir=sys --exclude-dir=usr" }),
  ],
  ["a link that a command made", "exec", () => ({ script: `ln -sfn ${hers} mine; cat mine/told.txt`, write: true })],
];

describe("what Alice told", () => {
  test.for(WAYS)("is found by herself through %s", async ([, tool, given]) => {
    expect(await ask(turnOf(alice), tool, given())).toContain(CANARY);
  });

  test.for([...WAYS, ...FURTHER])("is not had by Bob through %s", async ([, tool, given]) => {
    execFileSync("ln", ["-sfn", hers, join(world.home, "workspaces", "default", "link")]);
    expect(await ask(turnOf(bob), tool, given())).not.toContain(CANARY);
  });

  test.for([...WAYS, ...FURTHER])("is not had in a group that she is in through %s", async ([, tool, given]) => {
    expect(await ask(turnOf(alice, "group"), tool, given())).not.toContain(CANARY);
  });
});
