import { isIP } from "node:net";
import type { ConnectionOptions, TLSSocket } from "node:tls";
import { TunnelError } from "./tunnel-error.ts";
import type { Tunnel } from "./tunnel.ts";
import type { TunnelSocket } from "./tunnel-socket.ts";

/** From the open connection to the end of the TLS handshake. */
const HANDSHAKE_MS = 20_000;
/** Hosts whose last TLS session is kept: a process talks to a handful. */
const MAX_SESSIONS = 16;

export interface Place {
  readonly host: string;
  readonly port: number;
  /** null: none. Else what the caller wants of it beside our own options. */
  readonly tls: ConnectionOptions | null;
  /** For whom the certificate must be, where that is not `host`. */
  readonly servername?: string | undefined;
}

type Connected = (error: Error | null, socket: TLSSocket | TunnelSocket | null) => void;

/** Opens connections through a tunnel, with TLS to the far end where that is asked for: egress sees none of what is said. */
export class Dialler {
  readonly #tunnel: Tunnel;
  readonly #sessions = new Map<string, Buffer>();

  constructor(tunnel: Tunnel) {
    this.#tunnel = tunnel;
  }

  /** @param connected is called once: with the connection, ready for use, or with why there is none. */
  dial(place: Place, connected: Connected): void {
    const raw = this.#tunnel.connect(place.host, place.port);
    const failed = (error: Error): void => connected(error, null);
    raw.once("error", failed);
    raw.once("connect", () => {
      raw.off("error", failed);
      if (place.tls === null) connected(null, raw);
      else this.#secure(raw, place, connected);
    });
  }

  #secure(raw: TunnelSocket, { host, port, servername, tls }: Place, connected: Connected): void {
    const name = servername ?? host;
    const key = `${name}:${port}`;
    const session = this.#sessions.get(key);
    const socket = process.getBuiltinModule("node:tls").connect({
      ...tls,
      socket: raw,
      host,
      servername: isIP(name) === 0 ? name : "",
      ALPNProtocols: ["http/1.1"],
      ...(session === undefined ? {} : { session }),
    });
    // Node says some errors twice: nobody may be listening any more then.
    socket.on("error", () => undefined);
    raw.on("error", (error) => socket.destroy(error));
    const late = setTimeout(() => socket.destroy(new TunnelError("timeout", { host, port }, "", false)), HANDSHAKE_MS);
    const failed = (error: Error): void => {
      clearTimeout(late);
      this.#sessions.delete(key);
      // Why the way ended is the better reason.
      connected(raw.errored ?? error, null);
    };
    socket.once("error", failed);
    socket.on("session", (ticket) => this.#keep(key, ticket));
    socket.once("secureConnect", () => {
      clearTimeout(late);
      socket.off("error", failed);
      connected(null, socket);
    });
  }

  #keep(key: string, ticket: Buffer): void {
    this.#sessions.delete(key);
    this.#sessions.set(key, ticket);
    const [oldest] = this.#sessions.keys();
    if (this.#sessions.size > MAX_SESSIONS && oldest !== undefined) this.#sessions.delete(oldest);
  }
}
