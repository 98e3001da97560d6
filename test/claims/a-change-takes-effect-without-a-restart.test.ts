import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ScriptedModel } from "../support/scripted-model.ts";
import { Spine } from "../support/spine.ts";

const ANTHROPIC = "sk-ant-api03-claims-test-key-0123456789";
const OPENAI = "sk-proj-claims-test-key-0123456789";
const REFUSED = "sk-ant-api03-claims-other-key-9876543210";

let spine: Spine;
/** Takes two keys and no other. */
let keyed: ScriptedModel;

beforeAll(async () => {
  [spine, keyed] = await Promise.all([Spine.start(), ScriptedModel.start([ANTHROPIC, OPENAI])]);
});
afterAll(async () => {
  await spine[Symbol.asyncDispose]();
  await keyed[Symbol.asyncDispose]();
});

async function stateOf(channel: string): Promise<string | undefined> {
  return (await spine.status()).channels.find((one) => one.channel === channel)?.state;
}
async function adapters(): Promise<number> {
  return (await spine.status()).processes.filter(({ role }) => role === "adapter").length;
}
async function answers(words: string): Promise<void> {
  spine.write(words);
  await spine.shown(`you said: ${words}`);
}
async function kinds(after: number): Promise<string[]> {
  return (await spine.rows()).filter(({ seq }) => seq > after).map(({ kind }) => kind);
}
async function lastRow(): Promise<number> {
  return (await spine.rows()).at(-1)?.seq ?? -1;
}

test("a channel is switched off and on while the daemon runs, and what was written meanwhile is answered", async () => {
  await answers("before");
  const since = await lastRow();
  const off = await spine.daemon.wirken(["channel", "disable", "telegram"]);
  expect(off.status, off.stderr).toBe(0);
  expect(await adapters()).toBe(0);
  const shown = spine.shownTo().length;
  spine.write("meanwhile");
  await new Promise((done) => setTimeout(done, 200));
  expect(spine.shownTo()).toHaveLength(shown);
  const on = await spine.daemon.wirken(["channel", "enable", "telegram"]);
  expect(on.status, on.stderr).toBe(0);
  await spine.shown("you said: meanwhile");
  expect(await adapters()).toBe(1);
  const rows = await kinds(since);
  expect(rows).toContain("channel.disabled");
  expect(rows).toContain("channel.enabled");
});

test("another model in config.json answers the next message, and the change is recorded", async () => {
  const since = await lastRow();
  spine.changeConfig((config) => ({ ...config, agents: { default: { model: "scripted/another-model" } } }));
  await spine.eventually("the other model", async () => (await spine.status()).model.ref === "scripted/another-model");
  await answers("who are you?");
  expect((await spine.rows("model.called")).at(-1)?.fields["model"]).toBe("another-model");
  const rows = await kinds(since);
  expect(rows).toContain("config.loaded");
  expect((await spine.rows("agent.configured")).at(-1)?.fields["model"]).toBe("another-model");
  expect((await spine.rows("config.loaded")).at(-1)?.content["text"]).toContain("another-model");
});

test("a channel disabled in config.json ends, and comes back", async () => {
  spine.changeConfig((config) => ({
    ...config,
    channels: { telegram: { ...config.channels["telegram"], enabled: false } },
  }));
  await spine.eventually("its end", async () => (await stateOf("telegram")) === "disabled" && (await adapters()) === 0);
  spine.changeConfig((config) => ({
    ...config,
    channels: { telegram: { ...config.channels["telegram"], enabled: true } },
  }));
  await spine.connected("telegram");
  await answers("back again");
  expect(await adapters()).toBe(1);
});

test("a typo in config.json changes nothing: status says what is meant, the record says that it was refused", async () => {
  const since = await lastRow();
  const path = join(spine.daemon.data, "config.json");
  const good = readFileSync(path, "utf8");
  writeFileSync(path, good.replace('"agents"', '"agent"'));
  // What status says of the file; it has other things to say besides.
  const said = async (): Promise<string[]> =>
    (await spine.status()).notes.filter((note) => note.includes("config.json"));
  const notes = await spine.eventually("the note", async () => {
    const about = await said();
    return about.length > 0 && about;
  });
  expect(notes.join()).toContain("agent is not a setting: did you mean agents?");
  expect(notes.join()).toContain("still in force");
  expect((await spine.daemon.wirken(["status"])).stdout).toContain("did you mean agents?");
  const rows = await kinds(since);
  expect(rows).toContain("config.refused");
  expect(rows).not.toContain("config.loaded");
  await answers("still there?");
  // What would have to edit the file says so too.
  const refused = await spine.daemon.wirken(["channel", "enable", "slack"]);
  expect(refused.status).toBe(2);
  expect(refused.stderr).toContain("did you mean agents?");

  writeFileSync(path, `${good.slice(0, -1)},}`);
  await spine.eventually("a trailing comma taken", async () => (await said()).length === 0);
  writeFileSync(path, good.slice(0, -3));
  await spine.eventually("a broken file noted", async () => (await said()).some((note) => note.includes("line ")));
  writeFileSync(path, good);
  await spine.eventually("the note gone", async () => (await said()).length === 0);
});

