import { expect, test } from "vitest";
import { check } from "../../adapters/slack/check.ts";
import { SlackConnection } from "../../adapters/slack/connection.ts";
import { renewable } from "../../adapters/slack/renewal.ts";
import { decodeNamedBytes } from "../../src/ipc/named-bytes.ts";
import { AdapterTalk } from "../support/adapter-talk.ts";
import { SlackServer } from "../support/slack-server/slack-server.ts";

const platform = {
  check,
  renewable,
  connect: (...given: ConstructorParameters<typeof SlackConnection>) => new SlackConnection(...given),
};

/** A token that was renewed before and is past its end. */
const PAST = "2026-01-01T00:00:00.000Z/2026-01-01T12:00:00.000Z";
/** One that has most of its life before it. */
const fresh = (): string =>
  `${new Date(Date.now() - 60_000).toISOString()}/${new Date(Date.now() + 43_140_000).toISOString()}`;

function begun(server: SlackServer, more: Record<string, string> = {}): AdapterTalk {
  const talk = AdapterTalk.local(platform);
  talk.start({ ...server.rotating, ...more }, { apiRoot: server.apiRoot });
  return talk;
}

/** The names and values that a `renewed` frame carried. */
async function renewed(talk: AdapterTalk): Promise<{ ref: number; values: Record<string, string> }> {
  const { ref, text } = await talk.next("renewed");
  const values = decodeNamedBytes(Buffer.from(text)).map(({ name, bytes }) => [name, Buffer.from(bytes).toString()]);
  return { ref, values: Object.fromEntries(values) };
}

test("a token that ends is renewed before that: nothing is asked of Slack before the supervisor allows it, and nothing new is used before it is kept", async () => {
  await using server = await SlackServer.start({ rotatingMs: 43_200_000 });
  const before = server.rotating["bot-token"];
  await using talk = begun(server);
  await talk.next("state", (frame) => frame.state === "connected");
  const { ref } = await talk.next("renewal");
  expect(server.rotation?.renewals).toBe(0);
  talk.tell({ type: "renew", ref, granted: true, waitMs: 0 });
  const { ref: same, values } = await renewed(talk);
  expect(same).toBe(ref);
  expect(values).toMatchObject({
    "bot-token": server.rotating["bot-token"],
    "refresh-token": server.rotating["refresh-token"],
  });
  const [made = "", end = ""] = (values["token-life"] ?? "").split("/");
  expect(Date.parse(end) - Date.parse(made)).toBe(43_200_000);
  await talk.send("D0ADA", "with the one before");
  const lines = server.opened;
  talk.tell({ type: "renewed.kept", ref, kept: true });
  await talk.next("switched", (frame) => frame.ref === ref);
  await talk.next("state", (frame) => frame.state === "connected");
  // Of the token of before nothing goes out any more, and the line was not cut for it.
  server.rotation?.end();
  const outcome = talk.send("D0ADA", "with the new one");
  const again = await talk.next("renewal");
  talk.tell({ type: "renew", ref: again.ref, granted: true, waitMs: 0 });
  talk.tell({ type: "renewed.kept", ref: (await renewed(talk)).ref, kept: true });
  expect(await outcome).toMatchObject({ type: "delivered" });
  expect(server.opened).toBe(lines);
  expect(server.posted.map(({ text }) => text)).toEqual(["with the one before", "with the new one"]);
  expect(before).not.toBe(server.rotating["bot-token"]);
});

test("a token that has most of its life before it is left alone", async () => {
  await using server = await SlackServer.start({ rotatingMs: 43_200_000 });
  await using talk = begun(server, { "token-life": fresh() });
  await talk.next("state", (frame) => frame.state === "connected");
  await talk.send("D0ADA", "hello");
  expect(talk.said.some(({ type }) => type === "renewal")).toBe(false);
});

test("a token that ended while nothing ran is renewed before anything is connected", async () => {
  await using server = await SlackServer.start({ rotatingMs: 43_200_000 });
  server.rotation?.end();
  await using talk = begun(server, { "token-life": PAST });
  const { ref } = await talk.next("renewal");
  talk.tell({ type: "renew", ref, granted: true, waitMs: 0 });
  talk.tell({ type: "renewed.kept", ref: (await renewed(talk)).ref, kept: true });
  expect(await talk.next("state")).toMatchObject({ state: "connected", account: "@wirken in workspace Acme" });
});

