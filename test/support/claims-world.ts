import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod/mini";
import { Connection } from "../../src/cli/connection.ts";
import { homeFrom } from "../../src/config/home.ts";
import { Name } from "../../src/ipc/ids.ts";
import { vkeyOf } from "./claims-log.ts";
import { type StartOptions, TestDaemon } from "./daemon.ts";
import type { Shown, TelegramServer } from "./telegram-server.ts";
import { ownWorkspace } from "./own-workspace.ts";

/** What every claim about a running daemon needs: a bot, the person behind it, and patience that says what it waited for. */

export const PASSPHRASE = "corridor lantern mackerel 71";
/** Telegram's number of the person who is linked as the owner. */
export const OWNER = 42;
const PATIENCE_MS = 20_000;

/** Resolves when it holds. @throws {Error} that says what was waited for. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  what: string | (() => string),
  timeoutMs = PATIENCE_MS,
  everyMs = 15,
): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > end) {
      throw new Error(`${typeof what === "string" ? what : what()}: not within ${timeoutMs} ms`);
    }
    await delay(everyMs);
  }
}

/** A daemon whose vault is behind a passphrase: it can hold credentials without a keychain. */
export async function startProtected(options: StartOptions = {}): Promise<TestDaemon> {
  return await TestDaemon.start(behindPassphrase(options));
}

/** The same, without waiting until it is ready. */
export function spawnProtected(options: StartOptions = {}): TestDaemon {
  return TestDaemon.spawn(behindPassphrase(options));
}

function behindPassphrase(options: StartOptions): StartOptions {
  return { ...options, environment: { WIRKEN_VAULT_PASSPHRASE: PASSPHRASE, ...options.environment } };
}

/** A line of the owner's to the daemon, as commands have one: a command for each look at it would take most of a test's time.
 *  @returns null where the daemon lives in a namespace that this process does not see. */
async function lineTo(daemon: TestDaemon): Promise<Connection | null> {
  return await Connection.open(homeFrom(daemon.environment), daemon.environment, () => undefined);
}

export async function needLine(daemon: TestDaemon): Promise<Connection> {
  const line = await lineTo(daemon);
  if (line === null) throw new Error("the daemon does not listen");
  return line;
}

const Added = z.object({ owner: z.object({ code: z.string() }) });

/** Enrols the bot, and links {@link OWNER} to the owner by the code. */
export async function enrolTelegram(daemon: TestDaemon, telegram: TelegramServer): Promise<void> {
  const added = await daemon.wirken(["vault", "add", "telegram", "--stdin", "--json"], {
    stdin: `${telegram.token}\n`,
  });
  if (added.status !== 0) throw new Error(`vault add telegram ended with ${String(added.status)}: ${added.stderr}`);
  const { code } = Added.parse(JSON.parse(added.stdout)).owner;
  telegram.direct(`/start ${code}`, OWNER);
  await answered(telegram, (text) => text.includes("linked as the owner"));
}

export async function connected(daemon: TestDaemon, channel = "telegram"): Promise<void> {
  await using line = await needLine(daemon);
  await until(
    async () =>
      (await line.call({ call: "channel.list" })).channels.some(
        (one) => one.channel === channel && one.state === "connected",
      ),
    `${channel} is connected`,
    PATIENCE_MS,
    50,
  );
}

/** Waits until something that fits is to be seen in a chat. */
export async function answered(
  telegram: TelegramServer,
  fits: (text: string) => boolean,
  chat = OWNER,
  timeoutMs = PATIENCE_MS,
): Promise<Shown> {
  const find = (): Shown | undefined => telegram.shown.find((one) => one.chat === chat && fits(one.text));
  await until(
    () => find() !== undefined,
    () => `an answer in chat ${chat}, which shows ${JSON.stringify(telegram.shown.map(({ text }) => text))}`,
    timeoutMs,
  );
  const found = find();
  if (found === undefined) throw new Error("what was shown is gone");
  return found;
}

/** Approves the next action that waits, on the terminal, as somebody who has read its card. */
export async function approveNext(daemon: TestDaemon, scope: "once" | "session" | "always" = "once"): Promise<string> {
  let card = "";
  await using line = await needLine(daemon);
  await until(
    async () => {
      const [waiting] = (await line.call({ call: "approvals.list" })).approvals;
      if (waiting === undefined) return false;
      const { approval, digest } = waiting;
      const { state } = await line.call({
        call: "approvals.decide",
        approval,
        decision: "approve",
        scope,
        card: digest,
        reason: null,
      });
      if (state !== "approved") throw new Error(`the approval is ${state}`);
      card = waiting.card;
      return true;
    },
    "an action waits for an approval",
    PATIENCE_MS,
    50,
  );
  return card;
}

const Asked = z.object({ session: z.string(), end: z.string(), text: z.string() });

/** Says something on the terminal and waits for the end of the turn. */
export async function ask(
  daemon: TestDaemon,
  text: string,
  { agent = "default", fresh = false }: { readonly agent?: string; readonly fresh?: boolean } = {},
): Promise<z.infer<typeof Asked>> {
  await using line = await lineTo(daemon);
  if (line === null) return await askByCommand(daemon, ["--agent", agent, ...(fresh ? ["--new"] : []), text]);
  const pieces: Uint8Array[] = [];
  const answer = await line.call(
    { call: "say", agent: Name.parse(agent), fresh },
    {
      payload: Buffer.from(text),
      onEvent: ({ event }, piece) => {
        if (event === "text") pieces.push(Uint8Array.from(piece));
      },
    },
  );
  return { ...answer, text: Buffer.concat(pieces).toString("utf8") };
}

async function askByCommand(daemon: TestDaemon, words: readonly string[]): Promise<z.infer<typeof Asked>> {
  const ran = await daemon.wirken(["ask", "--json", ...words]);
  if (ran.stdout === "") throw new Error(`ask ${words.join(" ")} ended with ${String(ran.status)}: ${ran.stderr}`);
  return Asked.parse(JSON.parse(ran.stdout));
}

export function workspaceOf(daemon: TestDaemon, agent = "default"): string {
  return ownWorkspace(daemon.data, agent);
}

export function auditOf(daemon: TestDaemon): string {
  return join(daemon.data, "audit.db");
}

/** Processes that have this word among their arguments. */
export function processesWith(word: string): number[] {
  return readdirSync("/proc").flatMap((name) => {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) return [];
    try {
      return readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0").includes(word) ? [pid] : [];
    } catch {
      return []; // it ended meanwhile
    }
  });
}

/** The processes that a process has started and that still run. */
export function childrenOf(pid: number): Set<number> {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  return new Set(children.trim().split(" ").filter(Boolean).map(Number));
}

/** `wirken audit verify`, as somebody runs it who holds the key. Nothing is to be found wrong. */
export async function verifies(daemon: TestDaemon): Promise<void> {
  const path = auditOf(daemon);
  const ran = await daemon.wirken(["audit", "verify", path, "--vkey", vkeyOf(path)]);
  if (ran.status !== 0) throw new Error(`audit verify ended with ${String(ran.status)}:\n${ran.stdout}${ran.stderr}`);
}
