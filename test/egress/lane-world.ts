import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import type { UpstreamProxy } from "../../src/ipc/egress-frames.ts";
import type { LaneEntry } from "../../src/ipc/egress-frames.ts";
import { PATIENCE, type Patience } from "../../src/egress/connection.ts";
import { Lane } from "../../src/egress/lane.ts";
import { Proxy } from "../../src/egress/proxy.ts";
import type { Resolve } from "../../src/egress/resolve.ts";
import type { Verdict } from "../../src/egress/verdicts.ts";
import { LaneClient } from "../support/lane-client.ts";
import { serving } from "../support/serving.ts";
import { socketPair } from "../support/socket-pair.ts";

export interface LaneWorld extends AsyncDisposable {
  readonly lane: Lane;
  readonly client: LaneClient;
  /** The child's end, unwrapped. Nothing has been written on it before {@link LaneWorld.client} is asked for. */
  readonly near: Socket;
  readonly verdicts: (Verdict & { readonly times: number })[];
  /** Why the lane ended, once it has. */
  readonly ends: (string | null)[];
}

/** A lane of this process over a real socket, with a resolver of the test's. */
export async function laneWorld(
  list: readonly LaneEntry[],
  resolve: Resolve,
  options: {
    readonly room?: number;
    readonly patience?: Partial<Patience>;
    readonly proxy?: UpstreamProxy;
    readonly credential?: string;
  } = {},
): Promise<LaneWorld> {
  const [near, far] = await socketPair();
  const verdicts: (Verdict & { times: number })[] = [];
  const ends: (string | null)[] = [];
  let left = options.room ?? Number.POSITIVE_INFINITY;
  const credential = options.credential === undefined ? null : Buffer.from(options.credential);
  const proxy = options.proxy === undefined ? null : new Proxy(options.proxy, credential, resolve);
  const lane = new Lane(far, {
    resolve,
    proxy: () => proxy,
    room: {
      take: () => left-- > 0 || ++left < 0,
      give: () => {
        left++;
      },
    },
    patience: { ...PATIENCE, ...options.patience },
    tell: (verdict, times) => verdicts.push({ ...verdict, times }),
    ended: (why) => ends.push(why),
  });
  lane.bind(list);
  let client: LaneClient | null = null;
  return {
    lane,
    near,
    verdicts,
    ends,
    get client() {
      client ??= new LaneClient(near);
      return client;
    },
    [Symbol.asyncDispose]: async () => {
      client?.[Symbol.dispose]();
      const gone = near.closed ? null : once(near, "close");
      near.destroy();
      await gone;
    },
  };
}

/** A name's addresses, as a table; a name that is not in it does not exist. */
export function namesAre(table: Readonly<Record<string, readonly string[]>>): Resolve {
  return async (name) => {
    const addresses = table[name];
    if (addresses === undefined) throw new Error(`ENOTFOUND ${name}`);
    return addresses;
  };
}

/** A server that says back what it hears, and ends when the other side does. */
export async function echo(host?: string): ReturnType<typeof serving> {
  return await serving(
    createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket)),
    host,
  );
}
