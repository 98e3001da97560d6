import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Ran } from "../support/daemon.ts";
import { ScriptedModel } from "../support/scripted-model.ts";
import { PATIENCE_MS, Spine } from "../support/spine.ts";

const FIRST_KEY = "sk-proj-claims-test-key-0123456789";
const SECOND_KEY = "sk-proj-claims-next-key-9876543210";

/** A rotation takes a minute to find out that a token does not connect. */
const ROTATE_MS = 100_000;

let spine: Spine;
/** Takes two keys and no other. */
let keyed: ScriptedModel;
let number = 0;

beforeAll(async () => {
  [spine, keyed] = await Promise.all([Spine.start(), ScriptedModel.start([FIRST_KEY, SECOND_KEY])]);
});
afterAll(async () => {
  await spine[Symbol.asyncDispose]();
  await keyed[Symbol.asyncDispose]();
});
beforeEach(() => {
  spine.telegram.refuses = () => null;
});

/** Another token of the same bot, as BotFather makes one. */
function nextToken(): string {
  number += 1;
  return `700100:AAEnextToken${number}vJ5uYB-f9L2dKxPq7wR8sT1u3V`;
}
async function rotate(token: string): Promise<Ran> {
  return await spine.daemon.wirken(["vault", "rotate", "telegram", "--stdin"], { stdin: token, timeoutMs: ROTATE_MS });
}
async function adapter(): Promise<{ pid: number; restarts: number } | undefined> {
  return (await spine.status()).processes.find(({ role, subject }) => role === "adapter" && subject === "telegram");
}
async function version(scope = "channel/telegram"): Promise<{ version: number; fallback: number | null }> {
  const { credentials } = await (await spine.operator()).call({ call: "vault.list" });
  const found = credentials.find((one) => one.scope === scope);
  if (found === undefined) throw new Error(`${scope} is not there`);
  return { version: found.version, fallback: found.fallback };
}

test("a channel's token is replaced while messages come: none is lost or answered twice, and its process stays", async () => {
  const before = await adapter();
  const token = nextToken();
  spine.telegram.refuses = (shown) => (shown === token || shown === spine.telegram.token ? null : 401);
  spine.model.script("under way", { text: "answered: under way" });
  spine.write("under way");
  const words = Array.from({ length: 12 }, (_, i) => `number ${i} of twelve`);
  const rotating = rotate(token);
  for (const word of words) {
    spine.write(word);
    await new Promise((done) => setTimeout(done, 40));
  }
  const ran = await rotating;
  expect(ran.status, ran.stderr).toBe(0);
  expect(ran.stdout).toMatch(/telegram goes on with version 2, as @wirken_bot; the one before is destroyed/);
  for (const word of words) await spine.shown(`you said: ${word}`);
  await spine.shown("answered: under way");
  for (const word of words) expect(spine.textsAt("telegram").filter((text) => text.includes(word))).toHaveLength(1);
  expect(await adapter()).toEqual(before);
  // The one before is of no use to anybody any more, and the channel goes on.
  spine.telegram.refuses = (shown) => (shown === token ? null : 401);
  spine.write("after all");
  await spine.shown("you said: after all");
  expect(await version()).toEqual({ version: 2, fallback: null });
  const rows = (await spine.rows()).map(({ kind, fields }) => [kind, fields["version"] ?? null]);
  const added = rows.findIndex(([kind, of]) => kind === "credential.added" && of === 2);
  const handed = rows.findIndex(([kind, of], i) => i > added && kind === "secret.used" && of === 2);
  const confirmed = rows.findIndex(([kind, of], i) => i > handed && kind === "credential.confirmed" && of === 2);
  expect([added, handed, confirmed].every((at) => at > 0)).toBe(true);
});

test("a token that the platform refuses when it is checked changes nothing", async () => {
  const before = await version();
  spine.telegram.refuses = (token) => (token.includes("stranger") ? 401 : null);
  const ran = await rotate("700100:AAEstrangerTqbz4vJ5uYB-f9L2dKxPq7wR8");
  expect(ran.status).toBe(1);
  expect(ran.stderr).toContain("nothing was saved");
  expect(await version()).toEqual(before);
});

test("a token that does not work where it is used is rolled back, and the channel goes on", async () => {
  const before = await adapter();
  const { version: was } = await version();
  const token = nextToken();
  // Good for the check, and for nothing else.
  spine.telegram.refuses = (shown, method) => (shown === token && method !== "getMe" ? 401 : null);
  const ran = await rotate(token);
  expect(ran.status).toBe(1);
  expect(ran.stderr).toContain("the one before is in force again");
  expect(await version()).toEqual({ version: was + 2, fallback: null });
  expect((await spine.rows("credential.rolledback")).at(-1)?.fields).toMatchObject({ version: was + 1, to: was + 2 });
  await spine.connected("telegram");
  spine.write("still there?");
  await spine.shown("you said: still there?");
  expect(await adapter()).toEqual(before);
});

