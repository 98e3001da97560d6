import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { z } from "zod/mini";

/** Discord's gateway, version 10 in JSON, as far as one shard sees it: sessions with numbered dispatches that are kept until they are resumed.
 *  @see https://docs.discord.com/developers/events/gateway */

const Op = { dispatch: 0, heartbeat: 1, identify: 2, resume: 6, reconnect: 7, invalid: 9, hello: 10, ack: 11 } as const;

const Identify = z.strictObject({
  token: z.string(),
  intents: z.int().check(z.gte(0)),
  properties: z.strictObject({ os: z.string(), browser: z.string(), device: z.string() }),
  shard: z.tuple([z.literal(0), z.literal(1)]),
  compress: z.optional(z.literal(false)),
});
const Resume = z.strictObject({ token: z.string(), session_id: z.string(), seq: z.int().check(z.gte(0)) });
const Said = z.discriminatedUnion("op", [
  z.strictObject({ op: z.literal(Op.heartbeat), d: z.nullable(z.int().check(z.gte(0))) }),
  z.strictObject({ op: z.literal(Op.identify), d: Identify }),
  z.strictObject({ op: z.literal(Op.resume), d: Resume }),
]);
type Said = z.infer<typeof Said>;

/** Intents that exist; `MESSAGE_CONTENT` among them is for whom it was switched on for. */
const KNOWN_INTENTS = (1 << 26) - 1;
const MESSAGE_CONTENT = 1 << 15;

interface Session {
  readonly id: string;
  readonly log: { readonly s: number; readonly t: string; readonly d: object }[];
  line: WebSocket | null;
  /** What the last RESUME and heartbeat said was received. */
  received: number;
}

export interface GatewaySettings {
  readonly token: () => string;
  readonly mayReadContent: () => boolean;
  /** The address that a session goes on at. */
  readonly resumeUrl: () => string;
  readonly ready: () => object;
  /** Milliseconds between heartbeats. */
  readonly heartbeatMs: number;
}

export class Gateway {
  readonly #server = new WebSocketServer({ noServer: true });
  readonly #settings: GatewaySettings;
  readonly #sessions: Session[] = [];
  readonly #lines = new Set<WebSocket>();
  /** What was asked of each line, by name, in order. */
  readonly asked: string[] = [];
  /** The code that the next line is closed with instead of an answer to who it is. */
  closing: number | null = null;
  /** Whether heartbeats are answered. */
  answers = true;
  /** New sessions that are left today. */
  left = 1_000;
  #serial = 0;

  constructor(settings: GatewaySettings) {
    this.#settings = settings;
  }

  get lines(): number {
    return this.#lines.size;
  }

  /** The number that the newest session said last that it has received. */
  get received(): number {
    return this.#sessions.at(-1)?.received ?? 0;
  }

  get dispatched(): number {
    return this.#sessions.at(-1)?.log.length ?? 0;
  }

  /** What people did that the newest session did not say it has received. */
  get waiting(): number {
    const { log, received } = this.#sessions.at(-1) ?? { log: [], received: 0 };
    return log.filter(({ s, t }) => s > received && /^(MESSAGE|INTERACTION)_/.test(t)).length;
  }

