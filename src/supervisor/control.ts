import { randomBytes, timingSafeEqual } from "node:crypto";
import { chmodSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { FromCommand, type ToCommand } from "../ipc/control-frames.ts";
import { MAX_PAYLOAD_BYTES } from "../ipc/frame.ts";
import type { OperatorCall, OperatorEvent } from "../ipc/operator.ts";
import { Pipe } from "../ipc/pipe.ts";
import { OperatorError } from "./operator-error.ts";

/** Commands connected at once. */
const MAX_CONNECTIONS = 32;
/** A connection has this long for its first frame. */
const HELLO_MS = 5_000;
const TOKEN_BYTES = 32;

/** One call of the owner. `emit` is for what happens meanwhile; the signal fires when the caller goes away. */
export type Answerer = (
  call: OperatorCall,
  payload: Uint8Array,
  emit: (event: OperatorEvent, payload?: Uint8Array) => void,
  signal: AbortSignal,
) => Promise<object>;

/** Where commands of this user reach the daemon. Whoever can read `control.token` (0600, new at every start) may speak. */
export class ControlSocket implements AsyncDisposable {
  readonly #server: Server;
  readonly #path: string;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, path: string) {
    this.#server = server;
    this.#path = path;
  }

  /** Binds the socket. The caller holds the writer's lock, so a socket file that is there is nobody's. */
  static async open(options: {
    path: string;
    tokenFile: string;
    build: string;
    answer: Answerer;
  }): Promise<ControlSocket> {
    const token = randomBytes(TOKEN_BYTES);
    rmSync(options.tokenFile, { force: true });
    writeFileSync(options.tokenFile, token, { mode: 0o600, flag: "wx" });
    if (process.platform !== "win32") rmSync(options.path, { force: true });
    const server = createServer();
    const socket = new ControlSocket(server, options.path);
    server.maxConnections = MAX_CONNECTIONS;
    server.on("connection", (connection) => {
      socket.#sockets.add(connection);
      connection.on("close", () => socket.#sockets.delete(connection));
      serve(connection, token, options.build, options.answer);
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(options.path, resolve);
    });
    if (process.platform !== "win32") chmodSync(options.path, 0o600);
    return socket;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    for (const socket of this.#sockets) socket.end();
    setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, 500).unref();
    await closed;
    if (process.platform !== "win32") rmSync(this.#path, { force: true });
  }
}

function serve(connection: Socket, token: Uint8Array, build: string, answer: Answerer): void {
  let greeted = false;
  const running = new Map<number, AbortController>();
  const timer = setTimeout(() => connection.destroy(), HELLO_MS);
  const pipe: Pipe<FromCommand, ToCommand> = new Pipe<FromCommand, ToCommand>(connection, FromCommand, {
    frame(header, payload) {
      if (!greeted) {
        clearTimeout(timer);
        if (header.type !== "hello" || payload.length !== TOKEN_BYTES || !timingSafeEqual(payload, token)) {
          connection.destroy();
          return;
        }
        greeted = true;
        post({ type: "welcome", build, pid: process.pid });
        return;
      }
      switch (header.type) {
        case "hello":
          connection.destroy();
          return;
        case "cancel":
          running.get(header.ref)?.abort();
          return;
        case "call":
          void respond(header.ref, header.call, payload);
          return;
      }
    },
    end() {
      clearTimeout(timer);
      for (const controller of running.values()) controller.abort();
      connection.destroy();
    },
  });

  /** The command may have gone: then nobody waits for the frame. */
  function post(header: ToCommand, payload?: Uint8Array): void {
    pipe.send(header, payload).catch(() => undefined);
  }

  async function respond(ref: number, call: OperatorCall, payload: Uint8Array): Promise<void> {
    if (running.has(ref)) {
      connection.destroy();
      return;
    }
    const controller = new AbortController();
    running.set(ref, controller);
    try {
      const value = await answer(
        call,
        payload,
        (event, piece) => post({ type: "event", ref, event }, piece),
        controller.signal,
      );
      const told = Buffer.from(JSON.stringify(value));
      // A frame that cannot be sent is told: otherwise the command would wait for ever.
      if (told.length > MAX_PAYLOAD_BYTES) {
        const sentence = `the answer has ${told.length} bytes, and one answer holds ${MAX_PAYLOAD_BYTES}`;
        throw new OperatorError("not-ready", sentence, "ask for less at once");
      }
      post({ type: "answer", ref }, told);
    } catch (error) {
      post({ type: "refused", ref, failure: OperatorError.failure(error) });
    } finally {
      running.delete(ref);
      payload.fill(0);
    }
  }
}
