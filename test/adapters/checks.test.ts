import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { baseOf } from "../../adapters/ask.ts";
import { checksOnly } from "../../adapters/checks-only.ts";
import { check as googleChat } from "../../adapters/google-chat/check.ts";
import { check as imessage } from "../../adapters/imessage/check.ts";
import { check as matrix } from "../../adapters/matrix/check.ts";
import { check as signal } from "../../adapters/signal/check.ts";
import { check as teams } from "../../adapters/teams/check.ts";
import { check as whatsapp } from "../../adapters/whatsapp/check.ts";
import { PLATFORM_CREDENTIALS } from "../../src/ipc/platform-credentials.ts";
import { AdapterTalk, type Said } from "../support/adapter-talk.ts";
import { GOOD, PlatformApis, signalDaemon } from "../support/platform-apis.ts";

const CHECKS = { matrix, teams, whatsapp, "google-chat": googleChat, imessage } as const;
type Asked = keyof typeof CHECKS;
const ASKED: readonly Asked[] = ["matrix", "teams", "whatsapp", "google-chat", "imessage"];

let apis: PlatformApis;
beforeAll(async () => {
  apis = await PlatformApis.start();
});
afterAll(async () => {
  await apis[Symbol.asyncDispose]();
});
beforeEach(() => {
  apis.mood = "good";
  apis.instead.clear();
  apis.asked.length = 0;
});

function secretsOf(platform: Asked): string[] {
  const good: Readonly<Record<string, string>> = GOOD[platform];
  return PLATFORM_CREDENTIALS[platform].flatMap(({ kind, name }) => (kind === "secret" ? [good[name] ?? name] : []));
}

async function checked(
  platform: Asked | "signal",
  changed: Record<string, string> = {},
  apiRoot: string | null = apis.root,
): Promise<Said<"checked">> {
  const check = platform === "signal" ? signal : CHECKS[platform];
  await using talk = AdapterTalk.local(checksOnly(platform, check));
  talk.start({ ...GOOD[platform], ...changed }, { check: true, apiRoot });
  const said = await talk.next("checked");
  expect(await talk.exited).toEqual({ status: 0, signal: null });
  return said;
}

test.for([
  ["matrix", "@wirken:matrix.example"],
  ["teams", `application ${GOOD.teams["app-id"]}`],
  ["whatsapp", "Acme (+1 555 0100)"],
  ["google-chat", "wirken@acme.iam.gserviceaccount.com"],
  ["imessage", "owner@example.org"],
] as const)("%s says whose credentials these are", async ([platform, account]) => {
  expect(await checked(platform)).toMatchObject({ failure: null, account });
});

test.for([
  ["matrix", { "access-token": "syt_other_canary" }, "refused", "M_UNKNOWN_TOKEN"],
  ["teams", { "client-secret": "another~canary-secret" }, "refused", "copy its Value (not the Secret ID)"],
  ["teams", { "app-id": "11111111-0000-0000-0000-000000000000" }, "refused", "no application of that ID"],
  ["whatsapp", { "access-token": `EAA${"other1".repeat(6)}` }, "refused", "make a permanent one"],
  ["whatsapp", { "app-secret": "f".repeat(32) }, "mixed-up", "not that of the token's app"],
  ["whatsapp", { "app-id": "9".repeat(15) }, "mixed-up", "another app"],
  ["google-chat", { "service-account": '{"type":"authorized_user"}' }, "refused", "none of a service account"],
  ["google-chat", { subscription: "projects/acme/subscriptions/none" }, "mixed-up", "no such Pub/Sub subscription"],
  ["imessage", { password: "wrong-canary" }, "refused", "refuses the password"],
] as const)("%s with %o is answered %s: %s", async ([platform, changed, failure, says]) => {
  const said = await checked(platform, changed);
  expect(said).toMatchObject({ failure, account: null });
  expect(said.text).toContain(says);
});

test("what belongs to no device is not taken for a bot's", async () => {
  apis.instead.set("/_matrix/client/v3/account/whoami", [200, { user_id: "@bridge:matrix.example" }]);
  expect(await checked("matrix")).toMatchObject({ failure: "mixed-up" });
});

test.for(ASKED)("%s: an answer that is none is no yes, and a pointer elsewhere is not followed", async (platform) => {
  for (const mood of ["garbage", "huge", "elsewhere"] as const) {
    apis.mood = mood;
    const said = await checked(platform);
    expect([mood, said.failure]).toEqual([mood, "other"]);
  }
  expect(apis.asked).not.toContain("/stolen");
});

test.for(ASKED)("%s: where nobody answers, it is unreachable, and that is all that is said", async (platform) => {
  const gone = await PlatformApis.start();
  const { root } = gone;
  await gone[Symbol.asyncDispose]();
  const said = await checked(platform, {}, root);
  expect(said).toMatchObject({ failure: "unreachable", account: null });
  expect(said.text).toMatch(/\(ECONNREFUSED\)/);
});

test("no answer of a check holds what it was given, whatever the platform says", async () => {
  for (const platform of ASKED) {
    const values = secretsOf(platform);
    apis.instead.set("/_matrix/client/v3/account/whoami", [500, { error: values }]);
    const said = await checked(platform);
    for (const value of values) expect(JSON.stringify(said)).not.toContain(value);
  }
  // Of them all only one server wants a secret in the address.
  const inAddresses = ASKED.filter((platform) =>
    secretsOf(platform).some((value) => apis.asked.some((address) => address.includes(encodeURIComponent(value)))),
  );
  expect(inAddresses).toEqual(["imessage"]);
});

test("signal-cli is asked for the account that it is to hold", async () => {
  const { port, server } = await signalDaemon(["+4930123456"]);
  try {
    const daemon = `127.0.0.1:${port}`;
    expect(await checked("signal", { daemon }, null)).toMatchObject({ failure: null, account: "+4930123456" });
    const other = await checked("signal", { daemon, account: "+4940999999" }, null);
    expect(other).toMatchObject({ failure: "refused" });
    expect(other.text).toContain("signal-cli link");
    const nobody = await checked("signal", { daemon: "127.0.0.1:9" }, null);
    expect(nobody).toMatchObject({ failure: "unreachable" });
    expect(nobody.text).toContain("signal-cli daemon --tcp 127.0.0.1:9");
  } finally {
    server.close();
  }
});

test("what is no signal-cli is told from one", async () => {
  const said = await checked("signal", { daemon: new URL(apis.root).host }, null);
  expect(said).toMatchObject({ failure: "other" });
  expect(said.text).toContain("is not signal-cli");
});

test.for([
  ["https://matrix.example/", "https://matrix.example"],
  ["http://127.0.0.1:8008", "http://127.0.0.1:8008"],
  ["http://localhost:1234/", "http://localhost:1234"],
  ["http://100.101.102.103:1234", "http://100.101.102.103:1234"],
] as const)("a secret may be sent to %s", ([address, base]) => {
  expect(baseOf(address)).toEqual({ base });
});

test.for(["http://matrix.example", "http://192.168.1.7:1234", "http://100.128.0.1", "ftp://127.0.0.2x", "no address"])(
  "no secret is sent to %s",
  (address) => {
    expect(baseOf(address)).toHaveProperty("sentence");
  },
);

test("on a platform that is only checked nothing is sent, and whoever connects it is told so", async () => {
  await using talk = AdapterTalk.local(checksOnly("Teams", teams));
  talk.start({}, {});
  expect(await talk.next("state")).toMatchObject({ state: "refused", text: expect.stringContaining("does not talk") });
  expect(await talk.send("1", "hello")).toMatchObject({ type: "undelivered", reason: "refused" });
});
