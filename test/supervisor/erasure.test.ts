import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, expect, test } from "vitest";
import { verifySync } from "../../audit/verify.ts";
import { mint, type PrincipalId, type SessionId } from "../../src/ipc/ids.ts";
import { transcriptForPeople } from "../../src/supervisor/transcript.ts";
import { ownFolder } from "../support/folder.ts";
import { DataFolder } from "../vault/world.ts";
import { foundIn, KeepingWorld, sealedCanaries } from "./keeping-world.ts";

const CHILD = join(import.meta.dirname, "erasure-child.ts");
/** Enough that pages of every table are full and were rearranged. */
const OTHERS = 12;

interface Scene {
  readonly folder: DataFolder;
  readonly world: KeepingWorld;
  readonly kim: PrincipalId;
  readonly alone: SessionId;
  readonly group: SessionId;
  readonly other: SessionId;
  /** All of Kim that lies anywhere: who she is, in plain text, and what she wrote, sealed, with its keys. */
  readonly canaries: Map<string, Uint8Array>;
}

const original = new DataFolder();
afterAll(() => original[Symbol.dispose]());
let made: Omit<Scene, "folder" | "world">;

/** A copy of it, open. */
async function scene(): Promise<Scene> {
  const folder = new DataFolder(ownFolder());
  cpSync(original.path, folder.path, { recursive: true });
  return { ...made, folder, world: await KeepingWorld.open(folder) };
}

beforeAll(async () => {
  const folder = original;
  const world = await KeepingWorld.open(folder);
  await world.people.ensureOwner("Account Holder");
  const kim = await world.join("Kim Canary", "sender-770011");
  const names = Array.from({ length: OTHERS }, (_, index) => `Other ${index}`);
  for (const [index, name] of names.entries()) await world.join(name, `sender-88${index}`);
  const lee = world.state.personOf("telegram", "sender-880")?.principal ?? kim;
  const alone = await world.session("direct", "place-of-sender-770011", kim);
  const group = await world.session("group", "place-of-a-group", kim);
  const other = await world.session("direct", "place-of-sender-880", lee);
  for (let turn = 0; turn < 5; turn++) {
    await world.say(alone, kim, `alone ${turn}`);
    await world.say(group, kim, `hers in the group ${turn}`);
    await world.say(group, lee, `another's in the group ${turn}`);
    await world.say(other, lee, `another's ${turn}`);
  }
  const pairings = world.log.rows({ kind: "pair.requested", after: -1, limit: 1 });
  const [asked] = pairings.map(({ action }) => (action.kind === "pair.requested" ? action.pairing : ""));
  const plain = ["Kim Canary", "sender-770011", "place-of-sender-770011", "update-alone 3"];
  const canaries = sealedCanaries(folder, [kim, alone, asked ?? ""]);
  for (const text of plain) canaries.set(text, Buffer.from(text));
  await world[Symbol.asyncDispose]();
  made = { kim, alone, group, other, canaries };
}, 60_000);

function verifies({ log, vault }: KeepingWorld["world"], path: string): void {
  const verdict = verifySync(path, { live: true, vkey: log.vkey, sealer: vault.sealer(), deep: true });
  expect(verdict.findings).toEqual([]);
}

test("the scan finds who somebody is and what they wrote; after the erasure it finds nothing, and the log verifies", async () => {
  const { folder, world, kim, alone, group, other, canaries } = await scene();
  await using open = world;
  expect(canaries.size).toBeGreaterThan(25);
  expect(foundIn(folder.path, canaries).toSorted()).toEqual([...canaries.keys()].toSorted());
  const bodies = world.log
    .rows({ after: -1, limit: 1_000 })
    .map(({ action, cause }) => JSON.stringify([action, cause]));
  const answer = await open.erasure().erase({ principal: kim }, "she asked for it", world.owner);
  expect(foundIn(folder.path, canaries)).toEqual([]);
  verifies(world.world, folder.log);
  expect(
    world.log.rows({ after: -1, limit: bodies.length }).map(({ action, cause }) => JSON.stringify([action, cause])),
  ).toEqual(bodies);
  expect(world.ended.toSorted()).toEqual([alone, group].toSorted());
  expect(answer).toMatchObject({ sessions: 1, files: 0, exports: [] });
  expect(answer.unreachable.join("\n")).toContain("telegram");
  const kinds = world.log
    .rows({ kind: "content.", limit: 10 })
    .map(({ action, content }) => [action.kind, content("reason")]);
  expect(kinds).toEqual([
    ["content.erased", null],
    ["content.erasing", "she asked for it"],
  ]);
  // Others lose nothing, and she is somebody without a name whom nobody can write as.
  expect(transcriptForPeople(world.log, world.state, other).map(({ text }) => text)).not.toContain("[erased]");
  const told = transcriptForPeople(world.log, world.state, group).map(({ text }) => text);
  expect(told).toContain("another's in the group 3");
  expect(told).toContain("[erased]");
  expect(told.join("\n")).not.toContain("hers");
  expect(world.state.person(kim)?.name).toBe("[erased]");
  expect(world.state.personOf("telegram", "sender-770011")).toBeNull();
  expect(world.state.conversationAt("telegram", "place-of-sender-770011", null)).toBeNull();
});

