import type { Duplex } from "node:stream";
import * as z from "zod/mini";
import type { McpServer } from "../config/schema.ts";
import type { McpAnswer, McpAsker } from "../effect/mcp-port.ts";
import {
  ElicitationAsk,
  FromMcp,
  type ListKind,
  type McpFailure,
  OfferedPrompt,
  OfferedResource,
  OfferedTool,
  SamplingAsk,
  ServerInfo,
  TOKENS,
  type ToMcp,
} from "../ipc/mcp-frames.ts";
import { AlteredError } from "./mcp-install.ts";
import type { Kept, Processes, SecretOf, StartedChild } from "./processes.ts";
import type { Reach } from "./reach-list.ts";

/** A list of a well-behaved server takes milliseconds. */
const LIST_MS = 60_000;
/** What a process that keeps to its times has over, beyond those. */
const GRACE_MS = 5_000;
/** A person may take so long with what a server asks, beside the time of its call. */
const ASKING_MS = 20 * 60_000;
/** Starts in a row in which a server never answered, after which it is given up. */
const MOST_SILENT = 8;

/** What a server says of itself when it is connected. */
export interface Connection {
  readonly protocol: string;
  readonly info: ServerInfo;
  readonly tools: boolean;
  readonly resources: boolean;
  readonly prompts: boolean;
}

export interface Listed<T> {
  readonly items: readonly T[];
  readonly left: number;
}

/** A failure that a server, or its process, is the reason of. */
export class McpServerError extends Error {
  override readonly name = "McpServerError";
  readonly code: McpFailure;
  constructor(code: McpFailure, message: string) {
    super(message);
    this.code = code;
  }
}

/** A program that was started for it. */
export interface StartedServer {
  /** Resolves when nothing of it is left: in a sentence why it ended. */
  readonly over: Promise<string>;
  end(): void;
}

export interface McpProcessParts {
  readonly name: string;
  readonly entry: McpServer;
  readonly processes: Pick<Processes, "keep">;
  readonly cause: number | null;
  readonly line: (line: string) => void;
  /** Of a server with a URL: its headers' credentials, and its tokens. */
  readonly secrets: () => readonly SecretOf[];
  readonly reach: () => Reach;
  /** Starts the program of a server without a URL. @throws {Error} in words why not. */
  readonly run: (spoken: Duplex, errors: Duplex) => Promise<StartedServer>;
  /** Keeps tokens: they are wiped here. */
  readonly saveTokens: (bytes: Uint8Array) => Promise<void>;
  readonly connected: (connection: Connection) => void;
  readonly changed: (what: ListKind) => void;
  /** Wait with everything but an authorization. */
  readonly authorizing?: boolean;
}

type Settled = Extract<FromMcp, { type: "answered" | "failed" | "authorization" | "tokens" }>;

interface Waiting {
  settle(header: Settled | null, payload: Uint8Array): void;
  page?(payload: Uint8Array, last: boolean, left: number): void;
  readonly asker?: McpAsker;
}

/** One server and the process that speaks to it, started again when either ends. */
export class McpProcess {
  readonly #parts: McpProcessParts;
  readonly #kept: Kept<ToMcp>;
  readonly #waiting = new Map<number, Waiting>();
  readonly #questions = new Map<number, AbortController>();
  #ends: readonly Duplex[] = [];
  #program: StartedServer | null = null;
  /** The newest program is gone, and that is on the log. */
  #over: Promise<unknown> = Promise.resolve();
  #ref = 0;
  #silent = 0;
  #waiters: ((up: boolean) => void)[] = [];
  state: "starting" | "up" | "waiting" | "given-up" | "stopped" = "starting";
  since = Date.now();
  restarts = -1;
  /** Why it is not up. */
  why: string | null = null;
  reason: McpFailure | null = null;
  connection: Connection | null = null;

