import { afterAll, beforeAll, expect, test } from "vitest";
import { childrenOf } from "../support/claims-world.ts";
import { scanMemory } from "../support/memory-scan.ts";
import { SecretScan } from "../support/secret-scan.ts";
import type { TokenRotation } from "../support/slack-server/token-rotation.ts";
import { PATIENCE_MS, SLACK_OWNER, Spine } from "../support/spine.ts";

/** Slack's bot tokens end after twelve hours where an app has token rotation, and so do they here, in seconds or when a test says so. */

const HALF_A_DAY_MS = 43_200_000;

let spine: Spine;
let rotation: TokenRotation;

beforeAll(async () => {
  spine = await Spine.start({ channels: ["slack"], slack: { rotatingMs: HALF_A_DAY_MS } });
  if (spine.slack.rotation === null) throw new Error("token rotation is off");
  ({ rotation } = spine.slack);
});
afterAll(async () => {
  await spine[Symbol.asyncDispose]();
});

async function slackProcess(): Promise<number | undefined> {
  return (await spine.status()).processes.find(({ role, subject }) => role === "adapter" && subject === "slack")?.pid;
}
async function newest(): Promise<{ version: number; fallback: number | null; account: string | null }> {
  const { credentials } = await (await spine.operator()).call({ call: "vault.list" });
  const found = credentials.find(({ scope }) => scope === "channel/slack");
  if (found === undefined) throw new Error("it is not there");
  return found;
}
/** The newest version is the only one, and a process was seen to work with it. */
async function settled(version: number): Promise<void> {
  await spine.eventually(`version ${version} alone`, async () => {
    const now = await newest();
    return now.version >= version && now.fallback === null;
  });
}

test("what was enrolled is renewed as soon as it is connected, for nobody knows how long it lasts; the account stays", async () => {
  await settled(2);
  expect(rotation.renewals).toBe(1);
  expect(await newest()).toMatchObject({ version: 2, account: "@wirken in workspace Acme" });
  const rows = (await spine.rows("credential.")).map(({ kind, fields }) => `${kind} ${String(fields["version"])}`);
  expect(rows).toEqual([
    "credential.added 1",
    "credential.renewing 1",
    "credential.renewed 2",
    "credential.confirmed 2",
  ]);
});

test("tokens end again and again while turns run: each is renewed before, no message is lost or answered twice, and the process stays", async () => {
  const process = await slackProcess();
  const { version } = await newest();
  // From the next renewal on they live for four seconds.
  rotation.lifetimeMs = 4_000;
  rotation.end();
  const gate = Promise.withResolvers<void>();
  spine.model.script("take your time", { text: "it took its time", after: gate.promise });
  spine.slack.direct("take your time", SLACK_OWNER);
  await spine.eventually("it is asked", () => spine.model.begun > 0);
  const words: string[] = [];
  while (rotation.renewals < 5) {
    const word = `word ${words.length} of many`;
    words.push(word);
    spine.slack.direct(word, SLACK_OWNER);
    // As fast as one person may write for so long.
    await new Promise((done) => setTimeout(done, 1_200));
    if (words.length === 3) gate.resolve();
    expect(words.length, "it is renewed within two minutes").toBeLessThan(100);
  }
  gate.resolve();
  await spine.posted("it took its time");
  for (const word of words) await spine.posted(`you said: ${word}`);
  for (const word of [...words, "it took its time"])
    expect(spine.textsAt("slack").filter((text) => text.endsWith(word))).toHaveLength(1);
  expect(await slackProcess()).toBe(process);
  rotation.lifetimeMs = HALF_A_DAY_MS;
  const { renewals } = rotation;
  await spine.eventually("the last of the short ones renewed", () => rotation.renewals > renewals, PATIENCE_MS);
  await settled(version + 4);
});

