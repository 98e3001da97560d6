import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Duplex } from "node:stream";
import type { z } from "zod/mini";
import { bundleRole } from "../../scripts/build/bundle.ts";
import { NODE_FLAGS } from "../../src/confine/flags.ts";
import { Pipe } from "../../src/ipc/pipe.ts";
import { PARTS } from "../../src/main.ts";
import { loopbackLane } from "./connect-server.ts";

const root = resolve(import.meta.dirname, "../..");

const bundles = new Map<string, Promise<string>>();

/** The program as the build makes it, once a test file. */
function bundled(name: string, entry: string): Promise<string> {
  const known = bundles.get(name);
  if (known !== undefined) return known;
  const made = programWithParts(name, entry);
  bundles.set(name, made);
  return made;
}

async function text(name: string, entry: string): Promise<string> {
  const stamp = { version: "0.0.0", commit: "none", build: "test-build" };
  const [only] = (await bundleRole(root, stamp, name, entry)).values();
  if (only === undefined) throw new Error(`${name} was bundled to nothing`);
  return Buffer.from(only).toString("utf8");
}

/** One file: a confined process can read no other, and in the executable the parts that it asks for lie beside it. */
async function programWithParts(name: string, entry: string): Promise<string> {
  const main = await text(name, entry);
  const wanted = Object.entries(PARTS).filter(([part]) => main.includes(`require("./${part}.js")`));
  const parts = await Promise.all(
    wanted.map(async ([part, path]) => `"./${part}.js": ${asFunction(await text(part, path))}`),
  );
  return [
    `const parts = {${parts.join(",\n")}};`,
    "const loaded = new Map();",
    "function load(specifier) {",
    "  const part = parts[specifier];",
    "  if (part === undefined) return require(specifier);",
    "  if (!loaded.has(specifier)) {",
    "    loaded.set(specifier, { exports: {} });",
    "    part(loaded.get(specifier).exports, require, loaded.get(specifier));",
    "  }",
    "  return loaded.get(specifier).exports;",
    "}",
    `(${asFunction(main)})(exports, load, module);`,
  ].join("\n");
}

function asFunction(code: string): string {
  return `function (exports, require, module) {${code}\n}`;
}

export interface Heard<F> {
  readonly frame: F;
  readonly text: string;
}

/** One of our programs as the executable holds it: bundled, under Node's permission model, confined, spoken to over its pipe, with a lane to this machine. */
export class Child<In extends { type: string }, Out extends { type: string }> implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #folder: string;
  readonly #pipe: Pipe<In, Out>;
  readonly #heard: Heard<In>[] = [];
  #wake = Promise.withResolvers<void>();
  #output = "";
  readonly exited: Promise<number | null>;

  private constructor(folder: string, file: string, accepts: z.ZodMiniType<In>) {
    this.#folder = folder;
    this.#process = spawn(process.execPath, [...NODE_FLAGS, file], {
      env: {},
      stdio: ["ignore", "pipe", "pipe", "pipe", "pipe"],
    });
    this.exited = new Promise((done) => this.#process.once("exit", (status) => done(status)));
    for (const stream of [this.#process.stdout, this.#process.stderr])
      stream?.on("data", (chunk: Buffer) => {
        this.#output += chunk.toString();
      });
    const [, , , end, lane] = this.#process.stdio;
    if (!(end instanceof Duplex) || !(lane instanceof Duplex)) throw new Error("the child has no pipe");
    loopbackLane(lane);
    this.#pipe = new Pipe<In, Out>(end, accepts, {
      frame: (frame, payload) => {
        this.#heard.push({ frame, text: new TextDecoder().decode(payload) });
        this.#wake.resolve();
      },
      end: () => this.#wake.resolve(),
    });
  }

  static async start<In extends { type: string }, Out extends { type: string }>(
    name: string,
    entry: string,
    accepts: z.ZodMiniType<In>,
  ): Promise<Child<In, Out>> {
    const folder = mkdtempSync(join(tmpdir(), "wirken-child-"));
    const file = join(folder, `${name}.cjs`);
    writeFileSync(file, await bundled(name, entry));
    return new Child<In, Out>(folder, file, accepts);
  }

  send(header: Out, payload: string | Uint8Array = ""): Promise<void> {
    return this.#pipe.send(header, typeof payload === "string" ? new TextEncoder().encode(payload) : payload);
  }

  /** Everything that was heard so far, oldest first. */
  get heard(): readonly Heard<In>[] {
    return this.#heard;
  }

  /** Everything that was written to standard output and error. */
  get output(): string {
    return this.#output;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Waits for a frame of a type, and of a ref if one is given. @throws if the pipe ends before. */
  async next<T extends In["type"]>(type: T, ref?: number): Promise<Heard<Extract<In, { type: T }>>> {
    const is = (one: Heard<In>): one is Heard<Extract<In, { type: T }>> =>
      one.frame.type === type && (ref === undefined || ("ref" in one.frame && one.frame.ref === ref));
    for (;;) {
      const found = this.#heard.find(is);
      if (found !== undefined) return found;
      if (this.#pipe.ended !== null)
        throw new Error(`the child ended before it said ${type}: ${this.#pipe.ended.detail}\n${this.#output}`);
      this.#wake = Promise.withResolvers<void>();
      await this.#wake.promise;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#pipe.close();
    const killed = setTimeout(() => this.#process.kill("SIGKILL"), 5000);
    await this.exited;
    clearTimeout(killed);
    rmSync(this.#folder, { recursive: true });
  }
}
