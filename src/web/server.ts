import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import * as z from "zod/mini";
import { OperatorCall, type OperatorFailure } from "../ipc/operator.ts";
import { PAGE_CALLS } from "../ipc/page-calls.ts";
import { sendBytes, sendFailure, sendJson, sendSentence } from "./answer.ts";
import { COOKIE, KEY_HEADER, type LoginAnswer } from "./api.ts";
import type { PageAssets } from "./assets.ts";
import { readJson } from "./body.ts";
import type { Calls, Outcome } from "./calls.ts";
import type { EventStreams } from "./event-streams.ts";
import { type CameBack, gate, type Path } from "./gate.ts";
import { cut, digestOfHalves } from "./halves.ts";

// The page is told in sentences what is wrong with a request.
z.config(z.locales.en());

const MAX_HEADERS = 16_384;
const HEADERS_MS = 10_000;
const REQUEST_MS = 30_000;
const KEEP_ALIVE_MS = 30_000;
/** A turn can take minutes: what is said is answered when its turn runs, or after this long; the rest comes as events. */
const SAY_ACCEPTED_MS = 1500;

const LoginBody = z.strictObject({ token: z.string().check(z.minLength(1), z.maxLength(256)) });
const CallBody = z.strictObject({ call: OperatorCall, text: z.optional(z.string().check(z.minLength(1))) });

const NO_SESSION: OperatorFailure = {
  code: "not-ready",
  sentence: "This browser is not logged in, or its session has ended.",
  hint: "type `wirken web` in a terminal and open the link it prints",
};

export interface Site {
  /** `http://127.0.0.1:port` */
  readonly origin: string;
  readonly page: PageAssets;
  readonly calls: Calls;
  readonly streams: EventStreams;
}

/** The server is given its connections (`server.emit("connection", stream)`): it opens no socket. */
export function serve(site: Site): Server {
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADERS,
      headersTimeout: HEADERS_MS,
      requestTimeout: REQUEST_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: 1000,
      requireHostHeader: false, // the gate says it better
    },
    (request, response) => {
      handle(site, request, response).catch((error: unknown) => {
        // Its answer broke off. (A request that broke off has nobody to answer.)
        if (response.headersSent) response.destroy();
        else sendFailure(response, { code: "bug", sentence: `the page's server failed: ${nameOf(error)}`, hint: null });
      });
    },
  );
  // The two limits on slow requests are kept by a timer that starts when a server listens; this one only hears of connections.
  server.emit("listening");
  return server;
}

async function handle(site: Site, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const admitted = gate(request, site.origin);
  if ("back" in admitted) return await cameBack(site, admitted.back, response);
  if (!("pass" in admitted)) {
    refuseAtGate(request, response, admitted);
    return;
  }
  const path = admitted.pass;
  switch (path) {
    case "/":
    case "/style.css":
    case "/main.js":
      sendBytes(response, 200, site.page[path].type, site.page[path].bytes);
      return;
    case "/api/login":
      return await login(site, request, response);
    case "/api/logout":
    case "/api/call":
    case "/api/events":
      return await withSession(site, path, request, response);
  }
}

function refuseAtGate(
  request: IncomingMessage,
  response: ServerResponse,
  refusal: { status: number; sentence: string; allow?: string },
): void {
  request.resume(); // what is still coming is not read, and must not tear the answer
  sendSentence(response, refusal.status, refusal.sentence, {
    connection: "close",
    ...(refusal.allow === undefined ? {} : { allow: refusal.allow }),
  });
}

/** Whoever waits for it is told; this window is done with. */
async function cameBack(site: Site, back: CameBack, response: ServerResponse): Promise<void> {
  const outcome = await site.calls.back(back.id, Buffer.from(back.query));
  const [status, sentence] =
    outcome.state === "refused"
      ? ([403, outcome.failure.sentence] as const)
      : ([200, "Done: you can close this window."] as const);
  sendSentence(response, status, sentence);
}

async function login(site: Site, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await bodyOf(request, response, LoginBody);
  if (body === null) return;
  const outcome = await site.calls.login(body.token);
  switch (outcome.state) {
    case "done": {
      const halves = cut(outcome.secret);
      if (halves === null) throw new TypeError("the supervisor's secret is not 32 bytes");
      const answer: LoginAnswer = { key: halves.key };
      sendJson(response, 200, answer, { "set-cookie": cookie(halves.cookie, outcome.seconds) });
      return;
    }
    case "bad-token": {
      const sentence = "This link does not work: a link works once, for two minutes.";
      sendFailure(response, { code: "refused", sentence, hint: "type `wirken web` for a fresh one" }, 401);
      return;
    }
    case "locked": {
      const minutes = Math.max(1, Math.ceil(outcome.seconds / 60));
      const sentence = `Logging in is closed for ${minutes} ${minutes === 1 ? "minute" : "minutes"}: too many links that did not work were tried.`;
      const hint = "sessions that are logged in go on; the terminal works as ever";
      sendFailure(response, { code: "refused", sentence, hint }, 429, {
        "retry-after": String(Math.max(1, outcome.seconds)),
      });
      return;
    }
    case "refused":
      sendFailure(response, outcome.failure);
  }
}

