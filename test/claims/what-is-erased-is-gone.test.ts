import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod/mini";
import { rowsOf } from "../support/claims-log.ts";
import {
  answered,
  ask,
  auditOf,
  enrolTelegram,
  OWNER,
  processesWith,
  startProtected,
  until,
  verifies,
} from "../support/claims-world.ts";
import type { TestDaemon } from "../support/daemon.ts";
import { TelegramServer } from "../support/telegram-server.ts";
import { DataFolder } from "../vault/world.ts";
import { foundIn, projectedCanaries, sealedCanaries } from "../supervisor/keeping-world.ts";

const STRANGER = 5_550_123;
let telegram: TelegramServer;
let daemon: TestDaemon;

beforeAll(async () => {
  telegram = await TelegramServer.start();
  daemon = await startProtected({ config: { channels: { telegram: { apiRoot: telegram.apiRoot } } } });
  await enrolTelegram(daemon, telegram);
});

afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  await telegram[Symbol.asyncDispose]();
});

const Erased = z.object({ sessions: z.int(), parts: z.int(), unreachable: z.array(z.string()) });
const People = z.object({ people: z.array(z.object({ principal: z.string(), name: z.string(), role: z.string() })) });

/** The newest session that somebody wrote in. */
function newestSession(): string {
  return z.string().parse(rowsOf(auditOf(daemon)).findLast((row) => row.$kind === "message.received")?.["session"]);
}

const sealed = (...scopes: string[]): Map<string, Uint8Array> => sealedCanaries(new DataFolder(daemon.data), scopes);

async function erase(...words: string[]): Promise<z.infer<typeof Erased>> {
  return Erased.parse(await daemon.json("audit", "erase", ...words, "--reason", "they asked for it"));
}

test("a session: found in the raw bytes before, gone after, its running turn ended, and the log verifies", async () => {
  await ask(daemon, "list my files");
  const mark = `4801.${process.pid}`;
  const asking = daemon.wirken(["ask", `run sleep ${mark}`]);
  await until(() => processesWith(mark).length > 0, "the command runs");
  const session = newestSession();
  const canaries = sealed(session);
  expect(canaries.size).toBeGreaterThan(5);
  expect(foundIn(daemon.data, canaries)).toHaveLength(canaries.size);
  const erased = await erase("--session", session);
  expect(erased.sessions).toBe(1);
  expect(erased.parts).toBeGreaterThanOrEqual(canaries.size - 1);
  await asking;
  expect(processesWith(mark)).toEqual([]);
  expect(foundIn(daemon.data, canaries)).toEqual([]);
  await verifies(daemon);
  // The conversation goes on, in another session.
  await ask(daemon, "list my files");
  expect(newestSession()).not.toBe(session);
});

test("what is held is not erased, status 4", async () => {
  const session = newestSession();
  const canaries = sealed(session);
  const held = await daemon.wirken(["audit", "hold", "add", "--session", session, "--reason", "a lawsuit"]);
  expect(held.stdout, held.stderr).toMatch(/^h_\w+\n$/);
  const refused = await daemon.wirken(["audit", "erase", "--session", session, "--reason", "they asked for it"]);
  expect(refused.status, refused.stderr).toBe(4);
  expect(refused.stderr).toContain(held.stdout.trim());
  expect(foundIn(daemon.data, canaries)).toHaveLength(canaries.size);
  expect((await daemon.wirken(["audit", "hold", "list"])).stdout).toContain("a lawsuit");
  expect((await daemon.wirken(["audit", "hold", "remove", held.stdout.trim()])).status).toBe(0);
});

test("a person: who they are and what they wrote", async () => {
  telegram.direct("hello", STRANGER);
  const card = await answered(telegram, (text) => text.includes("wirken pair approve"), STRANGER);
  const code = /pair approve (\w+)/.exec(card.text)?.[1] ?? "";
  const approved = await daemon.wirken(["pair", "approve", code, "--as", "Erika Canary"]);
  expect(approved.status, approved.stderr).toBe(0);
  const { people } = People.parse(await daemon.json("pair", "list"));
  const person = people.find(({ name }) => name === "Erika Canary")?.principal ?? "";
  telegram.direct("list my files", STRANGER);
  await until(
    () =>
      rowsOf(auditOf(daemon)).some((row) => row.$kind === "turn.ended" && row["session"] === newestSession()) &&
      rowsOf(auditOf(daemon)).findLast((row) => row.$kind === "message.received")?.["principal"] === person,
    "the turn ends",
  );
  const canaries = sealed(person, newestSession());
  for (const [name, bytes] of projectedCanaries(new DataFolder(daemon.data), person)) canaries.set(name, bytes);
  expect([...canaries.keys()]).toEqual(expect.arrayContaining(["projected name", "projected who"]));
  expect(foundIn(daemon.data, canaries)).toHaveLength(canaries.size);
  const erased = await erase("--principal", "Erika Canary");
  expect(erased.unreachable.join("\n")).toContain("telegram");
  expect(foundIn(daemon.data, canaries)).toEqual([]);
  const after = People.parse(await daemon.json("pair", "list")).people;
  expect(after.find(({ principal }) => principal === person)?.name).toBe("[erased]");
  await verifies(daemon);
  // The owner is still who they were.
  telegram.direct("list my files", OWNER);
  await until(
    () => rowsOf(auditOf(daemon)).findLast((row) => row.$kind === "message.received")?.["principal"] !== person,
    "it is taken",
  );
});
