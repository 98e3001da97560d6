import { fork, spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { lookup, resolve4 } from "node:dns/promises";
import { once } from "node:events";
import {
  createReadStream,
  fstatSync,
  globSync,
  linkSync,
  openAsBlob,
  openSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  watch,
  writeFileSync,
} from "node:fs";
import { open, readFile } from "node:fs/promises";
import { get } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { createRequire, enableCompileCache } from "node:module";
import { connect, createServer, type Socket } from "node:net";
import { setPriority } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { writeHeapSnapshot } from "node:v8";
import { WASI } from "node:wasi";
import { Worker } from "node:worker_threads";
import * as z from "zod/mini";

/** What hostile code inside a process tries. The same list runs in the executable's children and, to show that it tells, in a process that
 *  nothing holds. */
export const Targets = z.strictObject({
  /** Files that are nobody's business. */
  files: z.array(z.string()),
  /** A folder to write into. */
  folder: z.string(),
  /** Unix sockets: the control socket, the session's D-Bus. */
  sockets: z.array(z.string()),
  /** Processes: the supervisor, and others. */
  processes: z.array(z.int()),
  addon: z.string(),
  /** A server on 127.0.0.1 that answers HTTP. */
  port: z.int(),
});
export type Targets = z.infer<typeof Targets>;

/** What it says afterwards. */
export const Report = z.object({
  reach: z.record(z.string(), z.string()),
  network: z.record(z.string(), z.string()),
  descriptors: z.array(z.object({ fd: z.int(), kind: z.string(), file: z.string() })),
  environment: z.record(z.string(), z.string()),
  words: z.array(z.string()),
});
export type Report = z.infer<typeof Report>;

/** Everything at once. @param outward false for a process that has a network. */
export async function attack(targets: Targets, outward: boolean): Promise<Report> {
  return {
    reach: await tryReach(targets),
    network: outward ? await tryAll(network(targets.port)) : {},
    descriptors: openDescriptors(),
    environment: Object.fromEntries(Object.entries(process.env).map(([name, value]) => [name, value ?? ""])),
    words: [...process.argv, ...process.execArgv],
  };
}

/** Each name with `done`, or with the code of what refused it. */
export type Answers = Readonly<Record<string, string>>;

type Attempt = () => unknown;

const PATIENCE_MS = 5_000;

/** Files, processes, other programs' sockets, native code: what no child of ours may reach. */
async function tryReach(targets: Targets): Promise<Answers> {
  return await tryAll({
    ...Object.fromEntries(targets.files.flatMap((path) => Object.entries(reading(path)))),
    ...writing(targets.folder),
    ...Object.fromEntries(targets.sockets.flatMap((path) => Object.entries(local(path)))),
    ...Object.fromEntries(targets.processes.flatMap((pid, nth) => Object.entries(others(pid, `process ${nth}`)))),
    ...native(targets.addon),
  });
}

/** Every way out to a network, past Node's permissions too. @param port of a server on 127.0.0.1 that answers HTTP. */
export async function attackNetwork(port: number): Promise<Answers> {
  return await tryAll({ ...network(port), ...nativeSockets() });
}

/** Every way out to a network. */
function network(port: number): Record<string, Attempt> {
  const url = `http://127.0.0.1:${port}/`;
  return {
    "tcp to 127.0.0.1": () => connected(connect(port, "127.0.0.1")),
    "tcp to ::1": () => connected(connect(port, "::1")),
    "tcp to a name": () => connected(connect(port, "localhost")),
    "tcp listen": () => listening(0),
    "udp bind": () => bound("udp4"),
    "udp6 bind": () => bound("udp6"),
    "udp send": async () => {
      const socket = createSocket("udp4");
      const failed = once(socket, "error").then(([error]) => Promise.reject(asError(error)));
      await Promise.race([
        failed,
        new Promise<void>((done, fail) => {
          socket.send("x", port, "127.0.0.1", (error) => (error === null ? done() : fail(error)));
        }),
      ]);
      socket.close();
    },
    "dns lookup": () => lookup("localhost"),
    "dns resolve": async () => {
      // Nobody may answer: a refusal is told from an answer that does not come.
      await resolve4("localhost").catch((error: unknown) => {
        const code = codeOf(error);
        if (!["ENOTFOUND", "ECONNREFUSED", "ENODATA", "ESERVFAIL", "ETIMEOUT"].includes(code)) throw error;
      });
    },
    fetch: async () => await (await fetch(url)).text(),
    "http get": async () => {
      const request = get(url);
      await Promise.race([once(request, "response"), failure(request)]);
      request.destroy();
    },
    http2: async () => {
      const session = connectHttp2(url);
      await Promise.race([once(session, "connect"), failure(session)]);
      session.destroy();
    },
    tls: async () => {
      const socket = connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false });
      // The server speaks no TLS: that it says so is a connection.
      await Promise.race([once(socket, "secureConnect"), failure(socket)]).catch((error: unknown) => {
        if (!/SSL|ECONNRESET|EPROTO/.test(codeOf(error))) throw error;
      });
      socket.destroy();
    },
    websocket: async () => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
      const failed = once(socket, "error").then(() => Promise.reject(refusal("no websocket")));
      await Promise.race([once(socket, "open"), failed]);
      socket.close();
    },
  };
}

