import type { IncomingMessage } from "node:http";
import { describe, expect, test } from "vitest";
import { exchange } from "../../src/fetch/exchange.ts";
import { searchOrder, searchText } from "../../src/fetch/search.ts";
import type { SearchService, ToFetch } from "../../src/ipc/fetch-frames.ts";
import { entry, searching, site, way } from "./world.ts";

const QUERY = "hash chain & more";
const KEY = "key-1";

interface Strict {
  readonly service: SearchService;
  /** What the service insists on; anything else is answered with 400, or 401 for the key. */
  readonly takes: (request: IncomingMessage, body: string) => boolean;
  readonly key: readonly [header: string, value: string] | null;
  readonly answers: unknown;
}

const asksFor = (path: string, query: Readonly<Record<string, string>>) => (request: IncomingMessage) => {
  const url = new URL(request.url ?? "", "https://x");
  return (
    request.method === "GET" && url.pathname === path && url.search === `?${new URLSearchParams(query).toString()}`
  );
};

const SERVICES: readonly Strict[] = [
  {
    service: "wikipedia",
    takes: asksFor("/w/rest.php/v1/search/page", { q: QUERY, limit: "3" }),
    key: null,
    answers: {
      pages: [
        {
          id: 1,
          key: "A_b",
          title: "A b",
          excerpt: '<span class="searchmatch">x</span> y',
          description: null,
          thumbnail: null,
        },
      ],
    },
  },
  {
    service: "searxng",
    takes: asksFor("/search", { q: QUERY, format: "json" }),
    key: null,
    answers: { query: QUERY, results: [{ url: "https://en.wikipedia.org/wiki/A_b", title: "A b", content: "x y" }] },
  },
  {
    service: "brave",
    takes: asksFor("/res/v1/web/search", { q: QUERY, count: "3" }),
    key: ["x-subscription-token", KEY],
    answers: {
      type: "search",
      web: {
        results: [{ title: "A b", url: "https://en.wikipedia.org/wiki/A_b", description: "<strong>x</strong> y" }],
      },
    },
  },
  {
    service: "tavily",
    takes: (request, body) =>
      request.method === "POST" &&
      request.url === "/search" &&
      request.headers["content-type"] === "application/json" &&
      body === JSON.stringify({ query: QUERY, max_results: 3 }),
    key: ["authorization", `Bearer ${KEY}`],
    answers: { results: [{ title: "A b", url: "https://en.wikipedia.org/wiki/A_b", content: "x\ny", score: 0.9 }] },
  },
  {
    service: "kagi",
    takes: asksFor("/api/v0/search", { q: QUERY, limit: "3" }),
    key: ["authorization", `Bot ${KEY}`],
    answers: {
      data: [
        { t: 0, url: "https://en.wikipedia.org/wiki/A_b", title: "A b", snippet: "x y" },
        { t: 1, list: ["related"] },
      ],
    },
  },
  {
    service: "marginalia",
    takes: asksFor("/search", { query: QUERY, count: "3" }),
    key: ["api-key", KEY],
    answers: {
      license: "x",
      results: [{ url: "https://en.wikipedia.org/wiki/A_b", title: "A b", description: "x y" }],
    },
  },
];

async function asked(
  strict: Strict,
  given: { readonly key?: string; readonly answer?: readonly [number, string] } = {},
): Promise<string> {
  const { key = KEY, answer } = given;
  const { port } = await site((request, response, body) => {
    response.setHeader("content-type", "application/json");
    const known = strict.key === null || request.headers[strict.key[0]] === strict.key[1];
    const status = !known ? 401 : !strict.takes(request, body) ? 400 : (answer?.[0] ?? 200);
    response.statusCode = status;
    response.end(answer?.[1] ?? JSON.stringify(strict.answers));
  });
  const { agent } = await way([entry(port)]);
  const what: Extract<ToFetch, { type: "search" }> = searching({
    service: strict.service,
    base: `https://pages.example:${port}`,
    limit: 3,
  });
  const { order, place } = searchOrder(QUERY, what);
  const secret = place === null ? [] : [[place.header, place.prefix + key] as const];
  return searchText(await exchange(order, secret, agent), what);
}

describe.for(SERVICES)("$service", (strict) => {
  test("is asked as it wants to be, and what it found is shown plainly", async () => {
    expect(await asked(strict)).toBe("1. A b\n   https://en.wikipedia.org/wiki/A_b\n   x y");
  });

  test("that answers with something else is told as that", async () => {
    for (const body of ["<html>", "{}", "[]", '{"results":[{"url":7}],"pages":1,"data":3,"web":5}']) {
      // An answer without a web part is how brave says that it found nothing.
      if (strict.service === "brave" && body === "{}") continue;
      await expect(asked(strict, { answer: [200, body] })).rejects.toMatchObject({ code: "bad-answer" });
    }
  });

  test("that is busy, or fails, is told as that", async () => {
    await expect(asked(strict, { answer: [429, "slow down"] })).rejects.toMatchObject({ code: "unreachable" });
    await expect(asked(strict, { answer: [500, "oh"] })).rejects.toMatchObject({ code: "bad-answer" });
  });
});

test.for(SERVICES.filter(({ key }) => key !== null))("$service says that a bad key is one", async (strict) => {
  await expect(asked(strict, { key: "another" })).rejects.toMatchObject({
    code: "refused",
    message: expect.stringContaining("its key is not good"),
  });
});

test("an instance of SearXNG that gives no JSON is told how it would", async () => {
  const [, searxng] = SERVICES;
  if (searxng === undefined) throw new Error("it is gone");
  await expect(asked(searxng, { answer: [403, "no"] })).rejects.toThrow("do not allow answers in JSON");
});

test("results are as many as were asked for, in one line each, and lead to the web alone", async () => {
  const [, searxng] = SERVICES;
  if (searxng === undefined) throw new Error("it is gone");
  const results = [
    { url: "javascript:alert(1)", title: "no", content: "" },
    { url: "https://a.example/1", title: "one\n2. two", content: "x".repeat(5_000) },
    ...Array.from({ length: 30 }, (_, at) => ({ url: `https://a.example/${at}`, title: "t", content: "c" })),
  ];
  const text = await asked(searxng, { answer: [200, JSON.stringify({ results })] });
  expect(text).not.toContain("javascript:");
  expect(text).toContain("1. one 2. two\n");
  expect(text.split("\n\n")).toHaveLength(3);
  expect(text.length).toBeLessThan(2_000);
});
