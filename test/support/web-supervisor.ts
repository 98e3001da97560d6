import { createHash, randomBytes } from "node:crypto";
import { resolve } from "node:path";
import { NODE_FLAGS } from "../../src/confine/flags.ts";
import { FromIngress, type ToIngress } from "../../src/ipc/ingress-frames.ts";
import type { CallName, OperatorCall, OperatorEvent, OperatorFailure } from "../../src/ipc/operator.ts";
import { OPERATOR_ANSWERS } from "../../src/ipc/operator.ts";
import { FromWeb, type ToWeb } from "../../src/ipc/web-frames.ts";
import { type Child, type ChildExit, spawnJoinedPair } from "../../src/supervisor/child.ts";

const ROOT = resolve(import.meta.dirname, "../..");

/** What a scripted call ends with when it is not done. */
export class Refusal extends Error {
  readonly failure: OperatorFailure;
  constructor(code: OperatorFailure["code"], sentence: string, hint: string | null = null) {
    super(sentence);
    this.failure = { code, sentence, hint };
  }
}

export type Script = (call: OperatorCall, text: string) => object | Promise<object>;

interface Session {
  readonly digest: string;
}

function image(entry: string): { command: string; args: string[] } {
  return { command: process.execPath, args: [...NODE_FLAGS, resolve(ROOT, entry)] };
}

/** Real ingress and web processes, joined by their lane, with a test in the supervisor's place: it speaks the same frames and keeps the same
 *  rules of login. */
export class WebSupervisor implements AsyncDisposable {
  readonly ingress: Child<FromIngress, ToIngress>;
  readonly web: Child<FromWeb, ToWeb>;
  /** Calls that were let in, as they came. */
  readonly calls: { call: OperatorCall; text: string }[] = [];
  /** What the processes printed. */
  readonly lines: string[] = [];
  readonly ends: { web?: ChildExit; ingress?: ChildExit } = {};
  origin = "";
  /** Makes the secret of a new session. */
  secret: () => string = () => randomBytes(32).toString("base64url");
  /** Seconds that login is locked for. */
  locked = 0;
  script: Script;
  readonly #tokens = new Set<string>();
  readonly #sessions = new Map<string, Session>();
  readonly #watches = new Map<number, string>();
  readonly #version: string;

  private constructor(script: Script, version: string, sessions: ReadonlyMap<string, Session>) {
    this.script = script;
    this.#version = version;
    for (const [digest, session] of sessions) this.#sessions.set(digest, session);
    const log = (line: string) => this.lines.push(line);
    const { first, second } = spawnJoinedPair<FromIngress, ToIngress, FromWeb, ToWeb>(
      {
        role: "ingress",
        accepts: FromIngress,
        image: image("src/ingress/main.ts"),
        log,
        stop: { type: "stop" },
        on: {
          frame: (frame, payload) => this.#fromIngress(frame, payload),
          exit: (exit) => {
            this.ends.ingress = exit;
          },
        },
      },
      {
        role: "web",
        accepts: FromWeb,
        image: image("src/web/main.ts"),
        log,
        stop: { type: "stop" },
        on: {
          frame: (frame, payload) => this.#fromWeb(frame, payload),
          exit: (exit) => {
            this.ends.web = exit;
            this.#ready.reject(new Error(`web ended: ${this.lines.join("\n")}`));
          },
        },
      },
    );
    this.ingress = first;
    this.web = second;
    this.#ready.promise.catch(() => undefined);
  }

  readonly #ready = Promise.withResolvers<void>();
  #taken: string | null = null;

