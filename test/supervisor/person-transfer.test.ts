import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { Grants } from "../../src/broker/grants.ts";
import { AdapterChannel, type Channel } from "../../src/ipc/channel.ts";
import { mint, Name, type PrincipalId } from "../../src/ipc/ids.ts";
import { Folders } from "../../src/supervisor/folders.ts";
import type { By } from "../../src/supervisor/people.ts";
import { PersonTransfer } from "../../src/supervisor/person-transfer.ts";
import { Schedules } from "../../src/supervisor/schedules.ts";
import { newWorld, type World } from "./world.ts";

const TELEGRAM = AdapterChannel.parse("telegram");

let world: World;
let grants: Grants;
let folders: Folders;
let schedules: Schedules;
let transfer: PersonTransfer;
let machine: string;
let who: By;
let ann: PrincipalId;
let bob: PrincipalId;

beforeEach(async () => {
  world = await newWorld();
  const { log, state, people, clock } = world;
  machine = realpathSync(mkdtempSync(join(tmpdir(), "wirken-transfer-")));
  onTestFinished(() => rmSync(machine, { recursive: true, force: true }));
  for (const path of ["home/notes", "data", "opt"]) mkdirSync(join(machine, path), { recursive: true });
  grants = new Grants(log, clock, []);
  folders = new Folders({
    log,
    added: () => state.placed("folder"),
    places: { data: join(machine, "data"), executable: join(machine, "opt"), home: join(machine, "home") },
    knowsAgent: () => true,
    nameOf: (principal) => state.person(principal)?.name ?? null,
    contentKey: async () => await Promise.resolve(),
    taken: () => null,
    changed: async () => await Promise.resolve(),
  });
  schedules = new Schedules({
    log,
    state,
    now: () => clock.now(),
    begin: async () => await Promise.resolve(null),
    halted: () => false,
    tell: async () => await Promise.resolve(),
    line: () => undefined,
  });
  transfer = new PersonTransfer({
    log,
    state,
    people,
    grants,
    schedules,
    folders,
    contentKey: async () => await Promise.resolve(),
  });
  who = { by: (await people.ensureOwner("account")).principal, via: "terminal" };
  ann = await letIn("Ann", "1001");
  bob = await letIn("Bob", "1002");
});

async function letIn(name: string, sender: string): Promise<PrincipalId> {
  const asked = await world.people.request("telegram", sender, name);
  return (await world.people.approve(asked?.pairing.code ?? "", "user", null, who)).person.principal;
}

/** Somebody's direct conversation on Telegram: they have written there. */
async function talk(principal: PrincipalId, place: string): Promise<string> {
  const [conversation, session] = [mint("conversation"), mint("session")];
  const there = { conversation, channel: "telegram" } as const;
  const { log } = world;
  await log.append({ kind: "conversation.opened", ...there, talk: "direct" }, { cause: null, content: { place } });
  await log.append({ kind: "session.opened", session, ...there, agent: "default" }, { cause: null });
  await log.append(
    { kind: "message.received", message: mint("message"), session, ...there, principal },
    { cause: null, content: { text: "hello" } },
  );
  return conversation;
}

async function plan(principal: PrincipalId, conversation: string): Promise<string> {
  const schedule = mint("schedule");
  await world.log.append(
    { kind: "schedule.added", schedule, agent: "default", principal, conversation, channel: "telegram", ...who },
    { cause: null, seal: principal, content: { cron: "0 9 * * *", zone: "UTC", text: "read my notes" } },
  );
  return schedule;
}

async function remember(principal: PrincipalId, channel: Channel, scope: "session" | "always"): Promise<void> {
  const turn = { agent: "default", principal, channel, session: mint("session") };
  await grants.give(turn, "exec:rw", scope, { ...who, cause: 0 });
}

test("schedules, own folders and remembered approvals are another's, and each answers where they write", async () => {
  const schedule = await plan(ann, await talk(ann, "1001\n"));
  const theirs = await talk(bob, "1002\n");
  await folders.add(
    {
      call: "folder.add",
      path: join(machine, "home/notes"),
      name: null,
      agent: Name.parse("default"),
      write: true,
      principal: ann,
    },
    who,
  );
  await remember(ann, TELEGRAM, "always");
  await remember(ann, TELEGRAM, "session");
  await remember(ann, "web", "always");
  const done = await transfer.transfer(ann, bob, who);
  expect(done).toMatchObject({ from: "Ann", to: "Bob", schedules: 1, grants: 1, folders: 1 });
  expect(done.stays).toEqual([
    "exec:rw by agent default on telegram: it holds for one conversation only",
    "exec:rw by agent default on web: Bob does not write on web",
  ]);
  expect(world.state.schedule(schedule)).toMatchObject({ principal: bob, conversation: theirs });
  expect(folders.of("default", bob)).toMatchObject([{ name: "notes", write: true, principal: bob }]);
  expect(folders.of("default", ann)).toEqual([]);
  expect(grants.of(bob).got).toMatchObject([{ key: "exec:rw", channel: "telegram", session: null }]);
  // What it does can be read though what was the giver's is erased.
  const record = world.state.schedule(schedule);
  expect(record === null ? null : schedules.planned(record)?.text).toBe("read my notes");
});

test("what a removed person left can be handed on, and begins again; where there is nowhere to answer it stays", async () => {
  const schedule = await plan(ann, await talk(ann, "1001\n"));
  const paused = schedules.pauseOf(ann, who);
  await world.log.together(
    { action: { kind: "person.revoked", principal: ann, ...who }, given: { cause: null } },
    paused,
  );
  expect(world.state.schedule(schedule)).toMatchObject({ paused: "removed" });
  expect(await transfer.transfer(ann, bob, who)).toMatchObject({
    schedules: 0,
    stays: [`${schedule}: Bob has not written to the bot, so there is nowhere to answer`],
  });
  await talk(bob, "1002\n");
  expect(await transfer.transfer(ann, bob, who)).toMatchObject({ from: ann, schedules: 1, stays: [] });
  expect(world.state.schedule(schedule)).toMatchObject({ paused: null, principal: bob });
  await expect(transfer.transfer(bob, bob, who)).rejects.toThrow("the same person");
  await expect(transfer.transfer(mint("principal"), bob, who)).rejects.toThrow("nobody has the id");
});
