import type { Socket } from "node:net";
import type { FetchFunction } from "@slack/web-api";
import { Agent, type Dispatcher, fetch } from "undici";
import { type OwnTunnel, ownTunnel } from "../../src/tunnel/own-tunnel.ts";
import { undiciConnect } from "../../src/tunnel/route-fetch.ts";

/** Slack's SDK brings an HTTP client of its own for its lines. Through a lane it is used for the calls too: Node's own is then never loaded. */

let calls: Agent | null = null;

interface Sent {
  readonly method?: "GET" | "POST";
  readonly headers?: Record<string, string>;
  readonly body?: Uint8Array;
  readonly redirect: "manual";
  readonly signal: AbortSignal;
}
interface Got {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: AsyncIterable<Uint8Array> | null;
}

/** Files go and come outside of the SDK's methods, by the same way. */
export async function fetchFile(url: string, sent: Sent): Promise<Got> {
  const own = ownTunnel();
  if (own !== null) return await fetch(url, { ...sent, dispatcher: agentOf(own) });
  const { body, ...rest } = sent;
  return await globalThis.fetch(url, body === undefined ? rest : { ...rest, body: Uint8Array.from(body) });
}

function agentOf(own: OwnTunnel): Agent {
  return (calls ??= new Agent({ connect: undiciConnect(own.dialler) }));
}

/** @returns what the SDK's calls go out by: null in a process that takes no lane, where the SDK finds its own way. */
export function laneFetch(): FetchFunction | null {
  const own = ownTunnel();
  if (own === null) return null;
  const dispatcher = agentOf(own);
  return async (url, { body, ...init } = {}) => {
    // A form with a file in it would be Node's own: we send none.
    if (body !== undefined && typeof body !== "string")
      throw new TypeError("no files are sent by the methods of the SDK");
    return await fetch(url, { ...init, ...(body === undefined ? {} : { body }), dispatcher });
  };
}

/** What one line goes out by. */
export interface LineWay {
  readonly dispatcher: Dispatcher;
  /** Ends what is still open: a peer that answers no close would hold its connection. */
  cut(): void;
}

/** @returns null in a process that takes no lane: the SDK's own way then ends its connection itself. */
export function lineWay(): LineWay | null {
  const own = ownTunnel();
  if (own === null) return null;
  const open = new Set<Socket>();
  const connect = undiciConnect(own.dialler);
  const dispatcher = new Agent({
    connect: (options, callback) => {
      connect(options, (...answer) => {
        const [, socket] = answer;
        if (socket !== null) {
          open.add(socket);
          socket.once("close", () => open.delete(socket));
        }
        callback(...answer);
      });
    },
  });
  return {
    dispatcher,
    cut: () => {
      for (const socket of open) socket.destroy();
    },
  };
}