test("a projection that is made anew knows no more", async () => {
  const { folder, world, kim, alone } = await scene();
  await world.erasure().erase({ principal: kim }, "she asked for it", world.owner);
  const before = world.state.people();
  await world[Symbol.asyncDispose]();
  for (const end of ["", "-wal", "-shm"]) rmSync(join(folder.path, `state.db${end}`), { force: true });
  await using again = await KeepingWorld.open(folder);
  expect(again.state.people()).toEqual(before);
  expect(again.state.person(kim)?.name).toBe("[erased]");
  expect(again.state.identities(kim)).toEqual([]);
  expect(transcriptForPeople(again.log, again.state, alone).map(({ text }) => text)).toEqual(Array(5).fill("[erased]"));
});

test("a session is erased alone: its key and all that was said in it, and nothing else", async () => {
  const { folder, world, kim, alone, group } = await scene();
  await using open = world;
  const canaries = sealedCanaries(folder, [alone]);
  const others = sealedCanaries(folder, [group, kim]);
  expect(foundIn(folder.path, canaries)).toHaveLength(canaries.size);
  await open.erasure().erase({ session: alone }, "a mistake", world.owner);
  expect(foundIn(folder.path, canaries)).toEqual([]);
  expect(foundIn(folder.path, others)).toHaveLength(others.size);
  expect(world.state.personOf("telegram", "sender-770011")?.name).toBe("Kim Canary");
  expect(world.state.isOpen(alone)).toBe(false);
  verifies(world.world, folder.log);
});

test.for(["session", "principal", "span"] as const)("what a %s on hold touches is not erased", async (subject) => {
  const { folder, world, kim, alone, canaries } = await scene();
  await using open = world;
  const target =
    subject === "session"
      ? ({ subject, session: alone } as const)
      : subject === "principal"
        ? ({ subject, principal: kim } as const)
        : ({ subject, from: "2020-01-01T00:00:00.000Z", to: "2999-01-01T00:00:00.000Z" } as const);
  const { hold } = await world.holds.add(target, "a lawsuit", world.owner);
  for (const asked of [{ session: alone }, { principal: kim }]) {
    await expect(open.erasure().erase(asked, "she asked for it", world.owner)).rejects.toMatchObject({
      code: "refused",
      message: expect.stringContaining(hold),
    });
  }
  expect(foundIn(folder.path, canaries)).toHaveLength(canaries.size);
  expect(world.ended).toEqual([]);
  await world.holds.remove(hold, null, world.owner);
  await open.erasure().erase({ principal: kim }, "she asked for it", world.owner);
  expect(foundIn(folder.path, canaries)).toEqual([]);
});

const STEPS = ["intent", "key", "second key", "rows", "content", "truncate", "person", "compact"] as const;

test.for(STEPS)("kill -9 after the step %s: the next start completes the erasure", async (step) => {
  const { folder, world, kim, canaries } = await scene();
  await world[Symbol.asyncDispose]();
  const ran = spawnSync(process.execPath, ["--no-warnings", CHILD, folder.path, kim, step], { encoding: "utf8" });
  expect(ran.signal, ran.stderr).toBe("SIGKILL");
  const left = foundIn(folder.path, canaries);
  if (step === "intent") expect(left).toHaveLength(canaries.size);
  await using again = await KeepingWorld.open(folder);
  expect(await again.erasure().complete()).toBe(1);
  expect(await again.log.interrupted()).toEqual([]);
  await again.log.checkpoint("start");
  expect(foundIn(folder.path, canaries)).toEqual([]);
  expect(again.state.person(kim)?.name).toBe("[erased]");
  verifies(again.world, folder.log);
  const [last] = again.log.rows({ kind: "content.erased", limit: 2 });
  expect(again.log.row(last?.cause ?? -1)?.action.kind).toBe("content.erasing");
});

test("what an earlier build sealed under the daemon's key, for want of a key of theirs, goes as well", async () => {
  const { folder, world } = await scene();
  await using open = world;
  const before = sealedCanaries(folder, ["daemon"]);
  const principal = mint("principal");
  const { log } = open;
  await log.append(
    { kind: "person.added", principal, role: "user", ...open.owner },
    { cause: null, content: { name: "Old" } },
  );
  const linked = { kind: "identity.linked", principal, channel: "telegram" } as const;
  await log.append(linked, { cause: null, content: { sender: "sender-old", name: "Old" } });
  await log.append(
    { kind: "message.refused", channel: "telegram", reason: "stranger", times: 1, since: "2026-01-01T00:00:00.000Z" },
    { cause: null, content: { sender: "sender-old" } },
  );
  const session = await open.session("direct", "place-old", "daemon");
  await open.say(session, principal, "an old word");
  const all = sealedCanaries(folder, ["daemon", session]);
  const theirs = new Map([...all].filter(([name]) => !before.has(name)));
  theirs.set("place", Buffer.from("place-old"));
  expect(theirs.size).toBeGreaterThanOrEqual(10);
  expect(foundIn(folder.path, theirs)).toHaveLength(theirs.size);
  await open.erasure().erase({ principal }, "they asked for it", open.owner);
  expect(foundIn(folder.path, theirs)).toEqual([]);
  expect(foundIn(folder.path, before)).toHaveLength(before.size);
  verifies(open.world, folder.log);
});

test("an id that is nobody's is told so", async () => {
  const { world } = await scene();
  await using open = world;
  const nobody = "p_00000000000000000000000000";
  await expect(open.erasure().erase({ principal: nobody }, "x", world.owner)).rejects.toThrow("nobody has the id");
  await expect(open.erasure().erase({ session: "s_00000000000000000000000000" }, "x", world.owner)).rejects.toThrow(
    "there is no session",
  );
});
