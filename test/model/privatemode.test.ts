import { createServer, type IncomingMessage } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { privatemode } from "../../src/model/privatemode.ts";
import { LIMITS, portOf, QUICK } from "./opened.ts";

/** As the proxy answers: what it says by itself carries its header; without a model in the request it says so, once it has a key. */
let answer: { status: number; headers: Record<string, string>; body: string };
let asked: { path: string; body: string; headers: IncomingMessage["headers"] }[] = [];
const server = createServer((request, response) => {
  let body = "";
  request.setEncoding("utf8").on("data", (piece: string) => (body += piece));
  request.on("end", () => {
    asked.push({ path: request.url ?? "", body, headers: request.headers });
    response.writeHead(answer.status, answer.headers).end(answer.body);
  });
});
beforeAll(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
afterAll(() => server.close());

const { signal } = new AbortController();
const place = () => `http://127.0.0.1:${portOf(server)}`;
async function shown(baseUrl = `${place()}/v1`) {
  asked = [];
  return await privatemode({ provider: "privatemode", baseUrl, key: null, limits: LIMITS, retry: QUICK }).attest?.(
    signal,
  );
}
const OWN = { "content-type": "application/json", "privatemode-encrypted": "false" };
const says = (message: string): string => JSON.stringify({ error: { message, type: "" } });

test("a proxy that holds a key has verified its service, and is told nothing for that", async () => {
  answer = { status: 500, headers: OWN, body: says("mutating request: no model specified in request") };
  expect(await shown()).toEqual({
    result: "holds",
    evidence: `the Privatemode proxy at ${place()} holds a key that it exchanged after it verified the service`,
  });
  expect(asked).toMatchObject([{ path: "/v1/chat/completions", body: "{}" }]);
});

test("a proxy that could not verify its service says why", async () => {
  answer = { status: 500, headers: OWN, body: says("creating request cipher: validating attestation report") };
  expect(await shown()).toEqual({
    result: "refused",
    evidence: `the Privatemode proxy at ${place()} has verified no service: creating request cipher: validating attestation report`,
  });
});

test.for([
  ["another server that says the same", { status: 400, headers: {}, body: says("no model specified in request") }],
  ["a server that answers", { status: 200, headers: OWN, body: "{}" }],
  ["a page", { status: 404, headers: {}, body: "<h1>Not Found</h1>" }],
] as const)("%s is no proxy of Privatemode's", async ([, given]) => {
  answer = { ...given, headers: { ...given.headers } };
  expect(await shown()).toEqual({
    result: "refused",
    evidence: `what answers at ${place()} is no Privatemode proxy`,
  });
});

test("where nothing listens nothing is shown", async () => {
  expect(await shown("http://127.0.0.1:9/v1")).toMatchObject({ result: "unreachable" });
});
