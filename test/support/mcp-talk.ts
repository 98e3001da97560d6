import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import * as z from "zod/mini";
import { NODE_FLAGS } from "../../src/confine/flags.ts";
import { toolDigest } from "../../src/ipc/mcp-digest.ts";
import { FromMcp, OfferedTool, TOKENS, type ToMcp } from "../../src/ipc/mcp-frames.ts";
import { type Child, spawnChild, spawnWithLane } from "../../src/supervisor/child.ts";
import { loopbackLane } from "./connect-server.ts";
import { socketPair } from "./socket-pair.ts";

const MAIN = resolve(import.meta.dirname, "../../src/mcp/main.ts");
const CALL_MS = 20_000;

export interface Heard {
  readonly frame: FromMcp;
  readonly text: string;
}

/** What an `mcp` process says went wrong. */
export class TalkFailed extends Error {
  override readonly name = "TalkFailed";
  readonly reason: string;
  constructor(reason: string, sentence: string) {
    super(`${reason}: ${sentence}`);
    this.reason = reason;
  }
}

type Answering = (frame: Extract<FromMcp, { type: "asked" }>, text: string) => readonly [ToMcp, string] | null;

/** A person who accepts what is proposed, and changes nothing. */
const ACCEPTS: Answering = ({ ref }) => [{ type: "answer", ref, verdict: "accept", model: null }, "{}"];

/** The daemon's part of the talk with a real `mcp` process behind its walls, over its real pipe. */
export class McpTalk implements AsyncDisposable {
  readonly heard: Heard[] = [];
  /** Its answers to what a server asks; null: none. */
  answering: Answering = ACCEPTS;
  #child: Child<FromMcp, ToMcp> | null = null;
  #server: ChildProcess | null = null;
  #waiting: (() => void)[] = [];
  #ref = 0;
  #over: TalkFailed | null = null;

  readonly #common = {
    role: "mcp" as const,
    accepts: FromMcp,
    image: { command: process.execPath, args: [...NODE_FLAGS, MAIN] },
    stop: { type: "stop" } as const,
    log: (line: string) => this.printed.push(line),
    on: {
      frame: (frame: FromMcp, payload: Uint8Array) => {
        this.#hear(frame, payload);
      },
      end: () => this.#hear({ type: "failed", ref: null, reason: "ended" }, Buffer.from("its pipe is over")),
    },
  };
  readonly printed: string[] = [];

  /** To a server at an address of this machine, over a lane that leads nowhere else. */
  static async url(url: string, given: { tokens?: Uint8Array | null; authorizing?: boolean } = {}): Promise<McpTalk> {
    const { tokens = null, authorizing = false } = given;
    const talk = new McpTalk();
    const [near, far] = await socketPair();
    talk.#child = spawnWithLane<FromMcp, ToMcp>({ ...talk.#common, args: ["peer", "url"] }, near);
    loopbackLane(far);
    await talk.next(({ frame }) => frame.type === "ready");
    if (tokens !== null) await talk.send({ type: "secret", name: TOKENS }, tokens);
    await talk.send({ type: "start", url, headers: [], authorizing });
    return talk;
  }

  /** To a program, which is started here and now without a sandbox. */
  static async program(argv: readonly [string, ...string[]], cwd?: string): Promise<McpTalk> {
    const talk = new McpTalk();
    const child = spawnChild<FromMcp, ToMcp>({
      ...talk.#common,
      args: ["peer", "command"],
      extraStdio: ["pipe", "pipe"],
    });
    talk.#child = child;
    const [spoken, errors] = [child.extra(4), child.extra(5)];
    const [command, ...words] = argv;
    talk.#server = spawn(command, words, { stdio: [spoken, spoken, errors], env: { PATH: process.env["PATH"] }, cwd });
    for (const end of [spoken, errors]) end.destroy();
    await talk.next(({ frame }) => frame.type === "ready");
    await talk.send({ type: "start", url: null, headers: [], authorizing: false });
    return talk;
  }

  #hear(frame: FromMcp, payload: Uint8Array): void {
    const text = Buffer.from(payload).toString("utf8");
    if (frame.type === "asked") {
      const answer = this.answering(frame, text);
      if (answer !== null) void this.send(answer[0], answer[1]).catch(() => undefined);
    }
    if (frame.type === "failed" && frame.ref === null) this.#over ??= new TalkFailed(frame.reason, text);
    this.heard.push({ frame, text });
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  async send(frame: ToMcp, payload: Uint8Array | string = ""): Promise<void> {
    await this.#child?.send(frame, Buffer.from(payload));
  }

  /** Resident memory of the process, in megabytes. */
  get megabytes(): number {
    const status = readFileSync(`/proc/${this.#child?.pid ?? 0}/status`, "utf8");
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? Number.NaN) / 1024;
  }

  /** The first that fits, now or later. @throws {TalkFailed} where the connection is over first. */
  async next(fits: (heard: Heard) => boolean): Promise<Heard> {
    for (;;) {
      const found = this.heard.find(fits);
      if (found !== undefined) return found;
      if (this.#over !== null) throw this.#over;
      await new Promise<void>((wake) => this.#waiting.push(wake));
    }
  }

  async connected(): Promise<Extract<FromMcp, { type: "connected" }>> {
    const { frame } = await this.next(({ frame: { type } }) => type === "connected");
    if (frame.type !== "connected") throw new TypeError("it is not connected");
    return frame;
  }

  /** @throws {TalkFailed}. */
  async ask(frame: (ref: number) => ToMcp, payload?: Uint8Array | string): Promise<Heard> {
    this.#ref += 1;
    const ref = this.#ref;
    await this.send(frame(ref), payload);
    const heard = await this.next(
      (one) =>
        "ref" in one.frame && one.frame.ref === ref && !["progress", "asked", "withdrawn"].includes(one.frame.type),
    );
    if (heard.frame.type === "failed") throw new TalkFailed(heard.frame.reason, heard.text);
    return heard;
  }

  /** @returns what it offers, and how many were left. */
  async tools(): Promise<{ readonly tools: OfferedTool[]; readonly left: number }> {
    const from = this.heard.length;
    const { frame } = await this.ask((ref) => ({ type: "list", ref, what: "tools" }));
    const ref = "ref" in frame ? frame.ref : null;
    const isPage = ({ frame: one }: Heard): boolean => one.type === "page" && one.ref === ref;
    const last = await this.next((one) => isPage(one) && one.frame.type === "page" && one.frame.last);
    const pages = this.heard.slice(from).filter((one) => isPage(one));
    const tools = pages.flatMap(({ text }) => z.array(OfferedTool).parse(JSON.parse(text)));
    return { tools, left: last.frame.type === "page" ? last.frame.left : 0 };
  }

  /** @throws {TalkFailed}. */
  async call(tool: OfferedTool, given: object = {}, timeoutMs = CALL_MS): Promise<Heard> {
    return await this.ask(
      (ref) => ({ type: "call", ref, tool: tool.name, digest: toolDigest(tool), timeoutMs }),
      JSON.stringify(given),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child?.stop();
    this.#server?.kill("SIGKILL");
  }
}
