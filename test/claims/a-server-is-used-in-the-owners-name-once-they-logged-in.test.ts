import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { createServer, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { certificateFor } from "../support/certificate.ts";
import { needLine, startProtected, verifies } from "../support/claims-world.ts";
import type { TestDaemon } from "../support/daemon.ts";
import { httpMcpServer } from "../support/http-mcp-server.ts";
import { OAuthServer } from "../support/oauth-server.ts";
import { serving } from "../support/serving.ts";
import { upstreamProxy } from "../support/upstream-proxy.ts";

const TRACKER = "tracker.example";
const LOGIN = "login.example";
const root = mkdtempSync(join(tmpdir(), "wirken-oauth-"));
const certificate = certificateFor(TRACKER, LOGIN);
const auth = new OAuthServer(`https://${LOGIN}`, `https://${TRACKER}/mcp`);
const mcp = httpMcpServer(`https://${TRACKER}`, `https://${LOGIN}`, auth);
const names: Record<string, number> = {};
const proxy = upstreamProxy({ names });
const servers = [createServer(certificate, mcp.answer), createServer(certificate, auth.answer)] as const;
let open: Awaited<ReturnType<typeof serving>>[] = [];
let home: string;
let daemon: TestDaemon;
const settings = { network: { proxy: "", ca: join(root, "ca.pem") } };

beforeAll(async () => {
  const [tracker, login, way] = await Promise.all([serving(servers[0]), serving(servers[1]), serving(proxy.server)]);
  open = [tracker, login, way];
  names[`${TRACKER}:443`] = tracker.port;
  names[`${LOGIN}:443`] = login.port;
  settings.network.proxy = `http://127.0.0.1:${way.port}`;
  writeFileSync(join(root, "ca.pem"), certificate.cert);
  home = mkdtempSync(join(root, "home-"));
  daemon = await startProtected({ home, config: settings });
}, 60_000);
afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
  for (const one of open) await one[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

/** A browser that is let in at once. @returns where it is led. */
async function logIn(address: string): Promise<string> {
  const { hostname, pathname, search } = new URL(address);
  const port = names[`${hostname}:443`];
  return await new Promise((resolve, reject) => {
    request(
      { host: "127.0.0.1", port, servername: hostname, path: pathname + search, ca: certificate.cert },
      (answer) => {
        answer.resume();
        const { location } = answer.headers;
        if (location === undefined) reject(new Error(`it was answered ${String(answer.statusCode)}`));
        else resolve(location);
      },
    )
      .on("error", reject)
      .end();
  });
}

/** As a browser goes there. */
async function follow(
  address: string | URL,
  headers: Record<string, string> = {},
): Promise<{ status: number; text: string }> {
  return await new Promise((resolve, reject) => {
    get(address, { headers }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (piece: string) => (text += piece));
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text }));
    }).on("error", reject);
  });
}

async function begin(): Promise<{ url: string; id: string }> {
  await using line = await needLine(daemon);
  const begun = await line.call({ call: "mcp.authorize", name: "tracker", scope: null, host: LOGIN });
  if (begun.state !== "open") throw new Error(`it needs ${begun.host}`);
  return begun;
}

async function asked(): Promise<{ status: number | null; stdout: string }> {
  const { status, stdout } = await daemon.wirken(["mcp", "test", "tracker"]);
  return { status, stdout };
}

describe("a server is used in its owner's name once they logged in", { timeout: 180_000 }, () => {
  test("one that wants a login is added, and says how", async () => {
    const ran = await daemon.wirken(["mcp", "add", "tracker", "--url", `https://${TRACKER}/mcp`, "--yes"]);
    expect(ran).toMatchObject({
      status: 3,
      stdout: "tracker is added; log in with it: wirken mcp authorize tracker\n",
    });
  });

  test("the host that it would have its owner log in at is named, and not reached before somebody allowed it", async () => {
    const ran = await daemon.wirken(["mcp", "authorize", "tracker"]);
    expect(ran.status).toBe(4);
    expect(ran.stderr).toContain(`tracker would have you log in at ${LOGIN}, which it may not reach so far`);
    expect(ran.stderr).toContain(`--host ${LOGIN}`);
    expect(proxy.asked.filter((one) => one.startsWith(LOGIN))).toEqual([]);
  });

  test("what comes back is taken once, from whoever began it, and its tokens are in the vault", async () => {
    const forged = await begin();
    const back = new URL(await logIn(forged.url));
    expect(back.origin + back.pathname).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/authorized\/[A-Za-z0-9_-]{32}$/);
    const wrong = new URL(back);
    wrong.searchParams.set("state", "somebody-elses-state-000000");
    expect((await follow(wrong)).status).toBe(403);
    // It was answered, if wrongly: nothing else is taken for it.
    expect((await follow(back)).status).toBe(403);

    const begun = await begin();
    await using line = await needLine(daemon);
    const waiting = line.call({ call: "mcp.authorize.wait", id: begun.id });
    expect(await follow(await logIn(begun.url))).toEqual({ status: 200, text: "Done: you can close this window.\n" });
    expect(await waiting).toEqual({ trouble: null });
    expect(auth.refused).toEqual([]);

    const works = await asked();
    expect(works.status).toBe(0);
    expect(works.stdout).toContain("whoami [new]");
    expect((await daemon.wirken(["mcp", "accept", "tracker", "--yes"])).stdout).toBe("agents have 1 tool of tracker\n");
    const vault = await daemon.wirken(["vault", "list"]);
    expect(vault.stdout).toContain("mcp/tracker");
    const said = `${daemon.stdout}${daemon.stderr}${works.stdout}${vault.stdout}`;
    for (const token of auth.given) expect(said).not.toContain(token);
  });

  test("a page elsewhere, and an address that nobody made, come to nothing", async () => {
    const origin = new URL((await begin()).url).searchParams.get("redirect_uri") ?? "";
    const script = await follow(`${origin}?code=x&state=y`, { "sec-fetch-mode": "cors" });
    expect(script.status).toBe(403);
    const guessed = await follow(`${new URL(origin).origin}/authorized/${"A".repeat(32)}?code=x&state=y`);
    expect(guessed.status).toBe(403);
  });

  test("tokens are renewed, what they were renewed with is never used again, and a kill in between loses nothing", async () => {
    for (const kill of [false, true, false]) {
      auth.expireAll();
      const before = auth.given.length;
      // It connects anew, by tokens that are good no more.
      await daemon.wirken(["mcp", "disable", "tracker"]);
      await daemon.wirken(["mcp", "enable", "tracker"]);
      expect((await asked()).status).toBe(0);
      expect(auth.given.length).toBeGreaterThan(before);
      if (!kill) continue;
      await daemon.end("SIGKILL");
      daemon = await startProtected({ home });
    }
    expect(auth.refused).toEqual([]);
    await verifies(daemon);
  });

  test("what is removed takes its tokens with it", async () => {
    const removed = await daemon.wirken(["mcp", "remove", "tracker", "--yes"]);
    expect(removed.stdout).toBe("tracker is removed, and with it the credential mcp/tracker\n");
    expect((await daemon.wirken(["vault", "list"])).stdout).not.toContain("mcp/tracker");
  });
});
