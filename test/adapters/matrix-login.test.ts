import { expect, test } from "vitest";
import { AdapterTalk, type Said } from "../support/adapter-talk.ts";
import { decodeNamedBytes } from "../../src/ipc/named-bytes.ts";
import { MatrixServer } from "../support/matrix-server.ts";
import { matrix } from "../support/platforms.ts";

/** @returns what the check says, and what is to be kept by its names. */
async function checked(
  server: MatrixServer,
  more: Record<string, string>,
): Promise<{ readonly said: Said<"checked">; readonly kept: Record<string, string> }> {
  await using talk = AdapterTalk.local(matrix);
  talk.start({ homeserver: server.root, user: server.user, ...more }, { apiRoot: server.root, check: true });
  const said = await talk.next("checked");
  await talk.exited;
  const given = talk.said.find(({ type }) => type === "exchanged");
  const kept = given === undefined ? [] : decodeNamedBytes(Buffer.from(given.text, "utf8"));
  return {
    said,
    kept: Object.fromEntries(kept.map(({ name, bytes }) => [name, Buffer.from(bytes).toString("utf8")])),
  };
}

test("a password is exchanged for a login of a device of its own, whose tokens are kept in its place", async () => {
  await using server = await MatrixServer.start();
  const before = server.device;
  const { said, kept } = await checked(server, { password: "correct horse" });
  expect(said).toMatchObject({ failure: null, account: server.user });
  const { "access-token": access, "refresh-token": refresh } = server.login;
  expect(kept).toEqual({ "access-token": access, "refresh-token": refresh });
  expect(server.device).not.toBe(before);
  // What it is kept by works.
  await using talk = AdapterTalk.local(matrix);
  talk.start({ homeserver: server.root, ...kept }, { apiRoot: server.root });
  await talk.next("state", ({ state }) => state === "connected");
});

test("a wrong password, and a homeserver where nobody logs in by one, are said; nothing is to be kept then", async () => {
  await using server = await MatrixServer.start();
  const wrong = await checked(server, { password: "battery staple" });
  expect(wrong).toMatchObject({ said: { failure: "refused" }, kept: {} });
  expect(wrong.said.text).toContain("refuses that name and password");
  server.password = null;
  const nowhere = await checked(server, { password: "correct horse" });
  expect(nowhere).toMatchObject({ said: { failure: "refused" }, kept: {} });
  expect(nowhere.said.text).toContain("log in on its own page");
});

test("a login whose recovery key is wrong is ended again", async () => {
  await using server = await MatrixServer.start();
  const { said, kept } = await checked(server, { password: "correct horse", "recovery-key": "not a recovery key" });
  expect(said.failure).toBe("refused");
  expect(kept).toEqual({});
  expect(server.gone).toEqual([expect.stringMatching(/^D/)]);
});