  /** Tells once more what somebody wrote last. */
  repeat(): void {
    const last = this.#sessions.at(-1)?.log.findLast(({ t }) => t === "MESSAGE_CREATE");
    if (last !== undefined) this.dispatch(last.t, last.d);
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { searchParams } = new URL(request.url ?? "", "ws://discord");
    if (searchParams.get("v") !== "10" || searchParams.get("encoding") !== "json") {
      socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (line) => this.#greet(line));
  }

  #greet(line: WebSocket): void {
    this.#lines.add(line);
    line.on("close", () => {
      this.#lines.delete(line);
      for (const session of this.#sessions) if (session.line === line) session.line = null;
    });
    line.on("error", () => undefined);
    line.on("message", (data) => this.#hear(line, z.instanceof(Buffer).parse(data).toString("utf8")));
    send(line, { op: Op.hello, d: { heartbeat_interval: this.#settings.heartbeatMs } });
  }

  #hear(line: WebSocket, text: string): void {
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch {
      line.close(4_002, "Error while decoding payload.");
      return;
    }
    const said = Said.safeParse(parsed);
    if (!said.success) {
      this.asked.push(`strange: ${text}`);
      line.close(4_001, "Unknown opcode.");
      return;
    }
    this.#answer(line, said.data);
  }

  #answer(line: WebSocket, said: Said): void {
    const mine = this.#sessions.find((one) => one.line === line);
    if (said.op === Op.heartbeat) {
      this.asked.push("heartbeat");
      if (mine !== undefined) mine.received = said.d ?? 0;
      if (this.answers) send(line, { op: Op.ack });
      return;
    }
    this.asked.push(said.op === Op.identify ? "identify" : `resume ${said.d.seq}`);
    if (this.closing !== null) {
      line.close(this.closing);
      this.closing = null;
    } else if (mine !== undefined) line.close(4_005, "Already authenticated.");
    else if (said.d.token !== this.#settings.token()) line.close(4_004, "Authentication failed.");
    else if (said.op === Op.identify) this.#identify(line, said.d.intents);
    else this.#resume(line, said.d);
  }

  #identify(line: WebSocket, intents: number): void {
    if ((intents & ~KNOWN_INTENTS) !== 0) return line.close(4_013, "Invalid intent(s).");
    if ((intents & MESSAGE_CONTENT) !== 0 && !this.#settings.mayReadContent())
      return line.close(4_014, "Disallowed intent(s).");
    this.left -= 1;
    this.#serial += 1;
    const session: Session = { id: `session-${this.#serial}`, log: [], line, received: 0 };
    this.#sessions.push(session);
    this.#dispatch(session, "READY", {
      v: 10,
      session_id: session.id,
      resume_gateway_url: this.#settings.resumeUrl(),
      session_type: "normal",
      shard: [0, 1],
      ...this.#settings.ready(),
    });
  }

  #resume(line: WebSocket, { session_id: id, seq }: z.infer<typeof Resume>): void {
    const session = this.#sessions.find((one) => one.id === id);
    if (session === undefined) return send(line, { op: Op.invalid, d: false });
    if (seq > session.log.length) return line.close(4_007, "Invalid seq.");
    session.line?.terminate();
    session.line = line;
    session.received = seq;
    for (const { s, t, d } of session.log) if (s > seq) send(line, { op: Op.dispatch, s, t, d });
    this.#dispatch(session, "RESUMED", { _trace: [] });
  }

  #dispatch(session: Session, t: string, d: object): void {
    const s = session.log.length + 1;
    session.log.push({ s, t, d });
    if (session.line !== null) send(session.line, { op: Op.dispatch, s, t, d });
  }

  /** Something happens: every session is told, whether somebody listens or not. */
  dispatch(name: string, data: object): void {
    for (const session of this.#sessions) this.#dispatch(session, name, data);
  }

  /** Sends raw text down every line. */
  raw(text: string): void {
    for (const line of this.#lines) line.send(text);
  }

  /** Discord forgets every session: whoever goes on is told so. */
  forget(): void {
    this.#sessions.length = 0;
  }

  /** Discord moves its lines: it asks to connect again. */
  move(): void {
    for (const line of this.#lines) send(line, { op: Op.reconnect, d: null });
  }

  close(code: number): void {
    for (const line of this.#lines) line.close(code);
  }

  /** Ends every line without a word. */
  cut(): void {
    for (const line of this.#lines) line.terminate();
  }

  /** Somebody else begins a session with this token. */
  elsewhere(): void {
    this.left -= 1;
  }
}

function send(line: WebSocket, payload: object): void {
  line.send(JSON.stringify({ s: null, t: null, ...payload }));
}
