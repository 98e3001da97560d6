import type { Duplex } from "node:stream";
import { auth } from "@modelcontextprotocol/sdk/client/auth.js";
import { BUILD } from "../ipc/build.ts";
import { PROTOCOL } from "../ipc/frame-common.ts";
import { type FromMcp, TOKENS, ToMcp } from "../ipc/mcp-frames.ts";
import { ownPipe } from "../ipc/pipe.ts";
import { withoutSecret } from "../ipc/redaction.ts";
import { CallClock } from "./call-clock.ts";
import { failureOf } from "./failure.ts";
import { boundedFetch, httpTransports, wantedBy } from "./http.ts";
import { LineTransport } from "./line-transport.ts";
import { pagesOf } from "./lists.ts";
import { McpProcessError } from "./mcp-error.ts";
import { OwnAuth } from "./own-auth.ts";
import { type Answered, type Result, Session } from "./session.ts";

type Start = Extract<ToMcp, { type: "start" }>;
type Asking = Extract<ToMcp, { ref: number }>;

/** Questions of the server that wait at once; further ones are refused. */
const MAX_QUESTIONS = 8;
/** Frames of progress and of logging that are passed on in one second; the rest is dropped. */
const NEWS_A_SECOND = 20;
/** Of one line that a server logs, or says of its progress, in characters. */
const MAX_NEWS = 250;
/** What is left to be said before this process ends, in milliseconds. */
const LAST_WORDS_MS = 200;

/** Speaks to one server for the supervisor.
 *  @param server where it was started for us; null: it has a URL. */
