import { execFileSync, spawn } from "node:child_process";
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { z } from "zod/mini";
import { NODE_FLAGS } from "../../src/confine/flags.ts";

const NATIVE = join(import.meta.dirname, "native");
const ROW = /^ROW\("([^"]+)", \w+\)$/gm;

/** What native code tries, in its order. */
export const NATIVE_ATTEMPTS: readonly string[] = [
  ...readFileSync(join(NATIVE, "attempts.h"), "utf8").matchAll(ROW),
].flatMap(([, name]) => name ?? []);

/** Each layer of its own; `no-ring` is whoever starts the process. */
export const LAYERS = ["permissions", "alone", "limits", "landlock", "seccomp", "no-ring"] as const;
export type Layer = (typeof LAYERS)[number];

/** Who runs it. `nobody`: another user than root. `no namespaces`: where no user namespace can be made. */
export type As = "whoever this is" | "nobody" | "no namespaces";
const NOBODY = 65_534;
export const isRoot = process.getuid?.() === 0;

export type Answers = Readonly<Record<string, number | string>>;

/** Hostile parts, in a place that every user can reach, with what they attack. */
export class HostilePart implements AsyncDisposable {
  readonly place = mkdtempSync(join(tmpdir(), "wirken-hostile-"));
  readonly library = join(this.place, "attempts.so");
  readonly program = join(this.place, "attempts");
  readonly #servers: Server[] = [];
  readonly abstract = `wirken-hostile-${process.pid}`;
  port = 0;
  /** How often somebody connected to something that is nobody's business. */
  connections = 0;

  private constructor() {
    chmodSync(this.place, 0o777);
    const source = join(NATIVE, "attempts.c");
    execFileSync("cc", ["-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", this.library, source], {
      stdio: "inherit",
    });
    execFileSync("cc", ["-O1", "-Wall", "-Werror", "-o", this.program, source], { stdio: "inherit" });
    for (const name of ["hostile", "launcher"])
      buildSync({
        entryPoints: [join(import.meta.dirname, `children/${name}.ts`)],
        bundle: true,
        platform: "node",
        format: "esm",
        outfile: join(this.place, `${name}.mjs`),
      });
    copyFileSync(process.execPath, join(this.place, "node"));
    chmodSync(join(this.place, "node"), 0o755);
  }

  static async prepare(): Promise<HostilePart> {
    const part = new HostilePart();
    for (const where of [
      { host: "127.0.0.1", port: 0 },
      { path: join(part.place, "control.sock") },
      { path: `\0${part.abstract}` },
    ]) {
      const server = createServer((socket) => {
        part.connections += 1;
        socket.destroy();
      });
      part.#servers.push(server);
      server.listen(where);
      await once(server, "listening");
    }
    const address = part.#servers[0]?.address();
    if (typeof address !== "object" || address === null) throw new Error("nothing listens on TCP");
    part.port = address.port;
    chmodSync(join(part.place, "control.sock"), 0o666);
    return part;
  }

  /** @param layers what holds it. @returns how each attempt went. */
  async attack(role: string, layers: readonly Layer[], as: As = "whoever this is"): Promise<Answers> {
    const folder = mkdtempSync(join(this.place, "folder-"));
    const vault = join(folder, "vault.db");
    for (const name of ["vault.db", "spare", "cut", "left-open"]) writeFileSync(join(folder, name), "sealed");
    if (isRoot && as === "nobody") execFileSync("chown", ["-R", `${NOBODY}:${NOBODY}`, folder]);
    const inside = layers.filter((layer) => layer !== "no-ring");
    const told = {
      role,
      walls: inside.length === LAYERS.length - 1 ? null : inside,
      library: this.library,
      names: NATIVE_ATTEMPTS,
      vault,
      folder,
      local: join(this.place, "control.sock"),
      abstract: this.abstract,
      port: this.port,
    };
    const words = [
      join(this.place, "node"),
      ...NODE_FLAGS,
      join(this.place, "launcher.mjs"),
      join(this.place, "hostile.mjs"),
      layers.includes("no-ring") ? "no-rings" : "rings",
      join(folder, "left-open"),
      JSON.stringify(told),
    ];
    const [command = "", ...args] = as === "no namespaces" ? [...NO_NAMESPACES, ...words] : words;
    const child = spawn(command, args, {
      // A group of its own: one attempt is a signal to all of it.
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: "/usr/bin:/bin" },
      ...(isRoot && as === "nobody" ? { uid: NOBODY, gid: NOBODY } : {}),
    });
    const text = { out: "", err: "" };
    child.stdout.setEncoding("utf8").on("data", (piece: string) => (text.out += piece));
    child.stderr.setEncoding("utf8").on("data", (piece: string) => (text.err += piece));
    const [status] = await once(child, "close");
    rmSync(folder, { recursive: true, force: true });
    if (text.out === "") throw new Error(`the part ended early, with ${String(status)}: ${text.err}`);
    return this.answersOf(text.out);
  }

  answersOf(said: string): Answers {
    return z.record(z.string(), z.union([z.number(), z.string()])).parse(JSON.parse(said));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) server.close();
    rmSync(this.place, { recursive: true, force: true });
  }
}

/** A user namespace in which no other can be made. */
const NO_NAMESPACES = [
  "unshare",
  "--user",
  "--map-root-user",
  "sh",
  "-c",
  'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"',
  "sh",
];
