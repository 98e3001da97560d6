import type { FactOf } from "../../audit/log.ts";
import { FromIngress, type ToIngress } from "../ipc/ingress-frames.ts";
import { VERSION } from "../ipc/build.ts";
import type { WebSessionId } from "../ipc/ids.ts";
import { FromWeb, ToWeb } from "../ipc/web-frames.ts";
import type { Caller, Emit } from "./operator.ts";
import { OperatorError } from "./operator-error.ts";
import type { OperatorCall } from "../ipc/operator.ts";
import type { JoinedPair, Processes } from "./processes.ts";
import { portHolder } from "./port-holder.ts";
import type { WebLogin } from "./web-login.ts";

export type AnswerCall = (
  call: OperatorCall,
  payload: Uint8Array,
  caller: Caller,
  emit: Emit,
  signal: AbortSignal,
) => Promise<object>;

/** The page: ingress and web, two processes joined by a lane that the supervisor does not hold. */
export class WebDoor {
  readonly #processes: Processes;
  readonly #login: WebLogin;
  readonly #answer: AnswerCall;
  readonly #port: number;
  readonly #back: (id: string, query: Uint8Array) => Promise<void>;
  #origin: string | null = null;
  #pair: JoinedPair<ToIngress, ToWeb> | null = null;
  readonly #running = new Map<number, AbortController>();

  /** @param parts.back a browser came back from logging in elsewhere. It throws an OperatorError where that came to nothing. */
  constructor(parts: {
    processes: Processes;
    login: WebLogin;
    answer: AnswerCall;
    port: number;
    back: (id: string, query: Uint8Array) => Promise<void>;
  }) {
    this.#processes = parts.processes;
    this.#login = parts.login;
    this.#answer = parts.answer;
    this.#port = parts.port;
    this.#back = parts.back;
  }

  get origin(): string | null {
    return this.#origin;
  }

  /** Serves the page. Resolves when it answers. @throws {OperatorError} when the port is taken: it says by whom. */
  async open(cause: number): Promise<void> {
    const serving = Promise.withResolvers<void>();
    this.#pair = this.#processes.joined<FromIngress, ToIngress, FromWeb, ToWeb>({
      first: {
        role: "ingress",
        accepts: FromIngress,
        stop: { type: "stop" },
        hear: (header) => this.#fromIngress(header, serving),
      },
      second: {
        role: "web",
        accepts: FromWeb,
        stop: { type: "stop" },
        hear: (header, payload) => this.#fromWeb(header, payload, serving),
      },
      cause,
      ready: () => {
        void this.#pair?.first({
          type: "start",
          port: this.#origin === null ? this.#port : Number(new URL(this.#origin).port),
        });
      },
      down: () => {
        for (const controller of this.#running.values()) controller.abort();
        this.#running.clear();
      },
      givenUp: (why) => serving.reject(new OperatorError("not-ready", `the page cannot be served: ${why}`)),
    });
    await serving.promise;
  }

  #fromIngress(header: FromIngress, serving: PromiseWithResolvers<void>): void {
    switch (header.type) {
      case "ready":
        return;
      case "listening":
        this.#origin = `http://127.0.0.1:${header.port}`;
        void this.#pair?.second({ type: "start", origin: this.#origin, version: VERSION });
        return;
      case "taken": {
        const holder = portHolder(header.port);
        const who = holder === null ? "another program" : holder;
        serving.reject(
          new OperatorError(
            "not-ready",
            `port ${header.port} on 127.0.0.1 is taken by ${who}`,
            "end that program, or set web.port in config.json (0 lets the system choose)",
          ),
        );
        return;
      }
    }
  }

  #fromWeb(header: FromWeb, payload: Uint8Array, serving: PromiseWithResolvers<void>): void {
    switch (header.type) {
      case "ready":
        return;
      case "serving":
        serving.resolve();
        return;
      case "login":
        void this.#logIn(header.ref, payload);
        return;
      case "logout":
        void this.#login
          .end({ digest: header.session }, "logout")
          .then(() => this.#say({ type: "answer", ref: header.ref }, Buffer.from("{}")));
        return;
      case "back":
        void this.#cameBack(header.ref, header.id, payload);
        return;
      case "cancel":
        this.#running.get(header.ref)?.abort();
        return;
      case "call":
        void this.#call(header.ref, header.session, header.call, payload);
        return;
    }
  }

  #say(header: ToWeb, payload?: Uint8Array): void {
    this.#pair?.second(ToWeb.parse(header), payload).catch(() => undefined);
  }

  async #cameBack(ref: number, id: string, query: Uint8Array): Promise<void> {
    try {
      await this.#back(id, query);
      this.#say({ type: "answer", ref }, Buffer.from("{}"));
    } catch (error) {
      this.#say({ type: "refused", ref, failure: OperatorError.failure(error) });
    }
  }

  async #logIn(ref: number, token: Uint8Array): Promise<void> {
    try {
      const answer = await this.#login.login(token);
      if (answer.state === "in") this.#say({ type: "login.done", ref, seconds: answer.seconds }, answer.cookie);
      else this.#say({ type: "login.refused", ref, reason: answer.state, seconds: answer.seconds });
    } catch (error) {
      this.#say({ type: "refused", ref, failure: OperatorError.failure(error) });
    }
  }

  async #call(ref: number, session: string, call: OperatorCall, payload: Uint8Array): Promise<void> {
    const controller = new AbortController();
    this.#running.set(ref, controller);
    try {
      const admitted = await this.#login.admit(session);
      if (admitted === null) {
        this.#say({ type: "unauthenticated", ref });
        return;
      }
      const value = await this.#answer(
        call,
        payload,
        { via: "web", browser: session },
        (event, piece) => this.#say({ type: "event", ref, event }, piece),
        controller.signal,
      );
      this.#say({ type: "answer", ref }, Buffer.from(JSON.stringify(value)));
    } catch (error) {
      this.#say({ type: "refused", ref, failure: OperatorError.failure(error) });
    } finally {
      this.#running.delete(ref);
    }
  }

  async close(): Promise<void> {
    await this.#pair?.stop();
  }

  /** Whoever is logged in is so no more. @returns the rows that say so. */
  endAll(): FactOf[] {
    return this.#login.takeAll();
  }

  /** A browser session is over: its streams are closed. */
  sessionEnded(digest: string): void {
    this.#say({ type: "session.ended", session: digest });
  }

  async link(via: "terminal" | "web"): Promise<{ link: string; until: string }> {
    if (this.#origin === null)
      throw new OperatorError("not-ready", "the page is not served yet", "try again in a moment");
    const { token, until } = await this.#login.link(via);
    return { link: `${this.#origin}/#login=${token}`, until: new Date(until).toISOString() };
  }

  sessions(browser: string | null): ReturnType<WebLogin["list"]> {
    return this.#login.list(browser);
  }
  async end(session: WebSessionId): Promise<boolean> {
    return await this.#login.end({ id: session }, "ended");
  }
}
