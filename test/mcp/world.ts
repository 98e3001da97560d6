import { type ChildProcess, spawn } from "node:child_process";
import { resolve } from "node:path";
import * as z from "zod/mini";
import { NODE_FLAGS } from "../../src/confine/flags.ts";
import { FromMcp, type ListKind, OfferedTool, type ToMcp } from "../../src/ipc/mcp-frames.ts";
import { toolDigest } from "../../src/ipc/mcp-digest.ts";
import { type Child, spawnChild } from "../../src/supervisor/child.ts";

const MAIN = resolve(import.meta.dirname, "../../src/mcp/main.ts");
const SERVER = resolve(import.meta.dirname, "../support/mcp-server.mts");

export interface Heard {
  readonly frame: FromMcp;
  readonly text: string;
}

/** A real MCP process behind its walls, and a server that was started for it. */
export class McpWorld implements AsyncDisposable {
  readonly heard: Heard[] = [];
  readonly #child: Child<FromMcp, ToMcp>;
  readonly #server: ChildProcess;
  #listeners: (() => void)[] = [];
  #ref = 0;

  private constructor(variant: string) {
    this.#child = spawnChild<FromMcp, ToMcp>({
      role: "mcp",
      args: ["honest", "command"],
      accepts: FromMcp,
      image: { command: process.execPath, args: [...NODE_FLAGS, MAIN] },
      stop: { type: "stop" },
      log: () => undefined,
      extraStdio: ["pipe", "pipe"],
      on: {
        frame: (frame, bytes) => {
          this.heard.push({ frame, text: Buffer.from(bytes).toString("utf8") });
          for (const listener of this.#listeners) listener();
        },
      },
    });
    const [spoken, errors] = [this.#child.extra(4), this.#child.extra(5)];
    this.#server = spawn(process.execPath, [SERVER, variant], { stdio: [spoken, spoken, errors], env: {} });
    for (const end of [spoken, errors]) end.destroy();
  }

  static async start(variant = "plain"): Promise<McpWorld> {
    const world = new McpWorld(variant);
    await world.hears(({ frame }) => frame.type === "ready");
    await world.send({ type: "start", url: null, headers: [], authorizing: false });
    return world;
  }

  async send(frame: ToMcp, payload = ""): Promise<void> {
    await this.#child.send(frame, Buffer.from(payload));
  }

  /** The first that fits, now or later. */
  async hears(fits: (heard: Heard) => boolean): Promise<Heard> {
    for (;;) {
      const found = this.heard.find(fits);
      if (found !== undefined) return found;
      await new Promise<void>((told) => this.#listeners.push(told));
    }
  }

  next(): number {
    this.#ref += 1;
    return this.#ref;
  }

  /** What answers a question. */
  async answer(ref: number): Promise<Heard> {
    return await this.hears(
      ({ frame }) => "ref" in frame && frame.ref === ref && ["answered", "failed"].includes(frame.type),
    );
  }

  async list(what: ListKind): Promise<unknown[]> {
    const ref = this.next();
    await this.send({ type: "list", ref, what });
    await this.hears(({ frame }) => frame.type === "page" && frame.ref === ref && frame.last);
    return this.heard
      .filter(({ frame }) => frame.type === "page" && frame.ref === ref)
      .flatMap(({ text }) => z.array(z.unknown()).parse(JSON.parse(text)));
  }

  async tools(): Promise<OfferedTool[]> {
    return z.array(OfferedTool).parse(await this.list("tools"));
  }

  /** Begins a call of a tool as it is offered. @returns its reference. */
  async call(tool: string, given: object, digest?: string, timeoutMs = 20_000): Promise<number> {
    const ref = this.next();
    const found = (await this.tools()).find(({ name }) => name === tool);
    const right = digest ?? (found === undefined ? "0".repeat(64) : toolDigest(found));
    await this.send({ type: "call", ref, tool, digest: right, timeoutMs }, JSON.stringify(given));
    return ref;
  }

  async calls(tool: string, given: object, digest?: string): Promise<Heard> {
    return await this.answer(await this.call(tool, given, digest));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stop();
    this.#server.kill("SIGKILL");
  }
}
