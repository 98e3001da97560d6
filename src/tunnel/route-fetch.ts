import type { Socket } from "node:net";
import type { Dialler } from "./dialler.ts";

/** What an undici dispatcher's option `connect` is called with, of Node's own undici and of the package. */
interface ConnectOptions {
  readonly hostname: string;
  readonly protocol: string;
  readonly port: string;
  readonly servername?: string | null | undefined;
}
type ConnectCallback = (...answer: [error: null, socket: Socket] | [error: Error, socket: null]) => void;

/** The option `connect` of an undici dispatcher: its connections go through the tunnel. */
export function undiciConnect(dialler: Dialler): (options: ConnectOptions, callback: ConnectCallback) => void {
  return ({ hostname, protocol, port, servername }, callback) => {
    const tls = protocol === "https:" || protocol === "wss:";
    const place = {
      host: hostname,
      port: Number(port || (tls ? 443 : 80)),
      tls: tls ? {} : null,
      servername: servername ?? undefined,
    };
    dialler.dial(place, (error, socket) => {
      if (socket === null) callback(error ?? new Error("no connection"), null);
      // undici uses what a stream has, and leaves out what only a socket has where it is not there.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      else callback(null, socket as unknown as Socket);
    });
  };
}

/** Where undici, Node's own or the package, keeps the dispatcher of whoever names none; the second is for packages of version 7 and before. */
const DISPATCHER = Symbol.for("undici.globalDispatcher.2");
const OLDER_DISPATCHER = Symbol.for("undici.globalDispatcher.1");

/** Makes `fetch` use the tunnel from its first use on, and all of Node's HTTP client with it (`WebSocket`, `EventSource`).
 *
 *  Node loads that client when it is first used (30 ms, and 13 MB that an idle process does without), and only then is there a dispatcher to replace:
 *  so `fetch` stands behind a door that is gone after the first use. A `WebSocket` before that reaches nothing: call {@link routeClient} first. */
export function routeFetch(dialler: Dialler): void {
  const own = globalThis.fetch;
  let routed = false;
  // Whoever took hold of it before its first use goes on using this one.
  globalThis.fetch = async (...asked) => {
    if (!routed) {
      routed = true;
      globalThis.fetch = own;
      routeClient(dialler);
    }
    return await own(...asked);
  };
}

/** Makes Node's HTTP client (`fetch`, `WebSocket`, `EventSource`) use the tunnel. It loads that client.
 *  @throws {Error} if this Node keeps no dispatcher where it should: its own would reach nothing. */
export function routeClient(dialler: Dialler): void {
  // Asking for it loads the client, which sets up its own dispatcher.
  void globalThis.Headers;
  const agent = remade(DISPATCHER, { connect: undiciConnect(dialler), allowH2: false });
  Reflect.set(globalThis, OLDER_DISPATCHER, remade(OLDER_DISPATCHER, agent));
  Reflect.set(globalThis, DISPATCHER, agent);
  if (Reflect.get(globalThis, DISPATCHER) !== agent) throw new Error("the dispatcher of fetch cannot be replaced");
}

/** Another of the kind that stands there: Node exports the class nowhere. */
function remade(at: symbol, argument: object): object {
  const there: unknown = Reflect.get(globalThis, at);
  if (typeof there !== "object" || there === null) throw new Error("fetch has no dispatcher to replace");
  const made: unknown = Reflect.construct(there.constructor, [argument]);
  if (typeof made !== "object" || made === null) throw new Error("the dispatcher of fetch cannot be made anew");
  return made;
}
