/** A child that tries what it should not be able to do, and says how that went: `{"name": "done" | <error code>, …}` on standard output.
 *
 *  argv: a role, how it is held (`bare`, `walls`: the operating system's only, `confined`), and the probes as JSON. */
import { spawnSync } from "node:child_process";
import { scrypt } from "node:crypto";
import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { connect, createServer } from "node:net";
import { setPriority } from "node:os";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { z } from "zod/mini";
import { confine, dropNetwork } from "../../../src/confine/confine.ts";
import { NEEDS } from "../../../src/confine/role.ts";
import { buildWalls } from "../../../src/confine/walls.ts";

const Role = z.enum([
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
]);
const How = z.enum(["bare", "walls", "confined"]);
const Probes = z.record(z.string(), z.string());

/** Each throws, or rejects, with what was refused. The argument is a path, a port or a number. */
const PROBES: Readonly<Record<string, (argument: string) => unknown>> = {
  "read-file": (path) => readFileSync(path),
  "read-folder": (path) => readdirSync(path),
  "write-file": (path) => writeFileSync(path, "written"),
  "connect-local": async (path) => await connected(connect(path)),
  "connect-tcp": async (port) => await connected(connect(Number(port), "127.0.0.1")),
  "listen-tcp": async () => await listening(),
  "open-udp": async () => {
    const socket = createSocket("udp4");
    socket.bind(0, "127.0.0.1");
    await Promise.race([once(socket, "listening"), once(socket, "error").then(([error]) => Promise.reject(error))]);
    socket.close();
  },
  lookup: async () => await lookup("localhost"),
  fetch: async (url) => {
    const answer = await (await fetch(url)).text();
    if (answer !== "hello") throw new Error(answer);
  },
  spawn: (command) => {
    const { error, status } = spawnSync(command, []);
    if (error !== undefined) throw error;
    if (status !== 0) throw new Error(`status ${status}`);
  },
  worker: async () => await once(new Worker("process.exit(0)", { eval: true }), "exit"),
  "signal-parent": () => process.kill(process.ppid, 0),
  "signal-group": () => process.kill(0, 0),
  "signal-self": () => process.kill(process.pid, 0),
  "priority-parent": () => setPriority(process.ppid, 0),
  "set-user": () => process.setuid?.(process.getuid?.() ?? 0),
  addon: (path) => process.dlopen({ exports: {} }, path),
  ffi: () => process.getBuiltinModule("node:ffi").dlopen(null, {}),
  sqlite: async () => await import("node:sqlite"),
  memory: (bytes) => new ArrayBuffer(Number(bytes)),
  "drop-network": () => dropNetwork(),
  threads: async () => {
    const derive = promisify<string, string, number, Buffer>(scrypt);
    await Promise.all(Array.from({ length: 16 }, (_, i) => derive("password", String(i), 32)));
  },
  "lazy-built-ins": async () => {
    const names = [
      "zlib",
      "http2",
      "https",
      "tls",
      "readline",
      "vm",
      "v8",
      "stream/web",
      "perf_hooks",
      "string_decoder",
    ];
    for (const name of names) await import(`node:${name}`);
    const { gunzipSync, gzipSync } = await import("node:zlib");
    gunzipSync(gzipSync("x"));
    new Intl.DateTimeFormat("de", { timeZone: "Europe/Berlin" }).format(0);
    await WebAssembly.compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]));
  },
  collect: () => {
    // Enough garbage for the collector's own threads to have work.
    let kept: unknown[] = [];
    for (let i = 0; i < 60; i++) kept = [kept.slice(0, 10), Array.from({ length: 20_000 }, (_, n) => ({ n }))];
  },
};

async function connected(socket: ReturnType<typeof connect>): Promise<void> {
  await once(socket, "connect");
  socket.destroy();
}

async function listening(): Promise<void> {
  const server = createServer();
  // Without the permission, Node throws this one where nobody can catch it.
  const refused = once(process, "uncaughtException").then(([error]) => Promise.reject(error));
  server.listen(0, "127.0.0.1");
  await Promise.race([once(server, "listening"), refused]);
  server.close();
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (cause instanceof Error) return codeOf(cause);
  if ("info" in error && typeof error.info === "object" && error.info !== null && "code" in error.info)
    return String(error.info.code);
  if ("code" in error && typeof error.code === "string") return error.code;
  return error.message === "" ? error.name : error.message;
}

const [role, how, probes] = [Role.parse(process.argv[2]), How.parse(process.argv[3]), process.argv[4] ?? "{}"];
if (how === "confined") confine(role);
if (how === "walls") buildWalls(NEEDS[role]);

const answers: Record<string, string> = {};
for (const [name, argument] of Object.entries(Probes.parse(JSON.parse(probes)))) {
  try {
    const probe = PROBES[name];
    if (probe === undefined) throw new Error("no such probe");
    await probe(argument);
    answers[name] = "done";
  } catch (error) {
    answers[name] = codeOf(error);
  }
}
writeSync(1, `${JSON.stringify(answers)}\n`);
process.exit(0);