  /** @param options.port 0 lets the system choose. @param options.after one whose sessions are good here too. @throws if the port is taken. */
  static async start(
    script: Script,
    options: { port?: number; version?: string; after?: WebSupervisor } = {},
  ): Promise<WebSupervisor> {
    const supervisor = new WebSupervisor(
      script,
      options.version ?? "1.2.3",
      options.after === undefined ? new Map() : options.after.#sessions,
    );
    await supervisor.ingress.send({ type: "start", port: options.port ?? 0 });
    try {
      await supervisor.#ready.promise;
    } catch (error) {
      await supervisor[Symbol.asyncDispose]();
      throw error;
    }
    return supervisor;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.ingress.stop(), this.web.stop()]);
  }

  get taken(): string | null {
    return this.#taken;
  }

  /** As if it had just started: nothing was called, nobody is logged in or listens. */
  renew(script: Script): void {
    this.endSessions();
    this.#watches.clear();
    this.#tokens.clear();
    this.calls.length = 0;
    this.lines.length = 0;
    this.locked = 0;
    this.script = script;
  }

  /** @returns a link that works once. */
  link(): string {
    const token = randomBytes(32).toString("base64url");
    this.#tokens.add(token);
    return `${this.origin}/#login=${token}`;
  }

  token(): string {
    return this.link().split("=")[1] ?? "";
  }

  /** Tells every page that watches. */
  emit(event: OperatorEvent, text = ""): void {
    for (const ref of this.#watches.keys()) void this.web.send({ type: "event", ref, event }, Buffer.from(text));
  }

  /** A piece of a reply, as bytes: it may end inside a character. */
  emitBytes(bytes: Uint8Array): void {
    for (const ref of this.#watches.keys()) void this.web.send({ type: "event", ref, event: { event: "text" } }, bytes);
  }

  get watching(): number {
    return this.#watches.size;
  }

  endSessions(): void {
    for (const session of this.#sessions.keys()) {
      this.#sessions.delete(session);
      void this.web.send({ type: "session.ended", session });
    }
  }

  #fromIngress(frame: FromIngress, payload: Uint8Array): void {
    if (frame.type === "listening") {
      this.origin = `http://127.0.0.1:${frame.port}`;
      void this.web.send({ type: "start", origin: this.origin, version: this.#version });
    } else if (frame.type === "taken") {
      this.#taken = Buffer.from(payload).toString();
      this.#ready.reject(new Error(`taken: ${this.#taken}`));
    }
  }

  #fromWeb(frame: FromWeb, payload: Uint8Array): void {
    switch (frame.type) {
      case "ready":
        return;
      case "serving":
        this.#ready.resolve();
        return;
      case "login":
        this.#login(frame.ref, Buffer.from(payload).toString());
        return;
      case "logout":
        this.#sessions.delete(frame.session);
        void this.web.send({ type: "answer", ref: frame.ref }, Buffer.from("{}"));
        return;
      case "back":
        // Nobody logs in anywhere else here.
        void this.web.send({
          type: "refused",
          ref: frame.ref,
          failure: { code: "not-found", sentence: "nobody waits for that", hint: null },
        });
        return;
      case "cancel":
        this.#watches.delete(frame.ref);
        return;
      case "call":
        void this.#call(frame.ref, frame.session, frame.call, Buffer.from(payload).toString());
        return;
    }
  }

  #login(ref: number, token: string): void {
    if (this.locked > 0) {
      void this.web.send({ type: "login.refused", ref, reason: "locked", seconds: this.locked });
      return;
    }
    if (!this.#tokens.delete(token)) {
      void this.web.send({ type: "login.refused", ref, reason: "bad-token", seconds: 0 });
      return;
    }
    const secret = Buffer.from(this.secret());
    const digest = createHash("sha256").update(secret).digest("hex");
    this.#sessions.set(digest, { digest });
    void this.web.send({ type: "login.done", ref, seconds: 604_800 }, secret);
  }

  async #call(ref: number, session: string, call: OperatorCall, text: string): Promise<void> {
    if (!this.#sessions.has(session)) {
      await this.web.send({ type: "unauthenticated", ref });
      return;
    }
    this.calls.push({ call, text });
    if (call.call === "watch") {
      this.#watches.set(ref, session);
      return;
    }
    try {
      const value = await this.script(call, text);
      // What a script gets wrong is a fault of the test.
      const answer = checked(call.call, value);
      await this.web.send({ type: "answer", ref }, Buffer.from(JSON.stringify(answer)));
    } catch (error) {
      const failure = error instanceof Refusal ? error.failure : bug(error);
      await this.web.send({ type: "refused", ref, failure });
    }
  }
}

function checked(call: CallName, value: object): object {
  return OPERATOR_ANSWERS[call].parse(value);
}

function bug(error: unknown): OperatorFailure {
  return { code: "bug", sentence: `the test's script failed: ${String(error)}`.slice(0, 2000), hint: null };
}
