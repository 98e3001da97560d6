import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod/mini";
import { childImage, run } from "../support/confined.ts";

const EACCES = 13;
const EPERM = 1;
/** What this was written on has the seventh version; what each needs at least. */
const NETWORK = 4;
const SCOPES = 6;

const folder = mkdtempSync(join(tmpdir(), "landlock-"));
const file = join(folder, "vault.db");
const abstract = `wirken-test-${process.pid}`;
const servers: Server[] = [];
let port = "";

beforeAll(async () => {
  writeFileSync(file, "sealed");
  for (const where of [{ host: "127.0.0.1", port: 0 }, { path: `\0${abstract}` }]) {
    const server = createServer((socket) => socket.destroy());
    servers.push(server);
    server.listen(where);
    await once(server, "listening");
  }
  const address = servers[0]?.address();
  if (typeof address !== "object" || address === null) throw new Error("nothing listens on TCP");
  port = String(address.port);
});

afterAll(() => {
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true });
});

async function calls(role: string, how: string): Promise<Readonly<Record<string, number>>> {
  const { command, args } = childImage("landlocked");
  writeFileSync(`${file}.spare`, "to be removed");
  rmSync(`${file}.made`, { force: true });
  const { stdout, stderr, status } = await run(command, [...args, role, how, file, port, abstract]);
  if (status !== 0) throw new Error(`status ${String(status)}: ${stderr}`);
  return z.record(z.string(), z.number()).parse(JSON.parse(stdout));
}

describe("native code, with no wall but Landlock,", () => {
  test("is let through without it, so the calls tell", async () => {
    const { abi, ...rest } = await calls("agent", "bare");
    expect(abi).toBe(0);
    expect(Object.entries(rest).filter(([, answer]) => answer !== 0)).toEqual([]);
  });

  test("reads in a thread that was there before, if only the thread that asks is restricted", async () => {
    const answers = await calls("agent", "one-thread");
    expect(answers["read a file"]).toBe(EACCES);
    expect(answers["read a file in a thread of before"]).toBe(0);
  });

  test("of an agent reads and makes no file in any thread, connects nowhere, binds nothing, signals nobody else", async () => {
    const { abi = 0, ...answers } = await calls("agent", "landlock");
    expect(abi).toBeGreaterThan(0);
    expect(answers).toEqual({
      "read a file": EACCES,
      "read a file in a thread of before": EACCES,
      "read a folder": EACCES,
      "make a file": EACCES,
      "remove a file": EACCES,
      "read /etc/hosts": EACCES,
      "read /proc/self/environ": EACCES,
      "connect TCP": abi >= NETWORK ? EACCES : 0,
      "bind TCP": abi >= NETWORK ? EACCES : 0,
      "connect to an abstract socket": abi >= SCOPES ? EPERM : 0,
      "signal the parent": abi >= SCOPES ? EPERM : 0,
      "signal itself": 0,
      "signal a thread of its own": 0,
    });
    expect([existsSync(`${file}.made`), existsSync(`${file}.spare`)]).toEqual([false, true]);
  });

  test.for([
    ["egress", { names: 0, connect: 0, bind: EACCES, abstract: EPERM }],
    ["adapter", { names: EACCES, connect: EACCES, bind: EACCES, abstract: EPERM }],
    ["ingress", { names: EACCES, connect: EACCES, bind: 0, abstract: EPERM }],
    ["keychain", { names: EACCES, connect: EACCES, bind: EACCES, abstract: 0 }],
  ] as const)("of a %s has the files and the sockets of its role", async ([role, expected]) => {
    const { abi = 0, ...answers } = await calls(role, "landlock");
    expect(answers["read a file"]).toBe(EACCES);
    expect(answers["read a file in a thread of before"]).toBe(EACCES);
    expect(answers["read /proc/self/environ"]).toBe(EACCES);
    expect(answers["make a file"]).toBe(EACCES);
    expect({
      names: answers["read /etc/hosts"],
      connect: abi >= NETWORK ? answers["connect TCP"] : expected.connect,
      bind: abi >= NETWORK ? answers["bind TCP"] : expected.bind,
      abstract: abi >= SCOPES ? answers["connect to an abstract socket"] : expected.abstract,
    }).toEqual(expected);
  });
});
