import {
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  constants,
} from "node:http2";
import type { Duplex } from "node:stream";
import type { EgressReason, LaneEntry } from "../ipc/egress-frames.ts";
import { Connection, type Patience, refuse } from "./connection.ts";
import { Flood } from "./flood.ts";
import type { Proxy } from "./proxy.ts";
import { Questions, type Resolve } from "./resolve.ts";
import { parseAuthority, type Target } from "./target.ts";
import { type Verdict, Verdicts } from "./verdicts.ts";
import { reach } from "./way.ts";

/** Connections open at once on one lane. More are refused as `busy`. */
export const LANE_CONNECTIONS = 128;
/** Streams that a client may have open: with room for those that are refused. */
const LANE_STREAMS = 192;
/** Bytes of one connection on their way from the child that the far side has not taken. */
const STREAM_WINDOW = 524_288;
/** The same of all connections of a lane together: what a hostile child can make this process hold. */
const LANE_WINDOW = 4 * 1_048_576;
/** `host:port`, and what little a client adds. */
const MAX_HEADER_BYTES = 4096;
const MAX_HEADERS = 16;
/** Frames of a peer that breaks the protocol, and streams that it opens against the rules, after which its lane ends. */
const MAX_WRONG_FRAMES = 16;
const MAX_WRONG_STREAMS = 64;
/** Streams that the client resets (each may have cost a connection): so many at once, and so many more a second. */
const RESETS_AT_ONCE = 256;
const RESETS_A_SECOND = 32;

/** Connections that every lane may have whatever the others do. */
export const LANE_SHARE = 8;

/** What all lanes share: the connections of this process beyond every lane's own {@link LANE_SHARE}. Each is a descriptor. */
export interface Room {
  /** @returns whether there was room for one more. */
  take(): boolean;
  give(): void;
}

export interface LaneParts {
  readonly resolve: Resolve;
  readonly proxy: () => Proxy | null;
  readonly room: Room;
  readonly patience: Patience;
  readonly tell: (verdict: Verdict, times: number) => void;
  /** The lane is over: null where the child went away, else what it did, in a sentence of ours. */
  readonly ended: (why: string | null) => void;
}

/** One lane: an HTTP/2 server for one client that may CONNECT to what its list allows, and nothing else. It says nothing before the client does: the
 *  other end may be in nobody's hands yet. */
export class Lane {
  readonly #stream: Duplex;
  readonly #parts: LaneParts;
  readonly #questions: Questions;
  readonly #verdicts: Verdicts;
  readonly #flood = new Flood(() => performance.now());
  readonly #connections = new Set<Connection>();
  #list: readonly LaneEntry[] = [];
  #session: ServerHttp2Session | null = null;
  #over = false;

  constructor(stream: Duplex, parts: LaneParts) {
    this.#stream = stream;
    this.#parts = parts;
    this.#questions = new Questions(parts.resolve);
    this.#verdicts = new Verdicts(parts.tell);
    stream.on("error", () => undefined); // its `close` says it
    // The child is gone, and its connections go with it. Where it broke the protocol before that, it is the session that says so, a moment earlier.
    for (const over of ["end", "close"]) stream.once(over, () => setImmediate(() => this.#end(null)));
    // The bytes stay in the stream: the session takes them from there.
    stream.once("readable", () => {
      if (stream.readableLength > 0) this.#begin();
      else stream.resume();
    });
  }

  /** Another list is in force from now on; connections that it does not allow are cut. */
  bind(list: readonly LaneEntry[]): void {
    this.#list = list;
    for (const connection of this.#connections) connection.recheck();
  }

  #begin(): void {
    const session = performServerHandshake(this.#stream, {
      settings: {
        enablePush: false,
        headerTableSize: 0,
        initialWindowSize: STREAM_WINDOW,
        maxConcurrentStreams: LANE_STREAMS,
        maxHeaderListSize: MAX_HEADER_BYTES,
      },
      maxHeaderListPairs: MAX_HEADERS,
      maxSessionInvalidFrames: MAX_WRONG_FRAMES,
      maxSessionRejectedStreams: MAX_WRONG_STREAMS,
      streamResetBurst: RESETS_AT_ONCE,
      streamResetRate: RESETS_A_SECOND,
    });
    this.#session = session;
    session.setLocalWindowSize(LANE_WINDOW);
    session.on("error", () => this.#end("it broke the protocol"));
    session.once("close", () => this.#end(null));
    session.on("stream", (stream, headers) => {
      stream.on("error", () => undefined); // its `close` says it
      if (this.#counts("request")) this.#take(stream, headers);
    });
    session.on("ping", () => this.#counts("control"));
    session.on("remoteSettings", () => this.#counts("control"));
  }

  /** @returns false where the lane ends for it. */
  #counts(what: "request" | "control"): boolean {
    if (this.#over) return false;
    const flood = this.#flood.count(what);
    if (flood !== null) this.#end(flood);
    return flood === null;
  }

  #take(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const authority = headers[":authority"];
    const target = headers[":method"] === "CONNECT" && typeof authority === "string" ? parseAuthority(authority) : null;
    if (target === null) {
      refuse(stream, "malformed");
      this.#verdicts.add({ host: typeof authority === "string" ? authority : "", port: null, reason: "malformed" });
      return;
    }
    if (!this.#hasRoom()) {
      refuse(stream, "busy");
      this.#tell(target, "busy");
      return;
    }
    this.#connect(stream, target);
  }

  #hasRoom(): boolean {
    const { size } = this.#connections;
    return size < LANE_SHARE || (size < LANE_CONNECTIONS && this.#parts.room.take());
  }

  #connect(stream: ServerHttp2Stream, target: Target): void {
    const list = (): readonly LaneEntry[] => this.#list;
    const connection = new Connection(stream, target, {
      get list() {
        return list();
      },
      reach: async (to, entries, signal) => await reach(to, entries, this.#questions, this.#parts.proxy(), signal),
      tell: (of, reason) => this.#tell(of, reason),
      patience: this.#parts.patience,
    });
    this.#connections.add(connection);
    void connection.over.then(() => {
      if (this.#connections.size > LANE_SHARE) this.#parts.room.give();
      this.#connections.delete(connection);
    });
    void connection.open();
  }

  #tell(target: Target, reason: EgressReason | null): void {
    this.#verdicts.add({
      host: target.kind === "address" ? target.address : target.host,
      port: target.port,
      reason,
    });
  }

  #end(why: string | null): void {
    if (this.#over) return;
    this.#over = true;
    this.#session?.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM);
    this.#stream.destroy();
    this.#verdicts.end();
    this.#parts.ended(why);
  }
}
