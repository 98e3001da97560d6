/** A part of the daemon that has been taken over, native code and all: it loads its library before the walls stand and goes on behind them. It says
 *  how each attempt went: `{"name": 0}` where it was let through, else the error. argv: what it is told, as JSON. */
import { spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { connect, createServer } from "node:net";
import { setPriority } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { z } from "zod/mini";
import { confine } from "../../../src/confine/confine.ts";
import { filterFor } from "../../../src/confine/filter.ts";
import { enforceLandlock } from "../../../src/confine/landlock.ts";
import { openLibc } from "../../../src/confine/libc.ts";
import { NEEDS, SCOPES } from "../../../src/confine/role.ts";
import { hasRing, installFilter, limit, standAlone } from "../../../src/confine/walls.ts";
import { readAhead } from "../../../src/confine/warm.ts";

const Told = z.object({
  role: z.enum(["adapter", "model", "agent", "fetch", "egress"]),
  /** Which walls it builds; null: as the product does, all. */
  walls: z.nullable(z.array(z.enum(["permissions", "alone", "limits", "landlock", "seccomp"]))),
  library: z.string(),
  names: z.array(z.string()),
  vault: z.string(),
  folder: z.string(),
  local: z.string(),
  abstract: z.string(),
  port: z.int(),
});
const told = Told.parse(JSON.parse(process.argv[2] ?? "{}"));
const { walls, role, folder } = told;

const { functions: native } = process.getBuiltinModule("node:ffi").dlopen(told.library, {
  setup: { arguments: ["string", "string", "string", "string", "int32", "int32"], return: "void" },
  attempt: { arguments: ["int32"], return: "int32" },
});
native.setup(told.vault, folder, told.local, told.abstract, process.ppid, told.port);

if (walls === null) confine(role);
else build(new Set(walls));

/** The product's own walls, all but some. */
function build(chosen: ReadonlySet<string>): void {
  const machine = z.enum(["x64", "arm64"]).parse(process.arch);
  const needs = NEEDS[role];
  readAhead(needs);
  const ring = hasRing();
  using libc = openLibc(machine);
  if (chosen.has("alone")) standAlone(libc);
  // Who is not root needs it to build any of the others.
  else if (chosen.has("landlock") || chosen.has("seccomp")) libc.call("prctl", 38, 1);
  if (chosen.has("limits")) limit(libc);
  if (chosen.has("landlock")) enforceLandlock(libc, machine, needs.files, needs.sockets);
  if (chosen.has("seccomp")) installFilter(libc, filterFor(machine, needs, { pid: process.pid, ring }));
  if (chosen.has("permissions"))
    for (const scope of SCOPES) if (!needs.keeps.includes(scope)) process.permission.drop(scope);
}

/** As JavaScript tries it. */
const SCRIPTED: Readonly<Record<string, () => unknown>> = {
  "script: read the vault": () => readFileSync(told.vault),
  "script: list a folder": () => readdirSync("/"),
  "script: make a file": () => writeFileSync(join(folder, "scripted"), "x"),
  "script: start a program": () => {
    const { error } = spawnSync("/bin/true");
    if (error !== undefined) throw error;
  },
  "script: start a thread": async () => await once(new Worker("process.exit(0)", { eval: true }), "exit"),
  "script: call the C library": () => process.getBuiltinModule("node:ffi").dlopen(null, {}),
  "script: load native code": () => {
    try {
      process.dlopen({ exports: {} }, told.library);
    } catch (error) {
      // It was loaded, and is no addon.
      if (!(error instanceof Error && error.message.includes("did not self-register"))) throw error;
    }
  },
  "script: connect to a port": async () => await connected(connect(told.port, "127.0.0.1")),
  "script: connect to the control socket": async () => await connected(connect(told.local)),
  "script: listen": async () => {
    const server = createServer();
    const refused = once(process, "uncaughtException").then(([error]) => Promise.reject(error));
    server.listen(0, "127.0.0.1");
    await Promise.race([once(server, "listening"), refused]);
    server.close();
  },
  "script: send UDP": async () => {
    const socket = createSocket("udp4");
    const refused = once(process, "uncaughtException").then(([error]) => Promise.reject(error));
    socket.on("error", () => undefined);
    const sent = new Promise<void>((done, fail) => {
      socket.send("x", told.port, "127.0.0.1", (error) => (error === null ? done() : fail(error)));
    });
    await Promise.race([sent, refused, once(socket, "error").then(([error]) => Promise.reject(error))]);
    socket.close();
  },
  "script: resolve a name": async () => await lookup("localhost"),
  "script: fetch": async () => {
    await fetch(`http://127.0.0.1:${told.port}/`).catch((error: unknown) => {
      // The server speaks no HTTP: that it hung up is a connection.
      if (["ECONNRESET", "UND_ERR_SOCKET"].includes(codeOf(error))) return;
      throw error;
    });
  },
  "script: signal the supervisor": () => process.kill(process.ppid, 0),
  "script: renice the supervisor": () => setPriority(process.ppid, 0),
  "script: become a user": () => process.setuid?.(process.getuid?.() ?? 0),
};

async function connected(socket: ReturnType<typeof connect>): Promise<void> {
  await once(socket, "connect");
  socket.destroy();
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause instanceof Error) return codeOf(error.cause);
  // Node's own errors of the system have their code in `info`.
  if ("info" in error && typeof error.info === "object" && error.info !== null && "code" in error.info)
    return String(error.info.code);
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}

const answers: Record<string, number | string> = {};
for (const [name, attempt] of Object.entries(SCRIPTED)) {
  try {
    await attempt();
    answers[name] = 0;
  } catch (error) {
    answers[name] = codeOf(error);
  }
}
for (const [at, name] of told.names.entries()) answers[name] = native.attempt(at);
writeSync(1, `${JSON.stringify(answers)}\n`);
process.exit(0);
