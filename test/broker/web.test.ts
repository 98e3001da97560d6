import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { factsOf } from "../../src/broker/action.ts";
import { renderAction } from "../../src/broker/card.ts";
import { findTool } from "../../src/broker/tools/catalogue.ts";
import { ArgumentsError } from "../../src/broker/tools/tool.ts";
import { type ActionOfType, decodeAction, encodeAction } from "../../src/effect/action.ts";
import { MAX_HOPS } from "../../src/effect/web-action.ts";
import { World } from "./world.ts";

let world: World;
beforeEach(async () => {
  world = await World.make();
  world.web.credentials.set("github", {
    name: "github",
    hosts: ["api.github.com"],
    place: { header: "authorization", prefix: "Bearer " },
  });
});
afterEach(async () => await world[Symbol.asyncDispose]());

function prepared(given: unknown): ActionOfType<"http.request"> {
  const action = findTool("http_request")?.prepare(given, world.turn(), world.effects);
  if (action?.type !== "http.request") throw new Error("this is no request");
  return action;
}

describe("a request", () => {
  test.for([
    [{ url: "https://a.example/x" }, "http.get:a.example", 1],
    [{ url: "https://a.example/x", method: "HEAD" }, "http.get:a.example", 1],
    [{ url: "https://a.example/x", headers: { "X-A": "1" } }, "http.get:a.example", 1],
    [{ url: "https://a.example/x", method: "OPTIONS" }, "http:a.example", 2],
    [{ url: "https://a.example/x", method: "POST", body: "b" }, "http:a.example", 2],
    [{ url: "https://a.example/x", method: "DELETE" }, "http:a.example", 2],
    [{ url: "https://api.github.com/user", credential: "github" }, "http:api.github.com:secret/github", 2],
  ] as const)("%j has the key %s, of tier %i", ([given, key, tier]) => {
    expect(factsOf(prepared(given))).toMatchObject({ keys: [key], tier });
  });

  test("that only gets can be exempt by its URL, as the model wrote it; one with words of its own cannot", () => {
    const written = "https://A.example/a b#part";
    expect(prepared({ url: written })).toMatchObject({ url: "https://a.example/a%20b", written, host: "a.example" });
    expect(factsOf(prepared({ url: written })).leaves).toEqual({ by: "get", host: "a.example", url: written });
    expect(factsOf(prepared({ url: written, headers: { "x-a": "1" } })).leaves).toEqual({
      by: "request",
      hosts: ["a.example"],
    });
  });

  test("brings what a stranger wrote, and with a credential what is somebody's", () => {
    expect(factsOf(prepared({ url: "https://a.example/" })).brings).toEqual({ untrusted: true, private: "nothing" });
    expect(factsOf(prepared({ url: "https://api.github.com/", credential: "github" })).brings).toEqual({
      untrusted: true,
      private: "own",
    });
  });

  test.for([
    ["http://a.example/", "only https"],
    ["ftp://a.example/", "only https"],
    ["a.example", "no URL"],
    ["https://1.2.3.4/", "an address is not reached"],
    ["https://0x7f000001/", "an address is not reached"],
    ["https://2130706433/", "an address is not reached"],
    ["https://127.1/", "an address is not reached"],
    ["https://[::1]/", "an address is not reached"],
    ["https://[::ffff:169.254.169.254]/", "an address is not reached"],
    ["https://user@a.example/", "no user and no password"],
    ["https://user:word@a.example/", "no user and no password"],
    ["https://a.example./", "not the name of a host"],
    ["https://a.example:8443/", "on port 443 only"],
    ["https://a.example/\ud800", "half a character"],
    [`https://a.example/${"x".repeat(8_200)}`, "Too big"],
  ] as const)("to %s is refused, and the model is told why", ([url, why]) => {
    expect(() => prepared({ url })).toThrow(ArgumentsError);
    expect(() => prepared({ url })).toThrow(why);
  });

  test("is shown with the name that the resolver is asked for, whatever script it was written in", () => {
    expect(prepared({ url: "https://аpple.example/" }).host).toBe("xn--pple-43d.example");
    expect(prepared({ url: "https://ⓐ.example/" }).host).toBe("a.example");
  });

  test.for([
    [{ Authorization: "Bearer x" }, "name a credential of the vault"],
    [{ cookie: "a=b" }, "name a credential of the vault"],
    [{ "Proxy-Authorization": "x" }, "name a credential of the vault"],
    [{ Host: "b.example" }, "set by the connection"],
    [{ "Content-Length": "3" }, "set by the connection"],
    [{ "Transfer-Encoding": "chunked" }, "set by the connection"],
    [{ "x-a": "1\r\nx-b: 2" }, "what no header may hold"],
    [{ "x a": "1" }, "not the name of a header"],
    [{ "x-a": "" }, "empty"],
    [{ "x-a": "1", "X-A": "2" }, "named twice"],
  ] as const)("with the headers %j is refused", ([headers, why]) => {
    expect(() => prepared({ url: "https://a.example/", headers })).toThrow(why);
  });

  test("has no body where its method has none", () => {
    expect(() => prepared({ url: "https://a.example/", body: "x" })).toThrow("a GET has no body");
  });

  test("carries a credential to its own hosts only, by a name that there is", () => {
    const credential = "github";
    expect(prepared({ url: "https://api.github.com/x", credential }).credential?.name).toBe("github");
    expect(prepared({ url: "https://api.github.com/x", credential: "secret/github" }).credential?.name).toBe("github");
    for (const url of ["https://github.com/", "https://api.github.com.evil.example/", "https://evil.example/"])
      expect(() => prepared({ url, credential })).toThrow("only to api.github.com");
    expect(() => prepared({ url: "https://api.github.com/", credential: "other" })).toThrow("there is no credential");
    world.web.credentials.set("open", { name: "open", hosts: [], place: { header: "x-key", prefix: "" } });
    expect(() => prepared({ url: "https://api.github.com/", credential: "open" })).toThrow("names no host");
  });

  test("is shown whole on its card: each thing that differs shows", () => {
    const base = { url: "https://api.github.com/x", method: "POST", body: "one\ntwo", headers: { "x-a": "1" } };
    const variants = [
      base,
      { ...base, url: "https://api.github.com/X" },
      { ...base, url: "https://API.github.com/x" },
      { ...base, method: "PUT" },
      { ...base, body: "one\\ntwo" },
      { ...base, body: undefined },
      { ...base, headers: {} },
      { ...base, headers: { "x-a": "1", "x-b": "2" } },
      { ...base, headers: { "x-a": "1 header x-b | 2" } },
      { ...base, credential: "github" },
    ].map((given) => encodeAction(prepared(given)));
    const cards = variants.map((bytes) => renderAction(bytes));
    expect(new Set(cards).size).toBe(variants.length);
    expect(cards[9]).toContain("WITH A CREDENTIAL");
    expect(cards[0]).toContain("method | POST");
    expect(cards[0]).toContain("URL | https://api.github.com/x");
    expect(cards[0]).toContain("header x-a | 1");
    expect(cards[0]).toContain("  | one\n  | two");
  });
});