test("what the vault could not keep is given to it again, and not used meanwhile", async () => {
  await using server = await SlackServer.start({ rotatingMs: 43_200_000 });
  await using talk = begun(server);
  const { ref } = await talk.next("renewal");
  talk.tell({ type: "renew", ref, granted: true, waitMs: 0 });
  const first = await renewed(talk);
  talk.tell({ type: "renewed.kept", ref, kept: false });
  const second = await renewed(talk);
  expect(second.values).toEqual(first.values);
  expect(talk.said.some(({ type }) => type === "switched")).toBe(false);
  talk.tell({ type: "renewed.kept", ref, kept: true });
  await talk.next("switched");
});

test("what is not allowed is not asked of Slack, and the channel goes on", async () => {
  await using server = await SlackServer.start({ rotatingMs: 43_200_000 });
  await using talk = begun(server);
  const { ref } = await talk.next("renewal");
  talk.tell({ type: "renew", ref, granted: false, waitMs: 0 });
  expect(await talk.send("D0ADA", "still here")).toMatchObject({ type: "delivered" });
  expect(server.calls.some(({ method }) => method === "oauth.v2.access")).toBe(false);
});

test.for([
  { says: "invalid_refresh_token", failure: "refused", sentence: "each is good for one renewal" },
  { says: "bad_client_secret", failure: "refused", sentence: "the Client Secret is not that of the app" },
  { says: "token_revoked", failure: "refused", sentence: "install the app again" },
  { says: "internal_error", failure: "unreachable", sentence: "Slack answered internal_error" },
] as const)("Slack says $says: it is told as $failure, without what was shown to Slack", async (one) => {
  await using server = await SlackServer.start({ rotatingMs: 43_200_000 });
  await using talk = begun(server);
  server.mishaps.push({ method: "oauth.v2.access", error: one.says });
  const { ref } = await talk.next("renewal");
  talk.tell({ type: "renew", ref, granted: true, waitMs: 0 });
  const said = await talk.next("unrenewed");
  expect(said).toMatchObject({ ref, failure: one.failure, text: expect.stringContaining(one.sentence) });
  for (const secret of Object.values(server.rotating)) expect(said.text).not.toContain(secret);
  expect(await talk.send("D0ADA", "as before")).toMatchObject({ type: "delivered" });
});

test("a refresh token that Slack refused is not shown to it again", async () => {
  await using server = await SlackServer.start({ rotatingMs: 43_200_000 });
  const given = server.rotating;
  server.rotation?.spend();
  server.rotation?.end();
  await using talk = AdapterTalk.local(platform);
  talk.start(given, { apiRoot: server.apiRoot });
  const { ref } = await talk.next("renewal");
  talk.tell({ type: "renew", ref, granted: true, waitMs: 0 });
  await talk.next("unrenewed");
  const state = await talk.next("state");
  expect(state).toMatchObject({ state: "refused", text: expect.stringContaining("token_expired") });
  expect(server.calls.filter(({ method }) => method === "oauth.v2.access")).toHaveLength(1);
});

test("a check of what is not saved asks for no other token in its place", async () => {
  await using server = await SlackServer.start({ rotatingMs: 43_200_000 });
  server.rotation?.end();
  await using talk = AdapterTalk.local(platform);
  talk.start(server.rotating, { apiRoot: server.apiRoot, check: true });
  const { ref } = await talk.next("renewal");
  talk.tell({ type: "renew", ref, granted: false, waitMs: 0 });
  expect(await talk.next("checked")).toMatchObject({ failure: "refused" });
  expect(server.rotation?.renewals).toBe(0);
});

test("credentials that take the place of others leave nothing of those behind: how long theirs lived is not known", async () => {
  await using server = await SlackServer.start({ rotatingMs: 43_200_000 });
  await using talk = begun(server, { "token-life": fresh() });
  await talk.next("state", (frame) => frame.state === "connected");
  for (const [name, value] of Object.entries(server.rotating)) talk.tell({ type: "secret", name }, value);
  talk.tell({ type: "reconnect", ref: 1 });
  expect(await talk.next("switched")).toMatchObject({ ref: 1 });
  expect((await talk.next("renewal")).ref).toBeGreaterThan(0);
});

const GARBAGE = { ok: true, access_token: "a b", refresh_token: "", expires_in: -1 };
test("an answer in no form that is known renews nothing, and nothing of it is told", async () => {
  await using server = await SlackServer.start({ rotatingMs: 43_200_000 });
  await using talk = begun(server);
  server.mishaps.push({ method: "oauth.v2.access", status: 200, body: GARBAGE });
  const { ref } = await talk.next("renewal");
  talk.tell({ type: "renew", ref, granted: true, waitMs: 0 });
  expect(await talk.next("unrenewed")).toMatchObject({ failure: "refused" });
  expect(talk.said.some(({ type }) => type === "renewed")).toBe(false);
});
