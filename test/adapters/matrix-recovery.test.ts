import { expect, test } from "vitest";
import { AdapterTalk } from "../support/adapter-talk.ts";
import { secureBackup } from "../support/matrix-account.ts";
import { MatrixServer } from "../support/matrix-server.ts";
import { NioPeer } from "../support/nio-peer.ts";
import { matrix } from "../support/platforms.ts";

const ADA = "@ada:matrix.example";

function begun(server: MatrixServer, recovery: string, cursor: string | null = null): AdapterTalk {
  const talk = AdapterTalk.local(matrix);
  const { homeserver, "access-token": token } = server.login;
  talk.start({ homeserver, "access-token": token, "recovery-key": recovery }, { apiRoot: server.root, cursor });
  return talk;
}

function signers(server: MatrixServer): number {
  const keys = server.home.account(server.user).devices.get(server.device)?.keys;
  return Object.keys(Object(Object(keys?.["signatures"])[server.user])).length;
}

test("with the recovery key this login is signed as the account's own, and message keys lie in its backup, for a login of tomorrow", async () => {
  await using server = await MatrixServer.start();
  const { home } = server;
  const recovery = await secureBackup(server);
  await using ada = await NioPeer.start(server, ADA);
  const room = home.room(ADA, [server.user], { encrypted: true, direct: true });
  let event: string;
  {
    await using talk = begun(server, recovery);
    await talk.next("state", (frame) => frame.state === "connected");
    // Its own signature, and that of the account.
    expect(signers(server)).toBe(2);
    await expect.poll(() => home.membership(room, server.user)).toBe("join");
    event = await ada.send(room, "for a login of tomorrow");
    talk.acknowledge(await talk.next("inbound"));
    await expect.poll(() => home.backup?.sessions.size).toBeGreaterThan(0);
    expect(talk.said.filter(({ type }) => type === "notice")).toEqual([]);
  }
  // Another login of the same account, whose own keys know nothing of that message.
  server.device = "TOMORROW";
  const since = `s${home.log.length}`;
  await using talk = begun(server, recovery, JSON.stringify({ since, unread: [[room, event]], invited: [] }));
  const inbound = await talk.next("inbound");
  expect(inbound.text).toBe("for a login of tomorrow");
  talk.acknowledge(inbound);
  expect(signers(server)).toBe(2);
});

test("a key that does not come is asked for of the account's other devices, once, and the operator is told so", async () => {
  await using server = await MatrixServer.start();
  const { home } = server;
  const recovery = await secureBackup(server);
  await using ada = await NioPeer.start(server, ADA);
  const room = home.room(ADA, [server.user], { encrypted: true, direct: true });
  await using talk = begun(server, recovery);
  await expect.poll(() => home.membership(room, server.user), { timeout: 15_000 }).toBe("join");
  await ada.send(room, "hello");
  talk.acknowledge(await talk.next("inbound"));
  const asked = (): string[] => home.questions.filter((one) => one.includes("sendToDevice/m.room_key_request/"));
  expect(asked()).toEqual([]);
  home.holdToDevice = [];
  await ada.renew(room);
  await ada.send(room, "with a key that is lost");
  await ada.send(room, "and with the same");
  expect((await talk.next("notice")).text).toContain("this account's other devices are asked for it");
  await talk.next("notice");
  await expect.poll(asked).toHaveLength(1);
  // The other device of the account hears of it.
  const { holdToDevice } = home;
  expect(JSON.stringify(holdToDevice)).toContain("ELEMENT");
});

test.for([
  ["is none", "not a recovery key", "is none"],
  ["opens another account", "EsTc LW2K PGiF wKEA 3As5 g5c4 BXwk qeeJ ZJV8 Q9fu gUMN UE4d", "does not open"],
] as const)("a recovery key that %s is said, and the channel talks all the same", async ([, key, words]) => {
  await using server = await MatrixServer.start();
  await secureBackup(server);
  await using talk = begun(server, key);
  const notice = await talk.next("notice");
  expect(notice).toMatchObject({ about: "degraded" });
  expect(notice.text).toContain(words);
  expect(notice.text).not.toContain(key);
  await talk.next("state", (frame) => frame.state === "connected");
  expect(signers(server)).toBe(1);
});

test("a recovery key is tried when it is enrolled", async () => {
  await using server = await MatrixServer.start();
  const recovery = await secureBackup(server);
  const start = { check: true, cursor: null, apiRoot: server.root };
  const tried = async (key: string): Promise<unknown> =>
    await matrix.check(new Map(Object.entries({ ...server.login, "recovery-key": key })), start);
  expect(await tried(recovery)).toEqual({ account: server.user });
  expect(await tried("")).toEqual({ account: server.user });
  expect(await tried(`${recovery.slice(0, -4)}AAAA`)).toMatchObject({ failure: "refused" });
});

test("no key leaves before it is kept: where nothing is kept, nothing is uploaded", async () => {
  await using server = await MatrixServer.start();
  const talk = AdapterTalk.local(matrix);
  talk.keeps = false;
  const { homeserver, "access-token": token } = server.login;
  talk.start({ homeserver, "access-token": token }, { apiRoot: server.root });
  await expect.poll(() => server.home.questions).toContain("POST keys/query");
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(server.home.questions).toEqual(["POST keys/query"]);
  await talk[Symbol.asyncDispose]();
});
