import { readFileSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { controlSocketPath, type Home } from "../config/home.ts";
import { BUILD } from "../ipc/build.ts";
import { type FromCommand, ToCommand } from "../ipc/control-frames.ts";
import { PROTOCOL } from "../ipc/frame-common.ts";
import type { AnswerTo, CallName } from "../ipc/operator.ts";
import { Pipe } from "../ipc/pipe.ts";
import { closeNetwork } from "../supervisor/own-walls.ts";
import { CommandError } from "./command-error.ts";
import { EXIT } from "./exit-status.ts";
import { type CallOf, type CallOptions, type OperatorPort, parseAnswer } from "./operator-port.ts";

/** A daemon that is there says so within this time. */
const WELCOME_MS = 5_000;

interface Waiting {
  readonly options: CallOptions;
  readonly answered: (payload: Uint8Array) => void;
  readonly failed: (error: Error) => void;
}

/** Says whether a daemon of that build may be given this call. @throws {CommandError} if not: then nothing is sent. */
export type CallGate = (call: CallName, build: string) => void;

/** A command's line to the daemon of one data directory. */
export class Connection implements OperatorPort {
  readonly #socket: Socket;
  readonly #gate: CallGate;
  readonly #pipe: Pipe<ToCommand, FromCommand>;
  readonly #waiting = new Map<number, Waiting>();
  readonly #welcomed = Promise.withResolvers<{ build: string; pid: number }>();
  readonly #ended = Promise.withResolvers<void>();
  #lastRef = 0;
  #closing = false;
  daemon: { readonly build: string; readonly pid: number } = { build: "", pid: 0 };

  private constructor(socket: Socket, gate: CallGate) {
    this.#socket = socket;
    this.#gate = gate;
    // A caller that never asks for the welcome is no reason to end the process.
    this.#welcomed.promise.catch(() => undefined);
    this.#pipe = new Pipe<ToCommand, FromCommand>(
      socket,
      ToCommand,
      { frame: (frame, payload) => this.#heard(frame, payload), end: () => this.#end() },
      { flood: "trusted" },
    );
  }

  /** @returns null when no daemon listens.
   *  @throws {CommandError} when one is there and does not let us in. */
  static async open(home: Home, environment: NodeJS.ProcessEnv, gate: CallGate): Promise<Connection | null> {
    const socket = await dial(controlSocketPath(home, environment));
    // A command speaks to its daemon and to nobody else.
    closeNetwork();
    if (socket === null) return null;
    const connection = new Connection(socket, gate);
    try {
      const token = readFileSync(home.token);
      await connection.#pipe.send({ type: "hello", protocol: PROTOCOL, build: BUILD }, token, { wipe: true });
      connection.daemon = await connection.#welcome();
    } catch (error) {
      socket.destroy();
      if (error instanceof CommandError) throw error;
      throw new CommandError(
        EXIT.notReady,
        `the daemon does not let this command in: ${reason(error)}`,
        hintFor(home),
        {
          cause: error,
        },
      );
    }
    return connection;
  }

  async #welcome(): Promise<{ build: string; pid: number }> {
    const late = setTimeout(() => this.#welcomed.reject(new Error("it did not answer in time")), WELCOME_MS);
    try {
      return await this.#welcomed.promise;
    } finally {
      clearTimeout(late);
    }
  }

  /** Resolves when the daemon has closed the line. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  async call<C extends CallName>(call: CallOf<C>, options: CallOptions = {}): Promise<AnswerTo<C>> {
    try {
      this.#gate(call.call, this.daemon.build);
    } catch (error) {
      options.payload?.fill(0);
      throw error;
    }
    const ref = ++this.#lastRef;
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    // A refusal may come while the call itself is still being written, when nobody waits for it yet.
    promise.catch(() => undefined);
    this.#waiting.set(ref, { options, answered: resolve, failed: reject });
    const cancel = (): void => void this.#pipe.send({ type: "cancel", ref }).catch(() => undefined);
    try {
      await this.#pipe.send({ type: "call", ref, call }, options.payload, { wipe: true });
      if (options.signal?.aborted === true) cancel();
      else options.signal?.addEventListener("abort", cancel, { once: true });
      const payload = await promise;
      const value: unknown = JSON.parse(new TextDecoder().decode(payload));
      return parseAnswer<C>(call.call, value);
    } finally {
      options.signal?.removeEventListener("abort", cancel);
      this.#waiting.delete(ref);
    }
  }

  #heard(frame: ToCommand, payload: Uint8Array): void {
    switch (frame.type) {
      case "welcome":
        this.#welcomed.resolve({ build: frame.build, pid: frame.pid });
        return;
      case "event":
        this.#waiting.get(frame.ref)?.options.onEvent?.(frame.event, payload);
        return;
      case "answer":
        this.#waiting.get(frame.ref)?.answered(payload);
        return;
      case "refused":
        this.#waiting.get(frame.ref)?.failed(CommandError.from(frame.failure));
        return;
    }
  }

  #end(): void {
    const gone = new CommandError(EXIT.notReady, "the daemon went away before it had answered", "see its own terminal");
    this.#welcomed.reject(gone);
    if (!this.#closing) for (const { failed } of this.#waiting.values()) failed(gone);
    this.#ended.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing = true;
    this.#pipe.close();
    this.#socket.destroy();
    await this.#ended.promise;
  }
}

/** @returns null when nobody listens there. */
async function dial(path: string): Promise<Socket | null> {
  const socket = createConnection(path);
  const { promise, resolve, reject } = Promise.withResolvers<Socket | null>();
  const failed = (error: Error): void => {
    const code = "code" in error ? error.code : "";
    if (code === "ENOENT" || code === "ECONNREFUSED") resolve(null);
    else
      reject(
        new CommandError(EXIT.notReady, `cannot reach the daemon at ${path} (${String(code)})`, null, { cause: error }),
      );
  };
  socket.once("error", failed);
  socket.once("connect", () => {
    socket.off("error", failed);
    resolve(socket);
  });
  return await promise;
}

function reason(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "ENOENT") return "its token is missing";
  if (code === "EACCES" || code === "EPERM") return "its token cannot be read";
  return error instanceof Error ? error.message : String(error);
}

function hintFor(home: Home): string {
  return `only the user who owns ${home.root} can use it; else stop the daemon and start it again`;
}