test.for([
  { ends: "refuses it: the one before is in force again", status: 401, kind: "credential.rolledback" },
  { ends: "takes it: it is confirmed", status: null, kind: "credential.confirmed" },
])("killed while the new token waits to be connected, the next start tries it, and the platform $ends", async (one) => {
  const token = nextToken();
  const newest = (await spine.rows(one.kind)).length;
  // It passes the check, and then Telegram is out of order.
  spine.telegram.refuses = (shown, method) => (shown === token && method !== "getMe" ? 502 : null);
  const rotating = rotate(token);
  await spine.eventually("the new version saved", async () => (await version()).fallback !== null);
  await spine.eventually("it is not connected", async () =>
    (await spine.status()).channels.some(({ channel, state }) => channel === "telegram" && state === "reconnecting"),
  );
  spine.telegram.refuses = (shown) => (shown === token ? one.status : null);
  await spine.restart("SIGKILL");
  expect((await rotating).status).not.toBe(0);
  await spine.eventually("it settled", async () => (await spine.rows(one.kind)).length === newest + 1, PATIENCE_MS);
  expect((await version()).fallback).toBeNull();
  await spine.connected("telegram");
  spine.write(`after ${one.kind}`);
  await spine.shown(`you said: after ${one.kind}`);
});

/** Passes the check with a token, after which Telegram is out of order for it. @returns the rotation, which waits for that to end. */
async function waitingWith(token: string): Promise<Promise<Ran>[]> {
  spine.telegram.refuses = (shown, method) => (shown === token && method !== "getMe" ? 502 : null);
  const rotating = rotate(token);
  await spine.eventually("the new version saved", async () => (await version()).fallback !== null);
  await spine.eventually("it is not connected", async () =>
    (await spine.status()).channels.some(({ channel, state }) => channel === "telegram" && state === "reconnecting"),
  );
  return [rotating];
}

test("a process that dies while it connects with the new token is started anew with that, and the rotation goes on", async () => {
  const { version: was } = await version();
  const before = await adapter();
  const [rotating] = await waitingWith(nextToken());
  process.kill(before?.pid ?? 0, "SIGKILL");
  spine.telegram.refuses = () => null;
  const ran = await rotating;
  expect(ran?.status, ran?.stderr).toBe(0);
  expect(await version()).toEqual({ version: was + 1, fallback: null });
  expect((await adapter())?.pid).not.toBe(before?.pid);
  spine.write("after its death");
  await spine.shown("you said: after its death");
});

/** It waits for a minute of the clock, and nothing else: that is for whoever has the time. */
const MINUTES = process.env["WIRKEN_TEST_ROUNDS"] === "long" ? ["a minute"] : [];

test.for(MINUTES)(
  "a new token that is not connected within %s is taken back, and the channel goes on with the one before",
  {
    timeout: 120_000,
  },
  async () => {
    const { version: was } = await version();
    const [rotating] = await waitingWith(nextToken());
    const ran = await rotating;
    expect(ran?.status).toBe(1);
    expect(ran?.stderr).toContain("was not connected with it within 60 s");
    expect(await version()).toEqual({ version: was + 2, fallback: null });
    await spine.connected("telegram");
    spine.telegram.refuses = () => null;
    spine.write("a minute later");
    await spine.shown("you said: a minute later");
  },
);

test("a provider's key is replaced while an answer is on its way: that one ends, and the next goes out with the new key", async () => {
  spine.changeConfig((config) => ({
    ...config,
    providers: { ...config.providers, openai: { baseUrl: keyed.baseUrl } },
  }));
  await spine.eventually("it is read", async () => (await spine.rows("config.loaded")).length > 1);
  const enrolled = await spine.daemon.wirken(["vault", "add", "openai", "--stdin"], { stdin: FIRST_KEY });
  expect(enrolled.status, enrolled.stderr).toBe(0);
  spine.changeConfig((config) => ({ ...config, agents: { default: { model: "openai/test-model" } } }));
  await spine.eventually("its model", async () => (await spine.status()).model.ref === "openai/test-model");
  const gate = Promise.withResolvers<void>();
  keyed.script("take your time", { text: "it took its time", after: gate.promise });
  spine.write("take your time");
  await spine.eventually("it is asked", () => keyed.begun > 0);
  const process = async (): Promise<number | undefined> =>
    (await spine.status()).processes.find(({ role, subject }) => role === "model" && subject === "openai")?.pid;
  const before = await process();
  const ran = await spine.daemon.wirken(["vault", "rotate", "openai", "--stdin"], { stdin: SECOND_KEY });
  expect(ran.status, ran.stderr).toBe(0);
  gate.resolve();
  await spine.shown("it took its time");
  const handed = (await spine.rows("secret.used")).filter(({ fields }) => fields["scope"] === "provider/openai");
  expect(handed.at(-1)?.fields["version"]).toBe(2);
  spine.write("and now?");
  await spine.shown("you said: and now?");
  expect(await process()).toBe(before);
  expect(await version("provider/openai")).toEqual({ version: 2, fallback: null });
});