/** Sockets as native code opens them: `socket(family, type, 0)`. */
function nativeSockets(): Record<string, Attempt> {
  const [STREAM, DGRAM, RAW] = [1, 2, 3];
  return {
    "socket of IPv4, TCP": () => call(41, 198, 2, STREAM, 0),
    "socket of IPv4, UDP": () => call(41, 198, 2, DGRAM, 0),
    "socket of IPv6, TCP": () => call(41, 198, 10, STREAM, 0),
    "socket of IPv6, UDP": () => call(41, 198, 10, DGRAM, 0),
    "socket of the routing table": () => call(41, 198, 16, RAW, 0),
    "socket of the host of a virtual machine": () => call(41, 198, 40, STREAM, 0),
    "an io_uring, which opens sockets by itself": () => call(425, 425, 1, 0),
  };
}

/** Descriptors that are open, and what lies behind each: what was inherited is there whatever a permission says. */
function openDescriptors(): { readonly fd: number; readonly kind: string; readonly file: string }[] {
  const found = [];
  for (let fd = 0; fd <= 256; fd++) {
    try {
      const stat = fstatSync(fd);
      const kind = stat.isFile()
        ? "file"
        : stat.isDirectory()
          ? "folder"
          : stat.isSocket()
            ? "socket"
            : stat.isFIFO()
              ? "fifo"
              : stat.isCharacterDevice()
                ? "device"
                : stat.isBlockDevice()
                  ? "disk"
                  : "none";
      found.push({ fd, kind, file: `${stat.dev}:${stat.ino}` });
    } catch {
      // not open
    }
  }
  return found;
}

async function tryAll(list: Readonly<Record<string, Attempt>>): Promise<Answers> {
  // Some refusals come as an event that nobody listens to: they are answers, and no reason to end.
  const stray: string[] = [];
  const note = (error: unknown): void => void stray.push(codeOf(error));
  process.on("uncaughtException", note);
  const answers: Record<string, string> = {};
  try {
    for (const [name, attempt] of Object.entries(list)) {
      stray.length = 0;
      const late = Promise.withResolvers<string>();
      const timer = setInterval(() => {
        if (stray.length > 0) late.resolve(stray.join());
      }, 5);
      const patience = setTimeout(() => late.resolve("no answer"), PATIENCE_MS);
      answers[name] = await Promise.race([settled(attempt), late.promise]);
      clearInterval(timer);
      clearTimeout(patience);
    }
  } finally {
    process.off("uncaughtException", note);
  }
  return answers;
}

async function settled(attempt: Attempt): Promise<string> {
  try {
    await attempt();
    return "done";
  } catch (error) {
    return codeOf(error);
  }
}

