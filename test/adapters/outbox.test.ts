import { expect, test } from "vitest";
import { networkCode, networkFailure, SendFailure } from "../../adapters/failure.ts";
import { TunnelError, type TunnelReason } from "../../src/tunnel/tunnel-error.ts";
import { type Clock, CLOCK, type Draft, Outbox } from "../../adapters/outbox.ts";

function draft(...outcomes: (string | SendFailure)[]): Draft & { readonly tries: boolean[] } {
  const tries: boolean[] = [];
  return {
    tries,
    post: async (formatted) => {
      tries.push(formatted);
      const outcome = outcomes[Math.min(tries.length, outcomes.length) - 1];
      if (outcome === undefined || typeof outcome !== "string") throw outcome ?? new Error("no outcome");
      return outcome;
    },
  };
}

test("what cannot be formatted is sent plain, once", async () => {
  const refused = new SendFailure("formatting", "no such tag");
  const one = draft(refused, "1");
  expect(await new Outbox(CLOCK).deliver("a", [one])).toEqual({ state: "delivered", ids: ["1"] });
  expect(one.tries).toEqual([true, false]);
  expect(await new Outbox(CLOCK).deliver("a", [draft(refused)])).toMatchObject({
    state: "undelivered",
    reason: "refused",
  });
});

/** A clock that goes on by being waited for. */
function aClock(): Clock & { readonly waits: number[] } {
  let now = 0;
  const waits: number[] = [];
  const wait = async (ms: number): Promise<void> => {
    waits.push(ms);
    now += ms;
  };
  return { waits, now: () => now, wait };
}

test("what found no connection is tried again while that may help, and then given back", async () => {
  const away = new SendFailure("unreachable", "Telegram cannot be reached (ECONNREFUSED)");
  const one = draft(away, away, "1");
  expect(await new Outbox(aClock()).deliver("a", [one])).toMatchObject({ state: "delivered" });
  const clock = aClock();
  expect(await new Outbox(clock).deliver("b", [draft(away)])).toMatchObject({
    state: "undelivered",
    reason: "unreachable",
  });
  expect(clock.waits).toEqual([1_000, 2_000, 4_000, 8_000, 15_000]);
});

test("a message whose turn does not come in four minutes is given back, not sent late", async () => {
  const slow = new SendFailure("rate-limited", "slow down", 100_000);
  const clock = aClock();
  const outbox = new Outbox(clock);
  const first = draft(slow, slow, "1");
  const second = draft(slow, "2");
  const outcomes = await Promise.all([outbox.deliver("a", [first]), outbox.deliver("a", [second])]);
  // 200 s of its four minutes went by before it was its turn: another 100 are too many.
  expect(outcomes).toMatchObject([{ state: "delivered" }, { state: "undelivered", reason: "rate-limited" }]);
  expect(clock.waits).toEqual([100_000, 100_000]);
});

test("an error that is no failure of sending is one of which nobody can tell", async () => {
  const broken: Draft = { post: async () => Promise.reject(new TypeError("ours")) };
  expect(await new Outbox(CLOCK).deliver("a", [draft("1"), broken, draft("3")])).toMatchObject({
    state: "undelivered",
    reason: "unknown",
    ids: ["1"],
  });
});

test("places do not wait for each other", async () => {
  const outbox = new Outbox(CLOCK);
  const never: Draft = { post: () => new Promise(() => undefined) };
  void outbox.deliver("a", [never]);
  expect(await outbox.deliver("b", [draft("1")])).toMatchObject({ state: "delivered" });
});

test("closing gives back what waits, and waits for what is on its way", async () => {
  const outbox = new Outbox(CLOCK);
  const waiting = outbox.deliver("a", [draft(new SendFailure("rate-limited", "slow down", 60_000))]);
  const behind = outbox.deliver("a", [draft("2")]);
  const sent = Promise.withResolvers<string>();
  const underway = outbox.deliver("b", [{ post: () => sent.promise }]);
  await new Promise((resolve) => setImmediate(resolve));
  const closed = outbox.close();
  sent.resolve("3");
  await closed;
  expect(await Promise.all([waiting, behind, underway])).toMatchObject([
    { reason: "rate-limited" },
    { reason: "unreachable" },
    { state: "delivered", ids: ["3"] },
  ]);
});

test.for([
  { code: "ECONNREFUSED", reason: "unreachable" },
  { code: "ENOTFOUND", reason: "unreachable" },
  { code: "UND_ERR_CONNECT_TIMEOUT", reason: "unreachable" },
  { code: "DEPTH_ZERO_SELF_SIGNED_CERT", reason: "unreachable" },
  { code: "ECONNRESET", reason: "unknown" },
  { code: "UND_ERR_SOCKET", reason: "unknown" },
  { code: "UND_ERR_HEADERS_TIMEOUT", reason: "unknown" },
  { code: "EPIPE", reason: "unknown" },
])("a connection that failed with $code is $reason", ({ code, reason }) => {
  const inner = Object.assign(new Error("with /bot1:AAA/ in it"), { code });
  const failure = networkFailure("Telegram", new TypeError("fetch failed", { cause: inner }));
  expect(failure.code).toBe(reason);
  expect(failure.message).toContain(code);
  expect(failure.message).not.toContain("AAA");
});

test("only a code of the runtime's own is quoted of an error", () => {
  expect(networkCode(Object.assign(new Error("x"), { code: "https://host/bot1:AAA" }))).toBeNull();
  expect(networkCode("text")).toBeNull();
  const several = new AggregateError([Object.assign(new Error("x"), { code: "ECONNREFUSED" })], "all failed");
  expect(networkCode(new TypeError("fetch failed", { cause: several }))).toBe("ECONNREFUSED");
  const loop = new Error("x");
  loop.cause = loop;
  expect(networkCode(loop)).toBeNull();
});

test.for<[TunnelReason, boolean, SendFailure["code"], string]>([
  ["unlisted", false, "refused", "api.example.com:443 is not on this process's list: see `wirken egress show`"],
  ["unresolved", false, "unreachable", "ENOTFOUND"],
  ["timeout", false, "unreachable", "ETIMEDOUT"],
  ["busy", false, "unreachable", "EAGAIN"],
  ["lost", false, "unreachable", "ENETDOWN"],
  // It stood: what was sent may have arrived.
  ["lost", true, "unknown", "ECONNRESET"],
  ["cut", true, "unknown", "ECONNRESET"],
  ["server-name", true, "unknown", "egress ended the connection to api.example.com:443"],
])("what egress says of a message: %s, after it stood: %s, is %s", ([reason, opened, code, says]) => {
  const host = { host: "api.example.com", port: 443 };
  const inner = new TunnelError(reason, host, "see `wirken egress show`", opened);
  const failure = networkFailure("Telegram", new TypeError("fetch failed", { cause: inner }));
  expect(failure.code).toBe(code);
  expect(failure.message).toContain(says);
});
