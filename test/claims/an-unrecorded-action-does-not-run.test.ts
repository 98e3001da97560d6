import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { LLMock } from "@copilotkit/aimock";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { IntentKind } from "../../audit/action.ts";
import { beside } from "../../audit/beside.ts";
import { breakLog, change, type Fault, openRows, rowsOf } from "../support/claims-log.ts";
import { Witness } from "../support/claims-witness.ts";
import {
  approveNext,
  ask,
  auditOf,
  childrenOf,
  connected,
  enrolTelegram,
  OWNER,
  startProtected,
  until,
  workspaceOf,
} from "../support/claims-world.ts";
import { newHome, type TestDaemon } from "../support/daemon.ts";
import { TelegramServer } from "../support/telegram-server.ts";

/** The log is made to refuse the record of one kind of action, or to forget it without an error, while the daemon runs; then the world is
 *  looked at: the model's server, the platform's server, the workspace, the process table, the vault. */

const model = new LLMock({ port: 0 });
let telegram: TelegramServer;
let beforeModel: Witness;
let beforeTelegram: Witness;
let daemon: TestDaemon;
const home = newHome();
/** For each request of a kind that arrived: was its intent on the log, and open, at that instant? */
const seen: { readonly kind: string; readonly recorded: boolean }[] = [];

beforeAll(async () => {
  await model.start();
  model.onMessage(/./, { content: "Good morning." });
  telegram = await TelegramServer.start();
  const look = (kind: string): void => void seen.push({ kind, recorded: openRows(auditOf(daemon), kind).length > 0 });
  beforeModel = await Witness.before(model.url, () => look("model.called"));
  beforeTelegram = await Witness.before(telegram.apiRoot, (path) => {
    if (path.endsWith("/sendMessage")) look("message.sent");
  });
  daemon = await startProtected({
    home,
    config: {
      agents: { remote: { model: "mock/some-model" } },
      providers: { mock: { baseUrl: `${beforeModel.url}/v1` } },
      channels: { telegram: { apiRoot: beforeTelegram.url } },
    },
  });
  await enrolTelegram(daemon, telegram);
  // Later writes and commands rest on this.
  for (const words of ["write first.txt: x", "run with write access touch first"]) {
    await Promise.all([ask(daemon, words), approveNext(daemon, "always")]);
  }
});

afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  await beforeModel[Symbol.asyncDispose]();
  await beforeTelegram[Symbol.asyncDispose]();
  await telegram[Symbol.asyncDispose]();
  await model.stop();
  rmSync(home, { recursive: true, force: true });
});

interface Effect {
  readonly name: string;
  readonly kind: IntentKind;
  /** Has it done, or refused. @param mark a word of its own. @returns what tells whether it was done. */
  readonly attempt: (mark: string) => Promise<() => boolean>;
}

/** What is not done by then is not done later either: nothing of this is tried again sooner. */
const QUIET_MS = 300;

let attempts = 0;
async function attempt(effect: Effect): Promise<boolean> {
  attempts += 1;
  const done = await effect.attempt(`attempt-${attempts}`);
  if (done()) return true;
  await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
  return done();
}

const rowCount = (kind: string): number => rowsOf(auditOf(daemon)).filter((row) => row.$kind === kind).length;
/** A row of that kind says that it is over, or it is done. */
async function over(kind: string, done: () => boolean, act: () => Promise<unknown>): Promise<() => boolean> {
  const before = rowCount(kind);
  await act();
  await until(() => done() || rowCount(kind) > before, `a row ${kind}`);
  return done;
}

const vaultBytes = (): string => {
  const files = ["vault.db", "vault.db-wal"].map((name) => join(daemon.data, name)).filter((path) => existsSync(path));
  return createHash("sha256")
    .update(Buffer.concat(files.map((path) => readFileSync(path))))
    .digest("hex");
};

const EFFECTS: readonly Effect[] = [
  {
    name: "a model is called",
    kind: "model.called",
    attempt: async () => {
      const before = model.getRequests().length;
      await ask(daemon, "good morning", { agent: "remote" });
      return () => model.getRequests().length > before;
    },
  },
  {
    name: "a file is written",
    kind: "tool.called",
    attempt: async (mark) => {
      await ask(daemon, `write ${mark}.txt: x`);
      return () => existsSync(join(workspaceOf(daemon), `${mark}.txt`));
    },
  },
  {
    name: "a command runs",
    kind: "tool.called",
    attempt: async (mark) => {
      await ask(daemon, `run with write access touch ${mark}`);
      return () => existsSync(join(workspaceOf(daemon), mark));
    },
  },
  {
    name: "a message leaves",
    kind: "message.sent",
    attempt: async (mark) => {
      await connected(daemon);
      const shown = (): boolean => telegram.shown.some(({ text }) => text.includes(mark));
      return await over("turn.ended", shown, async () => void telegram.direct(`read ${mark}`, OWNER));
    },
  },
  {
    name: "a process starts",
    kind: "process.started",
    attempt: async () => {
      const before = childrenOf(daemon.pid);
      await ask(daemon, "good morning", { fresh: true });
      return () => [...childrenOf(daemon.pid)].some((pid) => !before.has(pid));
    },
  },
  {
    name: "a credential is handed over",
    kind: "secret.used",
    attempt: async () => {
      await daemon.wirken(["channel", "disable", "telegram"]);
      const before = telegram.calls.length;
      const asked = (): boolean => telegram.calls.length > before;
      return await over("process.ended", asked, () => daemon.wirken(["channel", "enable", "telegram"]));
    },
  },
  {
    name: "the vault is changed",
    kind: "vault.changing",
    attempt: async () => {
      const before = vaultBytes();
      await daemon.wirken(["ask", "--new", "good morning"]);
      return () => vaultBytes() !== before;
    },
  },
];