function reading(path: string): Record<string, Attempt> {
  return {
    [`readFileSync ${path}`]: () => readFileSync(path),
    [`readFile ${path}`]: () => readFile(path),
    [`openSync ${path}`]: () => openSync(path, "r"),
    [`open ${path}`]: async () => await (await open(path, "r")).close(),
    [`createReadStream ${path}`]: async () => {
      const stream = createReadStream(path);
      await Promise.race([once(stream, "open"), failure(stream)]);
      stream.destroy();
    },
    [`openAsBlob ${path}`]: async () => await (await openAsBlob(path)).arrayBuffer(),
    [`statSync ${path}`]: () => statSync(path),
    [`watch ${path}`]: () => watch(path).close(),
    [`createRequire ${path}`]: () => {
      try {
        createRequire(join(path, "x"))(path);
      } catch (error) {
        // It was read, and is no program.
        if (!(error instanceof SyntaxError)) throw error;
      }
    },
    [`loadEnvFile ${path}`]: () => process.loadEnvFile(path),
    [`node:sqlite ${path}`]: () => {
      const { DatabaseSync } = builtin("node:sqlite");
      if (typeof DatabaseSync !== "function") throw new Error("no DatabaseSync");
      const database: unknown = Reflect.construct(DatabaseSync, [path]);
      invoke(database, "close");
    },
  };
}

function writing(folder: string): Record<string, Attempt> {
  const at = (name: string): string => join(folder, name);
  return {
    readdir: () => readdirSync(folder),
    "read /proc/self/fd": () => readdirSync("/proc/self/fd"),
    "write a file": () => writeFileSync(at("written"), "x"),
    "link a file": () => linkSync("/etc/passwd", at("linked")),
    "symlink a file": () => symlinkSync("/etc/passwd", at("symlinked")),
    "write a heap snapshot": () => writeHeapSnapshot(at("heap.heapsnapshot")),
    "write a report": () => {
      if (process.report.writeReport(at("report.json")) === "") throw refusal("no report");
      statSync(at("report.json"));
    },
    "write a compile cache": () => {
      const { status } = enableCompileCache(at("cache"));
      if (status === 0) throw refusal("no cache");
      statSync(at("cache"));
    },
    glob: () => {
      if (globSync(at("*")).length === 0) throw refusal("nothing is seen");
    },
  };
}

function local(path: string): Record<string, Attempt> {
  return {
    [`connect ${path}`]: () => connected(connect(path)),
    [`http over ${path}`]: async () => {
      const request = get({ socketPath: path, path: "/" });
      await Promise.race([once(request, "socket").then(([socket]) => once(socket, "connect")), failure(request)]);
      request.destroy();
    },
    [`listen beside ${path}`]: () => listening(`${path}.own`),
    [`raw pipe ${path}`]: async () => {
      const { Pipe, PipeConnectWrap, constants } = binding("pipe_wrap");
      if (typeof Pipe !== "function" || typeof PipeConnectWrap !== "function") throw new Error("no pipe_wrap");
      const socketType: unknown = Reflect.get(Object(constants), "SOCKET");
      const pipe: unknown = Reflect.construct(Pipe, [socketType]);
      const request: unknown = Reflect.construct(PipeConnectWrap, []);
      const status = await new Promise<number>((done) => {
        Reflect.set(Object(request), "oncomplete", (code: number) => done(code));
        const now = invoke(pipe, "connect", request, path);
        if (typeof now === "number" && now !== 0) done(now);
      });
      invoke(pipe, "close");
      if (status !== 0)
        throw Object.assign(new Error(String(status)), { code: status === -1 ? "EPERM" : `UV ${status}` });
    },
  };
}

function others(pid: number, name: string): Record<string, Attempt> {
  return {
    [`signal ${name}`]: () => process.kill(pid, 0),
    [`open the inspector of ${name}`]: () => invoke(process, "_debugProcess", pid),
    [`priority of ${name}`]: () => setPriority(pid, 0),
    [`environment of ${name}`]: () => readFileSync(`/proc/${pid}/environ`),
    [`memory of ${name}`]: () => openSync(`/proc/${pid}/mem`, "r"),
    [`descriptors of ${name}`]: () => readdirSync(`/proc/${pid}/fd`),
    [`tgkill ${name}`]: () => call(234, 131, pid, pid, 0),
    // With no bytes to read: it asks for the right to.
    [`process_vm_readv ${name}`]: () => call(310, 270, pid, 0, 0, 0, 0),
    // PTRACE_SEIZE; a tracer that ends lets go.
    [`ptrace ${name}`]: () => call(101, 117, 0x4206, pid, 0, 0),
  };
}

