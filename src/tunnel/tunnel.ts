import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import { isIP } from "node:net";
import type { Duplex } from "node:stream";
import { HostName } from "../ipc/egress-frames.ts";
import type { TunnelReason } from "./tunnel-error.ts";
import { type Target, TunnelSocket } from "./tunnel-socket.ts";

/** What may be on its way towards this process, unread, on one connection. */
const CONNECTION_WINDOW = 262_144;
/** And on all of them together. It is given back as it arrives, so that a connection that nobody reads holds up no other. */
const LANE_WINDOW = 4 * 1_048_576;
/** For the session's own buffers, in megabytes: Node counts what waits on every connection. */
const SESSION_MEGABYTES = 64;

/** The lane of a process that has no other way to a network: many connections, each to a host and a port that egress allows. */
export class Tunnel {
  readonly #lane: (() => Duplex) | null;
  readonly #hint: string;
  readonly #gone: () => void;
  #session: ClientHttp2Session | null = null;
  #lost = false;

  /** @param lane the bare lane, asked for once, with the first connection: until then it costs nothing. null: there is none, and no connection.
   *  @param name of this process, as `wirken egress show` takes it.
   *  @param gone is called once the lane is lost: there is no other for this process. */
  constructor(lane: (() => Duplex) | null, name: string, gone: () => void = () => undefined) {
    this.#lane = lane;
    this.#gone = gone;
    this.#hint = `see \`wirken egress show ${name}\``;
  }

  /** Opens a connection. It never throws: what goes wrong is the connection's `error`, a {@link TunnelError}.
   *  @param host a name or an address, as a URL has it. */
  connect(host: string, port: number): TunnelSocket {
    const target = { host: bare(host), port };
    return new TunnelSocket(
      target,
      () => this.#open(target),
      () => this.#lost,
      this.#hint,
    );
  }

  #open({ host, port }: Target): ClientHttp2Stream | TunnelReason {
    const authority = authorityOf(host, port);
    if (authority === null) return "malformed";
    if (this.#lane === null) return "laneless";
    try {
      return this.#opened()?.request({ ":method": "CONNECT", ":authority": authority }) ?? "lost";
    } catch {
      // The session is ending: it says so by throwing.
      this.#lose();
      return "lost";
    }
  }

  #opened(): ClientHttp2Session | null {
    if (this.#lost || this.#lane === null) return null;
    if (this.#session !== null) return this.#session;
    const lane = this.#lane();
    // Before the session's own listener: its connections then know why they end.
    lane.once("close", () => this.#lose());
    lane.on("error", () => undefined);
    // Loaded with the first connection: a process that asks nobody does not pay for it.
    const session = process.getBuiltinModule("node:http2").connect("http://egress", {
      createConnection: () => lane,
      settings: { enablePush: false, initialWindowSize: CONNECTION_WINDOW },
      maxSessionMemory: SESSION_MEGABYTES,
    });
    session.once("connect", () => session.setLocalWindowSize(LANE_WINDOW));
    session.on("error", () => undefined);
    session.once("close", () => this.#lose());
    this.#session = session;
    return session;
  }

  #lose(): void {
    if (this.#lost) return;
    this.#lost = true;
    this.#gone();
  }
}

/** An address as a URL has it stands in brackets where it is one of IPv6; a name may end in a dot, and has no case. */
function bare(host: string): string {
  return host
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/\.$/, "")
    .toLowerCase();
}

/** @returns `host:port`, or null if it is none. */
function authorityOf(host: string, port: number): string | null {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return null;
  const family = isIP(host);
  if (family === 6) return `[${host}]:${port}`;
  return family === 4 || HostName.safeParse(host).success ? `${host}:${port}` : null;
}