  constructor(parts: McpProcessParts) {
    this.#parts = parts;
    const { name, entry, processes, cause, authorizing = false } = parts;
    const url = entry.url ?? null;
    this.#kept = processes.keep<FromMcp, ToMcp>({
      role: "mcp",
      args: [name, url === null ? "command" : "url"],
      subject: name,
      accepts: FromMcp,
      stop: { type: "stop" },
      cause,
      secret: (_, scope) => ({
        type: "secret",
        name: scope === `mcp/${name}` ? TOKENS : scope.replace(/^secret\//, ""),
      }),
      secrets: parts.secrets,
      ...(url === null
        ? { pipes: { count: 2, opened: (ends: readonly Duplex[]) => this.#opened(ends) } }
        : { reach: parts.reach }),
      started: async (child) => await this.#started(child, url, authorizing),
      hear: (header, payload) => this.#hear(header, payload),
      down: () => this.#down(),
      givenUp: (why) => {
        this.why ??= why;
        this.#become("given-up");
      },
    });
  }

  #opened(ends: readonly Duplex[]): void {
    this.#ends = ends;
    // Until they are handed over: its process may end before that.
    for (const end of ends) end.on("error", () => undefined);
  }

  async #started(child: StartedChild<ToMcp>, url: string | null, authorizing: boolean): Promise<void> {
    this.restarts += 1;
    if (!authorizing) this.#become("starting");
    const headers = this.#parts.entry.credentials.flatMap(({ name, header }) =>
      header === undefined ? [] : [{ ...header, secret: name }],
    );
    if (url === null) {
      const [spoken, errors] = this.#ends;
      if (spoken === undefined || errors === undefined) throw new TypeError("its pipes are not there");
      try {
        const program = await this.#parts.run(spoken, errors);
        this.#program = program;
        this.#over = program.over;
        void program.over.then((why) => {
          if (this.#program !== program) return;
          this.why = why;
          this.#parts.line(why);
        });
      } catch (error) {
        this.why = error instanceof Error ? error.message : "it could not be started";
        this.#parts.line(this.why);
        // To be tried again it would have to be installed anew.
        if (error instanceof AlteredError) this.#giveUp();
        throw error;
      }
    }
    await child.send({ type: "start", url, headers, authorizing });
    if (authorizing) this.#become("up");
  }

  #hear(header: FromMcp, payload: Uint8Array): void {
    switch (header.type) {
      case "ready":
        return;
      case "connected": {
        const info = ServerInfo.safeParse(jsonOf(payload));
        if (!info.success) {
          this.#kept.broke("it says of its server what is not of the form");
          return;
        }
        const { protocol, tools, resources, prompts } = header;
        this.connection = { protocol, info: info.data, tools, resources, prompts };
        this.#silent = 0;
        this.why = null;
        this.reason = null;
        this.#become("up");
        this.#parts.connected(this.connection);
        return;
      }
      case "page":
        this.#waiting.get(header.ref)?.page?.(payload, header.last, header.left);
        return;
      case "answered":
      case "authorization":
        this.#settle(header.ref, header, payload);
        return;
      case "failed":
        if (header.ref !== null) this.#settle(header.ref, header, payload);
        else {
          this.why = textOf(payload);
          this.reason = header.reason;
          // Whoever is to log in is a person: nothing is gained by trying again.
          if (header.reason === "unauthorized") this.#giveUp();
        }
        return;
      case "tokens":
        void this.#tokens(header.ref, header, payload);
        return;
      case "progress":
        return;
      case "log":
        this.#parts.line(`${header.level}: ${textOf(payload)}`);
        return;
      case "asked":
        void this.#asked(header, payload);
        return;
      case "withdrawn":
        this.#questions.get(header.ref)?.abort();
        return;
      case "changed":
        this.#parts.changed(header.what);
    }
  }

  async #tokens(ref: number | null, header: Settled, payload: Uint8Array): Promise<void> {
    try {
      await this.#parts.saveTokens(payload);
      if (ref !== null) this.#settle(ref, header, new Uint8Array());
    } catch (error) {
      const why = error instanceof Error ? error.message : "error";
      this.#parts.line(`its tokens could not be kept: ${why}`);
      if (ref !== null)
        this.#settle(
          ref,
          { type: "failed", ref, reason: "other" },
          Buffer.from(`its tokens could not be kept: ${why}`),
        );
    } finally {
      payload.fill(0);
    }
  }

  async #asked(header: Extract<FromMcp, { type: "asked" }>, payload: Uint8Array): Promise<void> {
    const { ref, what, during } = header;
    const running = [...this.#waiting].filter(([, { asker }]) => asker !== undefined);
    // Where several calls run, nobody knows for whom it asks.
    const asker =
      (during === null ? null : this.#waiting.get(during)?.asker) ??
      (running.length === 1 ? running[0]?.[1].asker : null) ??
      null;
    const stopping = new AbortController();
    this.#questions.set(ref, stopping);
    let reply: Awaited<ReturnType<McpAsker>> = { verdict: "decline", payload: new Uint8Array(), model: null };
    try {
      const read = what === "sampling" ? SamplingAsk.parse(jsonOf(payload)) : ElicitationAsk.parse(jsonOf(payload));
      if (asker !== null)
        reply = await asker(
          "messages" in read ? { what: "sampling", ...read } : { what: "elicitation", ...read },
          stopping.signal,
        );
    } catch (error) {
      this.#parts.line(`what it asked was not answered: ${error instanceof Error ? error.name : "error"}`);
    }
    this.#questions.delete(ref);
    if (stopping.signal.aborted) return;
    await this.#kept
      .send({ type: "answer", ref, verdict: reply.verdict, model: reply.model }, reply.payload)
      .catch(() => undefined);
  }

  #settle(ref: number, header: Settled | null, payload: Uint8Array): void {
    const waiting = this.#waiting.get(ref);
    this.#waiting.delete(ref);
    waiting?.settle(header, payload);
  }

  #down(): void {
    const program = this.#program;
    this.#program = null;
    program?.end();
    if (this.state !== "up") this.#silent += 1;
    for (const stopping of this.#questions.values()) stopping.abort();
    this.#questions.clear();
    for (const ref of this.#waiting.keys()) this.#settle(ref, null, new Uint8Array());
    if (this.state === "stopped" || this.state === "given-up") return;
    this.#become("waiting");
    if (this.#silent < MOST_SILENT) return;
    this.why = `it was started ${MOST_SILENT} times and never answered${this.why === null ? "" : `; the last time: ${this.why}`}`;
    this.#become("given-up");
    void this.#kept.stop();
  }

  /** It is not tried again before somebody asks for it. */
  #giveUp(): void {
    this.#become("given-up");
    void this.#kept.stop();
  }

  #become(state: McpProcess["state"]): void {
    if (this.state !== state) this.since = Date.now();
    this.state = state;
    if (state === "starting" || state === "waiting") return;
    for (const waiter of this.#waiters.splice(0)) waiter(state === "up");
  }

  /** @returns whether it is up, within so long. */
  async whenUp(milliseconds: number, signal?: AbortSignal): Promise<boolean> {
    if (this.state === "up") return true;
    if (this.state === "given-up" || this.state === "stopped" || signal?.aborted === true) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#waiters.push(resolve);
    const timer = setTimeout(() => resolve(false), milliseconds);
    const stop = (): void => resolve(false);
    signal?.addEventListener("abort", stop, { once: true });
    const up = await promise;
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
    return up;
  }

  /** @throws {McpServerError}. */
  async tools(): Promise<Listed<OfferedTool>> {
    return await this.#list("tools", OfferedTool);
  }
  async resources(): Promise<Listed<OfferedResource>> {
    return await this.#list("resources", OfferedResource);
  }
  async prompts(): Promise<Listed<OfferedPrompt>> {
    return await this.#list("prompts", OfferedPrompt);
  }

  async #list<T>(what: ListKind, form: z.ZodMiniType<T>): Promise<Listed<T>> {
    const ref = this.#next();
    const items: T[] = [];
    const { promise, resolve, reject } = Promise.withResolvers<Listed<T>>();
    const late = setTimeout(
      () => this.#kept.broke("it did not list what its server offers in time"),
      LIST_MS + GRACE_MS,
    );
    this.#waiting.set(ref, {
      page: (payload, last, left) => {
        const page = z.array(form).safeParse(jsonOf(payload));
        if (!page.success) {
          this.#kept.broke("it lists what is not of the form");
          return;
        }
        items.push(...page.data);
        if (!last) return;
        this.#waiting.delete(ref);
        resolve({ items, left });
      },
      settle: (header, payload) => reject(errorOf(header, payload)),
    });
    this.#kept.send({ type: "list", ref, what }).catch(() => this.#settle(ref, null, new Uint8Array()));
    try {
      return await promise;
    } finally {
      clearTimeout(late);
    }
  }

  /** Asks for something that is answered with text. @param asker who answers what the server asks meanwhile. */
  async ask(
    frame: (ref: number, timeoutMs: number) => Extract<ToMcp, { type: "call" | "read" | "prompt" }>,
    payload: Uint8Array,
    signal: AbortSignal,
    asker?: McpAsker,
  ): Promise<McpAnswer> {
    const timeoutMs = this.#parts.entry.limits.callSeconds * 1000;
    const ref = this.#next();
    const { promise, resolve } = Promise.withResolvers<McpAnswer>();
    const cancel = (): void => {
      void this.#kept.send({ type: "cancel", ref }).catch(() => undefined);
      // A stop waits for nobody.
      this.#waiting.delete(ref);
      resolve({ state: "stopped" });
    };
    const late = setTimeout(
      () => this.#kept.broke("it did not answer, nor say that there is no answer"),
      timeoutMs + GRACE_MS + (asker === undefined ? 0 : ASKING_MS),
    );
    this.#waiting.set(ref, {
      ...(asker === undefined ? {} : { asker }),
      settle: (header, answer) => {
        if (header?.type === "answered") resolve({ state: "answered", text: textOf(answer), error: header.error });
        else resolve(failedOf(header, answer));
      },
    });
    signal.addEventListener("abort", cancel, { once: true });
    if (signal.aborted) cancel();
    else this.#kept.send(frame(ref, timeoutMs), payload).catch(() => this.#settle(ref, null, new Uint8Array()));
    try {
      return await promise;
    } finally {
      clearTimeout(late);
      signal.removeEventListener("abort", cancel);
    }
  }

  /** Begins an authorization. @returns the address for its owner. @throws {McpServerError}. */
  async authorize(redirect: string, scope: string | null): Promise<string> {
    return textOf(await this.#exchange((ref) => ({ type: "authorize", ref, redirect, scope }), new Uint8Array()));
  }

  /** @param query of what came back. @throws {McpServerError}. */
  async finishAuthorization(query: string): Promise<void> {
    await this.#exchange((ref) => ({ type: "code", ref }), Buffer.from(query));
  }

  async #exchange(frame: (ref: number) => ToMcp, payload: Uint8Array): Promise<Uint8Array> {
    const ref = this.#next();
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const late = setTimeout(() => this.#kept.broke("it did not get on with an authorization in time"), LIST_MS);
    this.#waiting.set(ref, {
      settle: (header, answer) => {
        if (header?.type === "authorization" || header?.type === "tokens") resolve(answer);
        else reject(errorOf(header, answer));
      },
    });
    this.#kept.send(frame(ref), payload).catch(() => this.#settle(ref, null, new Uint8Array()));
    try {
      return await promise;
    } finally {
      clearTimeout(late);
    }
  }

  #next(): number {
    this.#ref += 1;
    return this.#ref;
  }

  async stop(): Promise<void> {
    this.#become("stopped");
    await this.#kept.stop();
    this.#program?.end();
    await this.#over;
  }
}

function textOf(payload: Uint8Array): string {
  return Buffer.from(payload).toString("utf8");
}

function jsonOf(payload: Uint8Array): unknown {
  try {
    return JSON.parse(textOf(payload));
  } catch {
    return null;
  }
}

function errorOf(header: Settled | null, payload: Uint8Array): McpServerError {
  if (header?.type === "failed") return new McpServerError(header.reason, textOf(payload));
  return new McpServerError("ended", "the server ended, or its process did");
}

/** What was refused here, or never left, had no effect. */
const NOT_ASKED: ReadonlySet<McpFailure> = new Set(["unknown-tool", "bad-arguments", "unauthorized", "host-needed"]);

function failedOf(header: Settled | null, payload: Uint8Array): McpAnswer {
  const { code, message } = errorOf(header, payload);
  if (code === "cancelled") return { state: "stopped" };
  if (code === "host-needed")
    return {
      state: "failed",
      sentence: `the server leads to ${message}, which is not on its list of hosts`,
      asked: false,
    };
  return { state: "failed", sentence: message, asked: !NOT_ASKED.has(code) && code !== "server-error" };
}