test("what is saved is asked about: each result is told, recorded and listed, and the status says the worst", async () => {
  const good = await spine.daemon.wirken(["vault", "check", "telegram"]);
  expect(good.status, good.stderr).toBe(0);
  expect(good.stdout).toMatch(/telegram +good +@wirken_bot/);
  spine.telegram.refuses = (_, method) => (method === "getMe" ? 401 : null);
  const bad = await spine.daemon.wirken(["vault", "check"]);
  expect(bad.status, bad.stderr).toBe(1);
  expect(bad.stdout).toMatch(/telegram +refused/);
  expect(bad.stdout).toMatch(/openai +good/);
  expect((await spine.daemon.wirken(["vault", "list"])).stdout).toMatch(/telegram .* refused \d{4}/);
  expect((await spine.rows("credential.checked")).slice(-2).map(({ fields }) => fields["result"])).toEqual([
    "refused",
    "good",
  ]);
  spine.telegram.refuses = (_, method) => (method === "getMe" ? 502 : null);
  const away = await spine.daemon.wirken(["vault", "check", "telegram"]);
  expect(away.status, away.stdout).toBe(3);
  expect(away.stdout).toMatch(/telegram +unreachable/);
});

test("a free-named secret is replaced without a check, and nobody can be asked about it", async () => {
  await spine.daemon.wirken(["vault", "add", "secret/forge", "--stdin", "--host", "api.example.org"], { stdin: "one" });
  const ran = await spine.daemon.wirken(["vault", "rotate", "secret/forge", "--stdin", "--json"], { stdin: "two" });
  expect(ran.status, ran.stderr).toBe(0);
  expect(JSON.parse(ran.stdout)).toMatchObject({ version: 2, state: "in-use" });
  const { credentials } = await (await spine.operator()).call({ call: "vault.list" });
  expect(credentials.find(({ scope }) => scope === "secret/forge")).toMatchObject({
    version: 2,
    fallback: null,
    hosts: ["api.example.org"],
  });
  expect((await spine.daemon.wirken(["vault", "check", "secret/forge"])).status).toBe(2);
  expect((await spine.daemon.wirken(["vault", "rotate", "anthropic", "--stdin"], { stdin: "sk-ant-x" })).status).toBe(
    2,
  );
});

test("a token of another bot is no rotation: nothing is saved", async () => {
  const before = await version();
  const other = { id: 700_101, is_bot: true, first_name: "Other", username: "other_bot" };
  spine.telegram.mishaps.push({ method: "getMe", status: 200, body: { ok: true, result: other } });
  const ran = await rotate(nextToken());
  expect(ran.status).toBe(1);
  expect(ran.stderr).toContain("this belongs to @other_bot, and channel/telegram is @wirken_bot");
  expect(await version()).toEqual(before);
});

test("what its platform could not be asked about is a candidate: the one before goes on, and the next start tries the new one", async () => {
  const was = await version();
  const token = nextToken();
  spine.telegram.mishaps.push({ method: "getMe", cut: "before" });
  const ran = await rotate(token);
  expect(ran.status, ran.stderr).toBe(0);
  expect(ran.stdout).toContain(`version ${was.version + 1} is saved and not in use yet`);
  expect(await version()).toEqual({ version: was.version + 1, fallback: was.version });
  const key = await spine.daemon.wirken(["vault", "rotate", "openai", "--stdin", "--no-check"], { stdin: FIRST_KEY });
  expect(key.status, key.stderr).toBe(0);
  spine.write("with the one before");
  await spine.shown("you said: with the one before");
  await spine.restart();
  for (const [scope, newest] of [
    ["channel/telegram", was.version + 1],
    ["provider/openai", 3],
  ] as const)
    await spine.eventually(`${scope} confirmed`, async () => {
      const now = await version(scope);
      return now.version === newest && now.fallback === null;
    });
});