test("the detector detects: with a healthy log each of these is done", async () => {
  for (const effect of EFFECTS) expect(await attempt(effect), effect.name).toBe(true);
});

test("whatever reached a model or a platform was on the log when it arrived", () => {
  for (const kind of ["model.called", "message.sent"]) {
    const of = seen.filter((one) => one.kind === kind);
    expect(of.length, kind).toBeGreaterThan(0);
    expect(of.filter(({ recorded }) => !recorded)).toEqual([]);
  }
  // An answered call is no open one: the same look now finds nothing.
  expect(openRows(auditOf(daemon), "model.called")).toEqual([]);
});

/** Tries all of it while nothing can be recorded. @returns what was done. What needs a message first is not even begun. */
async function doneAllTheSame(): Promise<string[]> {
  const done: string[] = [];
  for (const effect of EFFECTS.filter(({ kind }) => kind !== "message.sent" && kind !== "secret.used"))
    if (await attempt(effect).catch(() => false)) done.push(effect.name);
  const shown = telegram.shown.length;
  telegram.direct("read anything", OWNER);
  const enabled = await daemon.wirken(["channel", "enable", "telegram"]);
  if (enabled.status === 0) done.push("a credential is handed over");
  await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
  if (telegram.shown.length > shown) done.push("a message leaves");
  if (telegram.pending === 0) done.push("a message is taken from the platform");
  return done;
}

test.for<[Fault, IntentKind]>([
  ["refuses", "model.called"],
  ["forgets", "tool.called"],
])(
  "in a database that %s the record of a %s nothing is done any more; once it is mended, all of it is",
  async ([fault, kind]) => {
    {
      using _ = breakLog(auditOf(daemon), kind, fault);
      expect(await doneAllTheSame()).toEqual([]);
      await until(() => existsSync(beside(auditOf(daemon)).alarm), "the alarm");
    }
    await daemon.end();
    const acknowledged = await daemon.wirken(["audit", "acknowledge", "--reason", "planted by a test"]);
    expect(acknowledged.status, acknowledged.stderr).toBe(0);
    daemon = await startProtected({ home });
    for (const effect of EFFECTS) expect(await attempt(effect), effect.name).toBe(true);
  },
);

test("after a second writer nothing of this is done any more", async () => {
  change(auditOf(daemon), "INSERT INTO entry SELECT seq + 1, body, hash FROM entry ORDER BY seq DESC LIMIT 1");
  expect(await doneAllTheSame()).toEqual([]);
});

/** What the rest of the product may call in `src/effect` without a record, because it touches nothing, or only looks in order to prepare a decision. */
const WITHOUT_RECORD = new Set([
  "canonicalJson",
  "encodeAction",
  "decodeAction",
  "digestOf",
  "boundText",
  "placeOf",
  "placed",
  "rootsOf",
  "urlOf",
  "constructor",
  // What is there: names, hosts and recipients that may be named, no secret among them.
  "commandReaches",
  "commandOf",
  "surveyFile",
  // The words of a row that is about to be recorded.
  "filesRecord",
  // Of MCP servers it says what there is, and calls none.
  "mcp",
  // Of skills it reads what was installed; a copy of one, for the command that is decided on next, is ours.
  "skills",
  "skillFolder",
  "schedules",
  "credential",
  "barred",
  "searching",
  "recipients",
  "sandboxState",
  "sandboxDue",
  "probeSandbox",
  "locate",
  "outside",
  "surveyed",
  "surveyedSince",
  "before",
  "unkept",
  "base",
  "named",
  "changed",
]);

/** Functions and methods that are visible outside the file and whose first parameter is no `Recorded`. */
function unrecorded(source: string): string[] {
  const functions = /^export (?:async )?function (\w+)(?:<[^(]*>)?\(\s*(?:\w+: (Recorded<)?)?/gm;
  const methods =
    /^ {2}(?:async |get )?(?!if|for|switch|return)(\w+)(?:<[^(]*>)?\((?:\s*\w+: (Recorded<)?[^;=]*?)?\)[^;]*\{$/gm;
  return [functions, methods].flatMap((pattern) =>
    [...source.matchAll(pattern)].flatMap(([, name = "", recorded]) => (recorded === undefined ? [name] : [])),
  );
}

test("every function of src/effect that the rest may call takes a record first", () => {
  expect(unrecorded("export function wipe(path: string): void {}")).toEqual(["wipe"]);
  expect(unrecorded("export async function send<L>(\n  recorded: Recorded<'message.sent'>,\n) {}")).toEqual([]);
  expect(unrecorded("class A {\n  wipe(path: string): void {\n  }\n}")).toEqual(["wipe"]);
  const root = join(import.meta.dirname, "../../src");
  const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  const textOf = (name: string): string => readFileSync(join(root, name), "utf8");
  const loose = new Set(files.filter((name) => name.startsWith("effect/")).flatMap((name) => unrecorded(textOf(name))));
  expect(loose.size, "the scan finds what only looks").toBeGreaterThan(5);
  const called = files
    .filter((name) => !name.startsWith("effect/"))
    .flatMap((name) => [...textOf(name).matchAll(/import \{([^}]*)\} from "[./]*\/effect\/[\w-]+\.ts"/g)])
    .flatMap(([, names = ""]) => names.split(",").map((one) => one.trim().split(" ").at(-1) ?? ""));
  expect(called).toContain("sendMessage");
  expect(called.filter((name) => loose.has(name) && !WITHOUT_RECORD.has(name))).toEqual([]);
  expect(unrecorded(textOf("effect/effects.ts")).filter((name) => !WITHOUT_RECORD.has(name))).toEqual([]);
});
