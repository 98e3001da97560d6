import { afterAll, beforeAll, expect, test } from "vitest";
import { buildPage } from "../support/page-build.ts";
import { PageScript } from "../support/page-script.ts";
import { type Asked, askHttp, sendRaw, WebClient } from "../support/raw-http.ts";
import { WebSupervisor } from "../support/web-supervisor.ts";

/** Real ingress and web processes; the test is the supervisor, and the browser. */
let supervisor: WebSupervisor;
let client: WebClient;
let script: PageScript;

beforeAll(async () => {
  await buildPage();
  script = new PageScript();
  supervisor = await WebSupervisor.start(script.answer);
  client = await WebClient.logIn(supervisor.link());
});
afterAll(async () => {
  await supervisor[Symbol.asyncDispose]();
});

const JSON_TYPE = { "content-type": "application/json" };

test("the page is three files, and each is sent with the headers that keep it to itself", async () => {
  for (const [path, type] of [
    ["/", "text/html"],
    ["/style.css", "text/css"],
    ["/main.js", "text/javascript"],
  ] as const) {
    const { status, headers, body } = await askHttp(supervisor.origin, path);
    expect(status).toBe(200);
    expect(headers["content-type"]).toContain(type);
    expect(body.length).toBeGreaterThan(1000);
    const policy = String(headers["content-security-policy"]).split("; ");
    expect(policy).toEqual(
      expect.arrayContaining([
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
      ]),
    );
    expect(headers).toMatchObject({
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-resource-policy": "same-origin",
      "cache-control": "no-store",
    });
  }
  expect((await askHttp(supervisor.origin, "/nothing")).headers["content-security-policy"]).toContain(
    "default-src 'none'",
  );
});

test("the page has no script, style or handler in its markup", async () => {
  const { body } = await askHttp(supervisor.origin, "/");
  expect(body).not.toMatch(/<script(?![^>]*\bsrc=)/);
  expect(body).not.toMatch(/<style|\sstyle=|\son\w+=/);
  expect(body).not.toMatch(/(src|href)="(?!\/|#|data:)/);
});

test.for([["localhost"], ["attacker.example"], ["[::1]"]])(
  "a request sent to the name %s is refused, and says where the page is",
  async ([name]) => {
    const { port } = new URL(supervisor.origin);
    const { status, body } = await askHttp(supervisor.origin, "/", { headers: { host: `${name}:${port}` } });
    expect(status).toBe(421);
    expect(body).toContain(`${supervisor.origin}/`);
  },
);

test("a request with two hosts, none, or a whole address as its target is refused", async () => {
  const { host } = new URL(supervisor.origin);
  expect(await sendRaw(supervisor.origin, `GET / HTTP/1.1\r\nHost: ${host}\r\nHost: attacker.example\r\n\r\n`)).toMatch(
    /^HTTP\/1\.1 4\d\d/,
  );
  expect(await sendRaw(supervisor.origin, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n")).toMatch(/^HTTP\/1\.1 4\d\d/);
  expect(await sendRaw(supervisor.origin, `GET http://${host}/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).toMatch(
    /^HTTP\/1\.1 404/,
  );
  expect(await sendRaw(supervisor.origin, `CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).not.toMatch(
    /^HTTP\/1\.1 2/,
  );
});

const FOREIGN = "http://127.0.0.1:9";
test.for<[string, string, Asked["headers"], number]>([
  ["another origin posts", "/api/call", { origin: FOREIGN }, 403],
  ["an opaque origin posts", "/api/call", { origin: "null" }, 403],
  ["a client that names no origin posts", "/api/call", {}, 403],
  [
    "this origin's name is used by a cross-site page",
    "/api/call",
    { origin: "self", "sec-fetch-site": "cross-site" },
    403,
  ],
  [
    "a neighbour on another port of this host posts",
    "/api/call",
    { origin: "self", "sec-fetch-site": "same-site" },
    403,
  ],
  ["another origin logs in", "/api/login", { origin: FOREIGN }, 403],
  ["another origin listens", "/api/events", { origin: FOREIGN }, 403],
  ["a page elsewhere listens", "/api/events", { "sec-fetch-site": "cross-site" }, 403],
  ["an address bar listens", "/api/events", { "sec-fetch-site": "none" }, 403],
  ["a browser that says nothing listens", "/api/events", {}, 403],
  ["a page elsewhere loads the script", "/main.js", { "sec-fetch-site": "cross-site" }, 403],
  ["a page elsewhere embeds the page", "/", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }, 403],
  ["a link elsewhere leads here", "/", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" }, 200],
  [
    "a script elsewhere says that somebody came back",
    `/authorized/${"A".repeat(32)}?code=x`,
    { "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors" },
    403,
  ],
  ["somebody comes back to an address that is too short", "/authorized/AAAA?code=x", {}, 404],
  ["somebody comes back with nothing", `/authorized/${"A".repeat(32)}`, {}, 404],
  ["the page itself listens without a session", "/api/events", { "sec-fetch-site": "same-origin" }, 401],
])("%s: %s", async ([, path, given, status]) => {
  const headers = Object.fromEntries(
    Object.entries(given ?? {}).map(([name, value]) => [name, value === "self" ? supervisor.origin : value]),
  );
  const post = path === "/api/call" || path === "/api/login";
  const credentials = path === "/api/call" ? { cookie: client.cookie, "wirken-key": client.key } : {};
  const answered = await askHttp(supervisor.origin, path, {
    method: post ? "POST" : "GET",
    headers: { ...headers, ...credentials, ...(post ? JSON_TYPE : {}) },
    ...(post ? { body: JSON.stringify({ call: { call: "status" } }) } : {}),
  });
  expect(answered.status).toBe(status);
  expect(supervisor.calls).toEqual([]);
});

test.for([
  ["GET", "/api/call", 405],
  ["POST", "/", 405],
  ["PUT", "/api/call", 405],
  ["OPTIONS", "/api/call", 405],
  ["HEAD", "/api/events", 405],
  ["HEAD", "/", 200],
  ["GET", "/?x=1", 404],
  ["GET", "/main.js/../main.js", 404],
  ["GET", "/%2e%2e/%2e%2e/etc/passwd", 404],
  ["GET", "/tsconfig.json", 404],
] as const)("%s %s is answered %i", async ([method, path, status]) => {
  expect((await askHttp(supervisor.origin, path, { method, headers: { origin: supervisor.origin } })).status).toBe(
    status,
  );
});
