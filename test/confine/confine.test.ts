import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttp } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { NODE_FLAGS } from "../../src/confine/flags.ts";
import type { Role } from "../../src/confine/role.ts";
import { childImage, probe, run } from "../support/confined.ts";

const ROLES: readonly Role[] = [
  "adapter",
  "model",
  "agent",
  "ingress",
  "web",
  "keychain",
  "anchor",
  "egress",
  "relay",
  "fetch",
  "unpack",
  "mcp",
];
const ADDON = join(import.meta.dirname, `../../node_modules/better-sqlite3/prebuilds/linux-${process.arch}.node`);
const folder = mkdtempSync(join(tmpdir(), "confine-"));
const local = join(folder, "control.sock");
const secret = join(folder, "vault.db");
const servers: Server[] = [];
let port = "";
let url = "";

beforeAll(async () => {
  writeFileSync(secret, "sealed");
  const onPath = createServer((socket) => socket.end());
  const http = createHttp((_request, response) => response.end("hello"));
  servers.push(onPath, http);
  onPath.listen(local);
  http.listen(0, "127.0.0.1");
  await Promise.all([once(onPath, "listening"), once(http, "listening")]);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a TCP server's address is one
  port = String((http.address() as AddressInfo).port);
  url = `http://localhost:${port}/`;
});

afterAll(() => {
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true });
});

/** Everything that no child may do. */
function forbidden(): Record<string, string> {
  return {
    "read-file": secret,
    "read-folder": folder,
    "write-file": join(folder, "planted"),
    "connect-local": local,
    spawn: "/bin/true",
    worker: "",
    "signal-parent": "",
    "signal-group": "",
    "priority-parent": "",
    "set-user": "",
    addon: ADDON,
    ffi: "",
    // Node's own, which opens any file whatever the permissions say.
    sqlite: "",
    memory: String(3 * 1_073_741_824),
  };
}

/** What every child must still be able to do. */
const needed = { "signal-self": "", threads: "", "lazy-built-ins": "", collect: "" };

describe("a child that is not confined can do all of it, so the probes tell", () => {
  test("files, processes, signals, local sockets, memory, the network", async () => {
    const probes = {
      ...forbidden(),
      ...needed,
      "connect-tcp": port,
      "listen-tcp": "",
      "open-udp": "",
      lookup: "",
      fetch: url,
    };
    const answers = await probe("agent", "bare", probes);
    expect(answers).toEqual(Object.fromEntries(Object.keys(probes).map((name) => [name, "done"])));
  });
});

describe.for(ROLES)("a confined %s", (role) => {
  test("reads and writes no file, starts nothing, signals nobody else, reaches no local socket", async () => {
    const answers = await probe(role, "confined", forbidden());
    for (const [name, answer] of Object.entries(answers))
      expect([name, answer]).toEqual([
        name,
        expect.stringMatching(/^(EPERM|ERR_ACCESS_DENIED|ERR_UNKNOWN_BUILTIN_MODULE|Array buffer allocation failed)$/),
      ]);
    expect(Object.keys(answers)).toHaveLength(Object.keys(forbidden()).length);
  });

  test("can still compute, use threads and load what Node loads late", async () => {
    expect(await probe(role, "confined", needed)).toEqual(
      Object.fromEntries(Object.keys(needed).map((name) => [name, "done"])),
    );
  });
});

function network(): Record<string, string> {
  return { "connect-tcp": port, "listen-tcp": "", "open-udp": "", lookup: "", fetch: url };
}

describe("the network", () => {
  test("is there for a confined egress, outward: fetch, TCP, names", async () => {
    expect(await probe("egress", "confined", network())).toEqual({
      "connect-tcp": "done",
      // It answers nobody.
      "listen-tcp": "EPERM",
      "open-udp": "EPERM",
      lookup: "done",
      fetch: "done",
    });
  });

  test.for(["adapter", "model", "anchor", "fetch", "unpack", "agent", "web", "keychain"] as const)(
    "is not there for a confined %s",
    async (role) => {
      const answers = await probe(role, "confined", network());
      expect(Object.values(answers)).toEqual(Array.from({ length: 5 }, () => "ERR_ACCESS_DENIED"));
    },
  );

  test("lets ingress listen and nothing else, and only until it has dropped it", async () => {
    const before = await probe("ingress", "confined", {
      "listen-tcp": "",
      "connect-tcp": port,
      "open-udp": "",
      fetch: url,
    });
    expect(before).toEqual({ "listen-tcp": "done", "connect-tcp": "EPERM", "open-udp": "EPERM", fetch: "EAI_AGAIN" });
    const after = await probe("ingress", "confined", { "drop-network": "", "listen-tcp": "", "connect-tcp": port });
    expect(after).toEqual({
      "drop-network": "done",
      "listen-tcp": "ERR_ACCESS_DENIED",
      "connect-tcp": "ERR_ACCESS_DENIED",
    });
  });

  test("is dropped later by ingress only", async () => {
    expect(await probe("adapter", "confined", { "drop-network": "" })).toEqual({ "drop-network": "CONFINE_TWICE" });
  });
});

test.for([
  ["--allow-ffi", "adapter", "Started without --allow-ffi"],
  ["--allow-net", "egress", "Started without the permission net"],
  ["--no-experimental-sqlite", "adapter", "Started without --no-experimental-sqlite"],
] as const)("a child that was started without %s is not passed for a confined %s", async ([flag, role, sentence]) => {
  const { command, args } = childImage("probe");
  const lacking = args.filter((arg) => arg !== flag);
  const { status, stderr } = await run(command, [...lacking, role, "confined", "{}"]);
  expect(status).toBe(1);
  expect(stderr).toContain("CONFINE_UNSTARTED");
  expect(stderr).toContain(sentence);
});

test("a process that was not started under the permission model is not passed for confined", async () => {
  const { command, args } = childImage("probe");
  const plain = args.filter((arg) => !NODE_FLAGS.includes(arg));
  const { status, stderr } = await run(command, [...plain, "agent", "confined", "{}"]);
  expect(status).toBe(1);
  expect(stderr).toContain("CONFINE_UNSTARTED");
  expect(stderr).toContain("Started without --permission");
});

test("an audit of permissions instead of their enforcement is found out", async () => {
  const { command, args } = childImage("probe");
  const audited = args.map((arg) => (arg === "--permission" ? "--permission-audit" : arg));
  const { status, stderr } = await run(command, [...audited, "agent", "confined", "{}"]);
  expect(status).toBe(1);
  expect(stderr).toContain("ConfineError");
});

test("a start with the product's flags warns of nothing", async () => {
  const { command, args } = childImage("probe");
  const { stderr, status } = await run(command, [...args, "adapter", "confined", "{}"]);
  expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
});