async function withSession(
  site: Site,
  path: Extract<Path, "/api/logout" | "/api/call" | "/api/events">,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const session = sessionOf(request);
  if (session === null) {
    request.resume();
    sendFailure(response, NO_SESSION, 401);
    return;
  }
  switch (path) {
    case "/api/events":
      if (!site.streams.open(session, response))
        sendFailure(response, {
          code: "not-ready",
          sentence: "Too many tabs of this page are open.",
          hint: "close some",
        });
      return;
    case "/api/logout":
      request.resume();
      await site.calls.logout(session);
      sendJson(response, 200, {}, { "set-cookie": cookie("", 0) });
      return;
    case "/api/call":
      return await call(site, session, request, response);
  }
}

async function call(site: Site, session: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await bodyOf(request, response, CallBody);
  if (body === null) return;
  const { call: asked, text } = body;
  if (!PAGE_CALLS.has(asked.call)) {
    sendFailure(response, {
      code: "refused",
      sentence: `${asked.call} is done on the terminal, not on this page.`,
      hint: null,
    });
    return;
  }
  if ((asked.call === "say") !== (text !== undefined)) {
    sendFailure(response, { code: "usage", sentence: "A text is what `say` has, and nothing else.", hint: null });
    return;
  }
  if (asked.call === "say") await say(site, session, asked, text ?? "", response);
  else sendOutcome(response, await site.calls.call(session, asked).outcome);
}

async function say(
  site: Site,
  session: string,
  asked: OperatorCall,
  text: string,
  response: ServerResponse,
): Promise<void> {
  const early = Promise.withResolvers<"accepted">();
  const accept = () => early.resolve("accepted");
  const timer = setTimeout(accept, SAY_ACCEPTED_MS);
  // Its turn goes on when this page is closed: it is never cancelled.
  const { outcome } = site.calls.call(session, asked, Buffer.from(text), accept);
  const first = await Promise.race([outcome, early.promise]);
  clearTimeout(timer);
  if (first === "accepted") {
    sendJson(response, 202, { accepted: true });
    const late = await outcome;
    if (late.state === "refused") site.streams.refuse(session, late.failure);
  } else if (first.state === "answer") {
    sendJson(response, 202, { accepted: true });
  } else {
    sendOutcome(response, first);
  }
}

function sendOutcome(response: ServerResponse, outcome: Outcome): void {
  switch (outcome.state) {
    case "answer":
      sendBytes(response, 200, "application/json", outcome.json);
      return;
    case "refused":
      sendFailure(response, outcome.failure);
      return;
    case "unauthenticated":
      sendFailure(response, NO_SESSION, 401);
  }
}

/** @returns null when the request was answered with what is wrong with its body. */
async function bodyOf<T>(
  request: IncomingMessage,
  response: ServerResponse,
  schema: z.ZodMiniType<T>,
): Promise<T | null> {
  const body = await readJson(request);
  if (body.state === "bad") {
    request.resume();
    sendFailure(response, { code: "usage", sentence: body.sentence, hint: null }, body.status, { connection: "close" });
    return null;
  }
  const parsed = schema.safeParse(body.value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue === undefined ? "" : ` (${issue.path.map(String).join(".")}: ${issue.message})`;
  sendFailure(response, { code: "usage", sentence: `This page cannot ask that${where}.`.slice(0, 500), hint: null });
  return null;
}

function sessionOf(request: IncomingMessage): string | null {
  const key = request.headers[KEY_HEADER];
  const halves = (request.headers.cookie ?? "").split(/; */).filter((pair) => pair.startsWith(`${COOKIE}=`));
  const [half] = halves;
  if (typeof key !== "string" || half === undefined || halves.length !== 1) return null;
  return digestOfHalves(half.slice(COOKIE.length + 1), key);
}

function cookie(value: string, seconds: number): string {
  return `${COOKIE}=${value}; HttpOnly; SameSite=Strict; Path=/; Max-Age=${seconds}`;
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : "unknown error";
}