test("a key is checked before it is saved: a refused one leaves nothing behind", async () => {
  // Providers by name, at a server of the test's own.
  spine.changeConfig(({ channels }) => ({
    channels,
    providers: { anthropic: { baseUrl: keyed.baseUrl }, openai: { baseUrl: keyed.baseUrl } },
  }));
  await spine.eventually("no model chosen", async () => (await spine.status()).model.ref === "offline/offline");
  const ran = await spine.daemon.wirken(["vault", "add", "anthropic", "--stdin"], { stdin: REFUSED });
  expect(ran.status).toBe(1);
  expect(ran.stderr).toContain("nothing was saved");
  expect(ran.stderr).toMatch(/key/);
  expect((await spine.daemon.wirken(["vault", "list"])).stdout).not.toContain("anthropic");
  expect((await spine.status()).model.ref).toBe("offline/offline");
  expect(ran.stdout + ran.stderr + spine.daemon.stderr + JSON.stringify(await spine.rows())).not.toContain(
    "claims-other-key",
  );
});

test("the first key that is good makes its provider the agent's model, at once", async () => {
  const ran = await spine.daemon.wirken(["vault", "add", "anthropic", "--stdin"], { stdin: `${ANTHROPIC}\n` });
  expect(ran.status, ran.stderr).toBe(0);
  const { ref } = (await spine.status()).model;
  expect(ref).toMatch(/^anthropic\/claude/);
  expect(ran.stdout).toContain(`agent default now uses ${ref}`);
  expect((await spine.rows("credential.added")).at(-1)?.fields).toMatchObject({
    scope: "provider/anthropic",
    checked: "yes",
  });
  expect((await spine.rows("agent.configured")).at(-1)?.fields["provider"]).toBe("anthropic");
  await answers("hello, new model");
  expect(keyed.heard).toContain("hello, new model");
  expect((await spine.rows("secret.used")).at(-1)?.fields["scope"]).toBe("provider/anthropic");

  const second = await spine.daemon.wirken(["vault", "add", "openai", "--stdin"], { stdin: OPENAI });
  expect(second.status, second.stderr).toBe(0);
  expect(second.stdout).toContain(`agent default goes on with ${ref}`);
});

test("what is saved without a check is listed so, and no list, row or line shows a value", async () => {
  const ran = await spine.daemon.wirken(["vault", "add", "openrouter", "--stdin", "--no-check"], {
    stdin: "sk-or-v1-claims-test-unchecked-key",
  });
  expect(ran.status, ran.stderr).toBe(0);
  expect(ran.stdout).toContain("unchecked");
  const list = await spine.daemon.wirken(["vault", "list"]);
  expect(list.stdout).toMatch(/openrouter .* not yet/);
  expect(list.stdout).toMatch(/anthropic/);
  const json = await spine.daemon.wirken(["vault", "list", "--json"]);
  const said =
    [list, json, ran].map(({ stdout, stderr }) => stdout + stderr).join() + spine.daemon.stdout + spine.daemon.stderr;
  for (const value of ["claims-test", spine.telegram.token.slice(8)]) {
    expect(said + JSON.stringify(await spine.rows())).not.toContain(value);
  }
  // Such a search does find what is there.
  expect(said).toContain("openrouter");
});

test("a removed key is used no more, and a removed channel ends", async () => {
  const key = await spine.daemon.wirken(["vault", "remove", "anthropic", "--yes"]);
  expect(key.status, key.stderr).toBe(0);
  spine.write("anyone?");
  await spine.shown("there is no key for anthropic");
  expect(
    (await spine.status()).processes.filter(({ role, subject }) => role === "model" && subject === "anthropic"),
  ).toEqual([]);

  const handed = (await spine.rows("secret.used")).length;
  const channel = await spine.daemon.wirken(["vault", "remove", "telegram", "--yes"]);
  expect(channel.status, channel.stderr).toBe(0);
  expect(await adapters()).toBe(0);
  expect(await stateOf("telegram")).toBe("no-credentials");
  await new Promise((done) => setTimeout(done, 300));
  expect(await adapters()).toBe(0);
  expect(await spine.rows("secret.used")).toHaveLength(handed);
  expect((await spine.daemon.wirken(["vault", "list"])).stdout).not.toContain("telegram");
  const verdict = await spine.verified();
  expect(verdict.status, verdict.stdout).toBe(0);
});