function native(addon: string): Record<string, Attempt> {
  return {
    "start a program": () => {
      const { error } = spawnSync("/bin/true");
      if (error !== undefined) throw error;
    },
    fork: async () => {
      const child = fork("/dev/null");
      await Promise.race([once(child, "spawn"), failure(child)]);
      child.kill("SIGKILL");
    },
    "start a thread": async () => {
      const worker = new Worker("0", { eval: true });
      await Promise.race([once(worker, "exit"), failure(worker)]);
    },
    "load an addon": () => {
      process.dlopen({ exports: {} }, addon);
    },
    "call the C library": () => call(39, 172),
    wasi: () => new WASI({ version: "preview1", preopens: { "/": "/" } }),
    "be inspected": () => {
      const inspector = builtin("node:inspector");
      invoke(inspector, "open", 0);
      if (invoke(inspector, "url") === undefined) throw refusal("not inspected");
      invoke(inspector, "close");
    },
    "signal the group": () => process.kill(0, 0),
    "become another user": () => process.setuid?.(process.getuid?.() ?? 0),
    "get the permissions back": () => {
      for (const scope of ["fs.read", "child", "ffi", "addon"]) {
        const permission: unknown = Reflect.get(process, "permission");
        if (permission === undefined) return;
        if (process.permission.has(scope)) return;
      }
      throw refusal("gone");
    },
  };
}

/** Operation not permitted. */
const EPERM = 1;

/** A system call by its number, with arguments of no use: any other error than a refusal means that it was let through. */
function call(x64: number, arm64: number, ...words: number[]): void {
  const ffi = builtin("node:ffi");
  const library: unknown = invoke(ffi, "dlopen", null, {
    syscall: { arguments: ["int64", "int64", "int64", "int64", "int64", "int64", "int64"], return: "int64" },
    __errno_location: { arguments: [], return: "pointer" },
  });
  const functions: unknown = Reflect.get(Object(library), "functions");
  const number = process.arch === "x64" ? x64 : arm64;
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = words;
  const answer = invoke(functions, "syscall", ...[number, a, b, c, d, e, f].map(BigInt));
  if (typeof answer !== "bigint" || answer >= 0n) return;
  if (invoke(ffi, "getInt32", invoke(functions, "__errno_location")) === EPERM)
    throw Object.assign(new Error("refused"), { code: "EPERM" });
}

/** Node's own modules as whatever they are: some are not to be had, and that is an answer too. */
function builtin(name: string): Record<string, unknown> {
  const found: unknown = Reflect.apply(Reflect.get(process, "getBuiltinModule"), process, [name]);
  if (typeof found !== "object" || found === null)
    throw Object.assign(new Error(name), { code: "ERR_UNKNOWN_BUILTIN_MODULE" });
  return { ...found };
}

function binding(name: string): Record<string, unknown> {
  const found = invoke(process, "binding", name);
  return typeof found === "object" && found !== null ? { ...found } : {};
}

function invoke(on: unknown, name: string, ...words: readonly unknown[]): unknown {
  const method: unknown = Reflect.get(Object(on), name);
  if (typeof method !== "function") throw new Error(`there is no ${name}`);
  return Reflect.apply(method, on, words);
}

/** For what is refused by an empty answer. */
function refusal(message: string): Error {
  return Object.assign(new Error(message), { code: "REFUSED" });
}

async function connected(socket: Socket): Promise<void> {
  await Promise.race([once(socket, "connect"), failure(socket)]);
  socket.destroy();
}

async function listening(where: number | string): Promise<void> {
  const server = createServer();
  if (typeof where === "number") server.listen(where, "127.0.0.1");
  else server.listen(where);
  await Promise.race([once(server, "listening"), failure(server)]);
  server.close();
}

async function bound(family: "udp4" | "udp6"): Promise<void> {
  const socket = createSocket(family);
  socket.bind(0, family === "udp4" ? "127.0.0.1" : "::1");
  await Promise.race([once(socket, "listening"), failure(socket)]);
  socket.close();
}

/** Rejects with the first error that an emitter tells; it may tell more. */
async function failure(emitter: NodeJS.EventEmitter): Promise<never> {
  return await new Promise<never>((_, reject) => {
    emitter.on("error", (error: unknown) => reject(asError(error)));
  });
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
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
