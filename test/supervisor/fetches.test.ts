import { beforeEach, expect, test } from "vitest";
import { Config } from "../../src/config/schema.ts";
import type { ActionOfType } from "../../src/effect/action.ts";
import { Fetches, type ListedCredential } from "../../src/supervisor/fetches.ts";
import type { Processes } from "../../src/supervisor/processes.ts";
import type { Reach } from "../../src/supervisor/reach-list.ts";

/** Processes that were asked for: each answers when it is told to. */
const started: { readonly reach: Reach; readonly secret: string | null; answer(): void; readonly ended: string[] }[] =
  [];
let credential: ListedCredential | string = "there is none";
let config = Config.parse({ network: { local: ["inside.example"] } });
const processes: Pick<Processes, "once"> = {
  once: async (spec) => {
    const ended: string[] = [];
    started.push({
      reach: spec.reach?.() ?? [],
      secret: spec.secret?.of.scope ?? null,
      ended,
      answer: () => {
        const frame = spec.accepts.safeParse({ type: "answered", status: 200 });
        if (frame.success) spec.hear(frame.data, Buffer.from("ok"));
      },
    });
    return await Promise.resolve({
      send: () => Promise.resolve(),
      end: (_, detail) => void ended.push(detail),
      stop: () => {
        ended.push("stop");
        return new Promise<void>(() => undefined);
      },
    });
  },
};
const fetches = new Fetches({ processes, config: () => config, credential: () => credential });

beforeEach(() => {
  started.length = 0;
  credential = "there is none";
  config = Config.parse({ network: { local: ["inside.example"] } });
});

function action(given: Partial<ActionOfType<"http.request">> = {}): ActionOfType<"http.request"> {
  return {
    type: "http.request",
    method: "GET",
    url: "https://a.example/",
    written: null,
    host: "a.example",
    port: 443,
    headers: [],
    body: null,
    credential: null,
    from: null,
    hop: 0,
    ...given,
  };
}

async function soon(holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 200 && !holds(); tries++) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(holds()).toBe(true);
}

test("each request has a process whose list is its host, and nothing else", async () => {
  const stop = new AbortController();
  void fetches.request(action(), 1, stop.signal);
  void fetches.request(action({ host: "inside.example", port: 8443 }), 1, stop.signal);
  await soon(() => started.length === 2);
  expect(started.map(({ reach }) => reach.map(({ entry }) => entry))).toEqual([
    [{ to: "host", host: "a.example", port: 443, tls: true, private: false }],
    [{ to: "host", host: "inside.example", port: 8443, tls: true, private: true }],
  ]);
  stop.abort();
});

test("another port than 443 is for hosts that the operator named", async () => {
  const answer = await fetches.request(action({ port: 8443 }), 1, new AbortController().signal);
  expect(answer).toMatchObject({ state: "failed", asked: false });
  expect(started).toEqual([]);
});

test("four are made at once; one that waits and is stopped is over at once, and the next goes on", async () => {
  const [stop, other] = [new AbortController(), new AbortController()];
  const running = Array.from({ length: 4 }, async () => await fetches.request(action(), 1, stop.signal));
  await soon(() => started.length === 4);
  const waiting = fetches.request(action(), 1, other.signal);
  const next = fetches.request(action(), 1, stop.signal);
  other.abort();
  expect(await waiting).toEqual({ state: "stopped" });
  expect(started).toHaveLength(4);
  stop.abort();
  expect(await Promise.all(running)).toEqual(Array.from({ length: 4 }, () => ({ state: "stopped" })));
  expect(await next).toEqual({ state: "stopped" });
  expect(started.every(({ ended }) => ended.includes("stop"))).toBe(true);
});

test("a process that does not end with its turn is ended", async () => {
  const stop = new AbortController();
  const asked = fetches.request(action(), 1, stop.signal);
  await soon(() => started.length === 1);
  stop.abort();
  expect(await asked).toEqual({ state: "stopped" });
  await soon(() => started[0]?.ended.includes("did not end with its turn") === true);
});

test.for([
  [{ hosts: ["b.example"], header: null }, "does not go there any more"],
  [{ hosts: ["a.example"], header: "x-key" }, "does not go there any more"],
] as const)("a credential that was narrowed since stays where it is: %j", async ([now, why]) => {
  credential = { ...now, secret: { scope: "secret/one", version: 2, names: ["value"] } };
  const carried = { name: "one", header: "authorization", prefix: "Bearer " };
  const answer = await fetches.request(action({ credential: carried }), 1, new AbortController().signal);
  expect(answer).toMatchObject({ state: "failed", sentence: expect.stringContaining(why) });
  expect(started).toEqual([]);
});

test("a search takes its key, and no other credential", async () => {
  config = Config.parse({ search: { service: "brave" } });
  expect(fetches.searching()).toContain("web search is off");
  credential = { hosts: [], header: null, secret: { scope: "secret/brave", version: 1, names: ["value"] } };
  expect(fetches.searching()).toEqual({ service: "brave", host: "api.search.brave.com" });
  const stop = new AbortController();
  const search = { type: "web.search", service: "brave", host: "api.search.brave.com", query: "x", limit: 3 } as const;
  void fetches.search(search, 1, stop.signal);
  await soon(() => started.length === 1);
  expect(started[0]).toMatchObject({ secret: "secret/brave" });
  stop.abort();
});
