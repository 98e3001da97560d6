import { expect, test } from "vitest";
import { AdapterTalk } from "../support/adapter-talk.ts";
import { MatrixServer } from "../support/matrix-server.ts";
import { matrix } from "../support/platforms.ts";

test("a login that gave a refresh token goes on with the token that is made of it, and is connected by that", async () => {
  await using server = await MatrixServer.start();
  await using talk = AdapterTalk.local(matrix);
  talk.start(server.login, { apiRoot: server.root });
  const { ref } = await talk.next("renewal");
  talk.tell({ type: "renew", ref, granted: true, waitMs: 0 });
  await talk.next("renewed");
  talk.tell({ type: "renewed.kept", ref, kept: true });
  await talk.next("switched");
  await talk.next("state", (frame) => frame.state === "connected");
  await expect
    .poll(
      () =>
        talk.said.findLastIndex(({ type }) => type === "state") >
        talk.said.findIndex(({ type }) => type === "switched"),
    )
    .toBe(true);
  expect(server.renewals).toBe(1);
  expect(talk.said.filter((frame) => frame.type === "state" && frame.state !== "connected")).toEqual([]);
});