export function runMcp(server: Duplex | null): void {
  const secrets = new Map<string, string>();
  const calls = new Map<number, CallClock>();
  const questions = new Map<number, (answer: Answered) => void>();
  let own: OwnAuth | null = null;
  let url: URL | null = null;
  let asked = 0;
  let news = 0;
  setInterval(() => (news = 0), 1_000).unref();

  const pipe = ownPipe<ToMcp, FromMcp>(ToMcp, {
    frame(frame, payload) {
      switch (frame.type) {
        case "stop":
          void session.close().finally(() => pipe.close());
          return;
        case "secret":
          secrets.set(frame.name, Buffer.from(payload).toString("utf8").trim());
          payload.fill(0);
          return;
        case "start":
          void begin(frame).catch((error: unknown) => over(error));
          return;
        case "cancel":
          calls.get(frame.ref)?.cancel();
          return;
        case "answer":
          questions.get(frame.ref)?.({ verdict: frame.verdict, model: frame.model, payload });
          questions.delete(frame.ref);
          return;
        default:
          void answer(frame, payload).catch((error: unknown) => failed(frame.ref, error));
      }
    },
    // The supervisor is gone: so is this process.
    end: () => process.exit(0),
  });
  const send = (frame: FromMcp, payload?: Uint8Array | string): void =>
    void pipe.send(frame, payload === undefined ? undefined : Buffer.from(payload)).catch(() => undefined);

  const session = new Session({
    changed: (what) => send({ type: "changed", what }),
    log: (level, text) => {
      if (++news <= NEWS_A_SECOND) send({ type: "log", level }, clean(text).slice(0, MAX_NEWS).toWellFormed());
    },
    asked: async ({ what, ask }, signal) => {
      if (questions.size >= MAX_QUESTIONS)
        throw new McpProcessError("other", "too many questions wait for an answer already");
      asked += 1;
      const ref = asked;
      const running = [...calls.keys()];
      // While a person is asked, no call's time goes by: whose question it is, the protocol does not say.
      const held = [...calls.values()].map((call) => call.hold());
      const answered = Promise.withResolvers<Answered>();
      questions.set(ref, answered.resolve);
      const withdraw = (): void => {
        if (!questions.delete(ref)) return;
        send({ type: "withdrawn", ref });
        answered.resolve({ verdict: "cancel", model: null, payload: new Uint8Array() });
      };
      signal.addEventListener("abort", withdraw, { once: true });
      send(
        { type: "asked", ref, what, during: running.length === 1 ? (running[0] ?? null) : null },
        JSON.stringify(ask),
      );
      try {
        return await answered.promise;
      } finally {
        signal.removeEventListener("abort", withdraw);
        for (const release of held) release();
      }
    },
    closed: (why) => over(why ?? new McpProcessError("ended", "the server ended, or closed the connection")),
  });

  async function begin({ url: at, headers, authorizing }: Start): Promise<void> {
    if (at === null) {
      if (server === null) throw new McpProcessError("other", "this process was started with no server");
      await connect([() => new LineTransport(server)]);
      return;
    }
    url = new URL(at);
    own = new OwnAuth(
      (kept) => void pipe.send({ type: "tokens", ref: exchanging }, kept, { wipe: true }).catch(() => undefined),
    );
    const before = secrets.get(TOKENS);
    if (before !== undefined && !authorizing) own.restore(Buffer.from(before));
    secrets.delete(TOKENS);
    if (authorizing) return;
    const carried = headers.map(
      ({ header, prefix, secret }) => [header, prefix + (secrets.get(secret) ?? "")] as const,
    );
    await connect(httpTransports({ url, headers: Object.fromEntries(carried), auth: own.authorized ? own : null }));
  }

  async function connect(transports: Parameters<Session["connect"]>[0]): Promise<void> {
    const { protocol, info, tools, resources, prompts } = await session.connect(transports);
    send({ type: "connected", protocol, tools, resources, prompts }, clean(JSON.stringify(info)));
  }

  async function answer(frame: Exclude<Asking, { type: "cancel" | "answer" }>, payload: Uint8Array): Promise<void> {
    const { ref } = frame;
    switch (frame.type) {
      case "list": {
        const { items, left } = await session.list(frame.what);
        const pages = pagesOf(items);
        for (const [index, page] of pages.entries()) {
          const last = index === pages.length - 1;
          await pipe.send({ type: "page", ref, last, left: last ? left : 0 }, Buffer.from(page));
        }
        return;
      }
      case "call":
        await timed(ref, frame.timeoutMs, (signal) =>
          session.call(frame.tool, frame.digest, payload, signal, ({ progress, total, message }) => {
            if (++news > NEWS_A_SECOND || !Number.isFinite(progress) || progress < 0) return;
            const of = total !== undefined && Number.isFinite(total) && total >= 0 ? total : null;
            send(
              { type: "progress", ref, done: progress, of },
              clean(message ?? "")
                .slice(0, MAX_NEWS)
                .toWellFormed(),
            );
          }),
        );
        return;
      case "read":
        await timed(ref, frame.timeoutMs, (signal) => session.read(Buffer.from(payload).toString("utf8"), signal));
        return;
      case "prompt":
        await timed(ref, frame.timeoutMs, (signal) => session.prompt(frame.name, payload, signal));
        return;
      case "authorize":
        await authorize(ref, frame.redirect, frame.scope);
        return;
      case "code":
        await exchange(ref, Buffer.from(payload).toString("utf8"));
        return;
    }
  }

  async function timed(
    ref: number,
    milliseconds: number,
    act: (signal: AbortSignal) => Promise<Result>,
  ): Promise<void> {
    using clock = new CallClock(milliseconds);
    calls.set(ref, clock);
    try {
      const { text, error } = await act(clock.signal);
      send({ type: "answered", ref, error }, clean(text));
    } catch (error) {
      if (clock.why === null) throw error;
      const seconds = Math.round(milliseconds / 1000);
      throw new McpProcessError(
        clock.why,
        clock.why === "timeout" ? `there was no answer within ${seconds} s` : "it was stopped",
        { cause: error },
      );
    } finally {
      calls.delete(ref);
    }
  }

  /** The `code` that is being exchanged: its tokens answer it. */
  let exchanging: number | null = null;

  async function authorize(ref: number, redirect: string, scope: string | null): Promise<void> {
    if (own === null || url === null) throw new McpProcessError("other", "only a server with a URL is authorized");
    own.begin(redirect, (address) => send({ type: "authorization", ref }, address.href));
    const wanted = await wantedBy(url);
    await auth(own, { serverUrl: url, fetchFn: boundedFetch, ...wanted, ...(scope === null ? {} : { scope }) });
  }

  async function exchange(ref: number, query: string): Promise<void> {
    if (own === null || url === null) throw new McpProcessError("other", "only a server with a URL is authorized");
    exchanging = ref;
    try {
      await auth(own, { serverUrl: url, authorizationCode: own.codeIn(query), fetchFn: boundedFetch });
    } finally {
      exchanging = null;
    }
  }

  /** A server may say what it was shown. */
  function clean(text: string): string {
    let words = text;
    for (const [name, secret] of secrets) words = withoutSecret(words, secret, `[${name}]`);
    return words;
  }

  function failed(ref: number | null, error: unknown): void {
    const [reason, sentence] = failureOf(error);
    // Calls that ran end with the connection: of what it ended tells more.
    const [better, told] = reason === "ended" && session.why !== null ? failureOf(session.why) : [reason, sentence];
    send({ type: "failed", ref, reason: better }, clean(told));
  }

  /** The connection is over, and this process with it: another one is started where that is of use. */
  function over(error: unknown): void {
    failed(null, error);
    setTimeout(() => pipe.close(), LAST_WORDS_MS);
  }

  send({ type: "ready", protocol: PROTOCOL, build: BUILD });
}