describe("a redirect", () => {
  test("to the same host goes on under the same key, as an action of its own", async () => {
    world.web.answers.push(
      { state: "redirected", status: 301, url: "https://a.example/there" },
      { state: "answered", status: 200, text: "200 OK\n\nhello" },
    );
    const answer = await world.call(world.turn(), "http_request", { url: "https://a.example/here" });
    expect(answer).toMatchObject({
      outcome: "done",
      text: "redirected to https://a.example/there\n200 OK\n\nhello",
    });
    const called = world.rows("tool.called");
    const finished = world.rows("tool.finished");
    expect(called.map(({ action }) => action)).toMatchObject([
      { tool: "http_request", key: "http.get:a.example" },
      { tool: "http_request", key: "http.get:a.example" },
    ]);
    // Which answer led to it.
    expect(called[1]?.cause).toBe(finished[0]?.seq);
    expect(answer.row).toBe(finished[1]?.seq);
    const second = decodeAction(called[1]?.bytes("action") ?? new Uint8Array());
    expect(second).toMatchObject({ url: "https://a.example/there", from: "https://a.example/here", hop: 1 });
  });

  test("of a request with a body to another host is asked for, and carries no credential there", async () => {
    const turn = world.turn();
    world.web.answers.push({ state: "redirected", status: 307, url: "https://evil.example/take" });
    const given = { url: "https://api.github.com/x", method: "POST", body: "b", credential: "github" };
    const calling = world.call(turn, "http_request", given);
    await world.approvals.decide((await world.card()).approval, world.answer());
    const second = await world.card(2);
    expect(second.key).toBe("http:evil.example");
    expect(second.card.text).toContain("the answer leads here of | https://api.github.com/x");
    expect(second.card.text).toContain("credential: none");
    await world.approvals.decide(second.approval, world.answer({ decision: "deny" }));
    const { text, outcome } = await calling;
    expect(outcome).toBe("denied");
    expect(text).toMatch(/^307: the server leads to https:\/\/evil\.example\/take\nThat was not asked: /);
    expect(world.web.asked).toHaveLength(1);
  });

  test.for([
    [303, "POST", "GET", null],
    [302, "POST", "GET", null],
    [307, "POST", "POST", "b"],
    [308, "PUT", "PUT", "b"],
    [303, "HEAD", "HEAD", null],
  ] as const)("%i after %s becomes %s", async ([status, method, then, body]) => {
    world.rules = [{ effect: "allow", key: "http:a.example" }];
    world.web.answers.push(
      { state: "redirected", status, url: "https://a.example/2" },
      { state: "answered", status: 200, text: "ok" },
    );
    const given = { url: "https://a.example/1", method, ...(method === "HEAD" ? {} : { body: "b" }) };
    await world.call(world.turn(), "http_request", given);
    expect(world.web.asked[1]).toMatchObject({ method: then, body, url: "https://a.example/2" });
  });

  test("without end is left after five", async () => {
    for (let at = 0; at <= MAX_HOPS; at++)
      world.web.answers.push({ state: "redirected", status: 302, url: `https://a.example/${at}` });
    const answer = await world.call(world.turn(), "http_request", { url: "https://a.example/" });
    expect(answer).toMatchObject({ outcome: "failed" });
    expect(answer.text).toContain("5 redirects are followed at the most");
    expect(world.web.asked).toHaveLength(MAX_HOPS + 1);
  });

  test.for([
    "http://a.example/",
    "https://10.0.0.1/",
    "https://u:p@a.example/",
    "https://a.example:22/",
    "file:///etc/passwd",
  ])("to %s is not followed", async (url) => {
    world.web.answers.push({ state: "redirected", status: 302, url });
    const answer = await world.call(world.turn(), "http_request", { url: "https://a.example/" });
    expect(answer.outcome).toBe("failed");
    expect(world.web.asked).toHaveLength(1);
  });
});

describe("a web search", () => {
  test("is free, goes to the service that is set up, and brings a stranger's words", async () => {
    world.web.answers.push({ state: "answered", status: 200, text: "1. x" });
    const turn = world.turn();
    const answer = await world.call(turn, "web_search", { query: "hash chains" });
    expect(answer).toMatchObject({ outcome: "done", text: "1. x" });
    expect(world.web.asked[0]).toEqual({
      type: "web.search",
      service: "wikipedia",
      host: "en.wikipedia.org",
      query: "hash chains",
      limit: 8,
    });
    expect(turn.labels.now).toEqual({ untrusted: true, private: [] });
  });

  test("that is off says so", async () => {
    world.web.service = "web search is off: config.json says so (search.service)";
    const answer = await world.call(world.turn(), "web_search", { query: "x" });
    expect(answer).toMatchObject({ outcome: "refused" });
    expect(answer.text).toContain("web search is off");
  });
});
