import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod/mini";
import type { OperatorCall } from "../../src/ipc/operator.ts";
import { HostileDaemon } from "../support/hostile-daemon.ts";

const Outcome = z.object({ state: z.string(), failure: z.optional(z.object({ sentence: z.string() })) });

let hostile: HostileDaemon;

beforeAll(async () => {
  hostile = await HostileDaemon.start();
}, 180_000);
afterAll(async () => {
  await hostile?.[Symbol.asyncDispose]();
});

/** What the page's process gets for a call that its honest code would never make, logged in as the owner is. */
async function fromThePage(call: OperatorCall, text?: string): Promise<z.infer<typeof Outcome>> {
  const { link } = await hostile.line.call({ call: "web.link" });
  const { origin, hash } = new URL(link);
  const asked = JSON.stringify({ token: hash.slice("#login=".length), call, text });
  return Outcome.parse(await (await fetch(`${origin}/owner?${encodeURIComponent(asked)}`)).json());
}

test("the detector detects: what the page may do, its process does", async () => {
  expect(await fromThePage({ call: "status" })).toEqual({ state: "answer" });
  expect(await fromThePage({ call: "pair.list" })).toEqual({ state: "answer" });
});

test.for([
  [{ call: "daemon.stop" }],
  [{ call: "web.link" }],
  [{ call: "halt.end", target: { subject: "all" }, reason: null }],
  [{ call: "vault.add", scope: "provider/openai", check: false }, "x"],
  [{ call: "vault.remove", scope: "channel/telegram" }],
  [{ call: "vault.lock" }],
  [{ call: "vault.rekey", scope: null }],
  [{ call: "recovery.sheet" }],
  [{ call: "audit.key.rotate" }],
  [{ call: "audit.anchor.list" }],
  [{ call: "audit.prune", before: "2026-01-01T00:00:00.000Z" }],
  [{ call: "audit.acknowledge", reason: "nothing happened" }],
  [{ call: "policy.show", seq: null }],
] as const satisfies readonly (readonly [OperatorCall, string?])[])("it is refused %j", async ([call, text]) => {
  const before = (await hostile.rows()).length;
  expect(await fromThePage(call, text)).toMatchObject({
    state: "refused",
    failure: { sentence: "this is done on the terminal only" },
  });
  // Beside the link and the login nothing happened.
  const since = (await hostile.rows()).slice(before).map(({ kind }) => kind);
  expect(new Set(since)).toEqual(new Set(["web.link.made", "web.login"]));
});