test("no token that was ever given out is in a row, in a line, in a byte of the data directory, or in any process but Slack's own", async () => {
  expect(rotation.issued.length).toBeGreaterThan(8);
  const all = [...rotation.issued, rotation.clientSecret];
  const scan = new SecretScan(all);
  // The detector detects.
  expect(scan.in(JSON.stringify({ token: rotation.issued[3] }))).toEqual([rotation.issued[3]]);
  expect(scan.in(JSON.stringify(await spine.rows()))).toEqual([]);
  expect(scan.in(spine.daemon.stdout + spine.daemon.stderr)).toEqual([]);
  expect(scan.below(spine.daemon.data)).toEqual([]);
  const some = [...rotation.issued.slice(0, 2), ...rotation.issued.slice(-4), rotation.clientSecret];
  const own = await slackProcess();
  expect(scanMemory(own ?? 0, some).length).toBeGreaterThan(0);
  // The Slack of these tests speaks no TLS, so that what carries the bytes sees them.
  const carries = (await spine.status()).processes.find(({ role }) => role === "egress")?.pid;
  const others = [spine.daemon.pid, ...childrenOf(spine.daemon.pid)].filter((pid) => pid !== own && pid !== carries);
  expect(others.length).toBeGreaterThan(2);
  for (const pid of others) expect(scanMemory(pid, some), `process ${pid}`).toEqual([]);
});

test("a token that ended while the machine was asleep is renewed by the first message that goes out, and the message with it", async () => {
  const { renewals } = rotation;
  const process = await slackProcess();
  rotation.end();
  spine.slack.direct("good morning", SLACK_OWNER);
  await spine.posted("you said: good morning");
  expect(rotation.renewals).toBe(renewals + 1);
  expect(await slackProcess()).toBe(process);
});

test("killed after Slack renewed and before anything was sealed, the daemon says that it cannot be renewed any more and what mends it; a rotation does", async () => {
  await settled(2);
  rotation.end();
  // Slack takes the refresh token, and nobody hears what it gave for it.
  spine.slack.mishaps.push({ method: "oauth.v2.access", cut: "after" });
  const { renewals } = rotation;
  spine.slack.direct("anybody there?", SLACK_OWNER);
  await spine.eventually("the refresh token spent", () => rotation.renewals > renewals);
  await spine.restart("SIGKILL");
  const refused = await spine.eventually("it is told", async () =>
    (await spine.status()).channels.find(({ channel, state }) => channel === "slack" && state === "refused"),
  );
  expect(refused.note).toContain("token_expired");
  const status = await spine.daemon.wirken(["status"]);
  expect(status.stdout + status.stderr).toContain("invalid_refresh_token");
  expect(status.stdout + status.stderr).toContain("wirken vault rotate slack");
  // The app is installed again: its page shows new tokens.
  const lines = Object.values(spine.slack.rotating).join("\n");
  const ran = await spine.daemon.wirken(["vault", "rotate", "slack", "--stdin"], { stdin: lines });
  expect(ran.status, ran.stderr).toBe(0);
  await spine.connected("slack");
  spine.slack.direct("and now?", SLACK_OWNER);
  await spine.posted("you said: and now?");
  expect((await spine.daemon.wirken(["status"])).stdout).not.toContain("invalid_refresh_token");
});

test("a lock lets a renewal that is under way be sealed first, and the token is good after the unlock", async () => {
  await spine.eventually("the new one renewed", async () => {
    const [before, last] = (await spine.rows("credential.")).slice(-2);
    return before?.kind === "credential.renewed" && last?.kind === "credential.confirmed";
  });
  const { renewals } = rotation;
  rotation.end();
  spine.slack.direct("before the lock", SLACK_OWNER);
  await spine.eventually("it is renewed", () => rotation.renewals > renewals);
  const locked = await spine.daemon.wirken(["vault", "lock"]);
  expect(locked.status, locked.stderr).toBe(0);
  const opened = await spine.daemon.wirken(["vault", "unlock", "--stdin"], { stdin: "the passphrase of a test\n" });
  expect(opened.status, opened.stderr).toBe(0);
  await spine.connected("slack");
  spine.slack.direct("after the unlock", SLACK_OWNER);
  await spine.posted("you said: after the unlock");
});
