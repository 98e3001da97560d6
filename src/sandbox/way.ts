import { closeSync, openSync } from "node:fs";
import type { Duplex } from "node:stream";
import type { Way } from "./command.ts";
import type { FifoEnds, FifoPool } from "./fifo.ts";
import { DESCRIPTORS_WITH_WAY } from "./keeper.ts";
import { AUTHORITIES } from "./seen.ts";

/** Where the relay listens in the command's own network, in which nobody else is. */
export const RELAY_PORT = 3128;
const PROXY = `http://127.0.0.1:${RELAY_PORT}`;

/** What programs go by. Servers that a command starts itself are reached without the proxy. */
const ENVIRONMENT = {
  HTTP_PROXY: PROXY,
  HTTPS_PROXY: PROXY,
  ALL_PROXY: PROXY,
  http_proxy: PROXY,
  https_proxy: PROXY,
  all_proxy: PROXY,
  NO_PROXY: "localhost,127.0.0.1,::1",
  no_proxy: "localhost,127.0.0.1,::1",
  NODE_USE_ENV_PROXY: "1",
} as const;

/** What such a command sees more than others, as bubblewrap's arguments. */
export function pointedAtRelay(): string[] {
  return [
    ...Object.entries(ENVIRONMENT).flatMap(([name, value]) => ["--setenv", name, value]),
    // A directory that bubblewrap makes for what is below it is root's alone.
    "--perms",
    "0755",
    "--dir",
    "/etc/ssl",
    ...AUTHORITIES.flatMap((path) => ["--ro-bind-try", path, path]),
  ];
}

const { lane, executable, ready } = DESCRIPTORS_WITH_WAY;
/** The status of a command whose relay did not come up: nothing of the command ran. */
const NO_RELAY = 126;

/** A shell that is the parent of both: the relay ends with it, and the command has no child that it did not start. The command gets none of the
 *  three descriptors. */
const START = `
{ /proc/self/fd/${executable} relay "$1" 4<&${lane} ${lane}<&- ${ready}<&- || echo over; } </dev/null >/proc/self/fd/${ready} &
read -r said </proc/self/fd/${ready}
[ "$said" = ready ] || exit ${NO_RELAY}
shift
exec ${lane}<&- ${executable}<&- ${ready}<&- 9>&2 2>/dev/null
"$@" 2>&9 9>&-
`;

/** What stands before the command: program and arguments. */
export function startingRelay(): string[] {
  return ["/bin/sh", "-c", START, "sh", String(RELAY_PORT)];
}

/** What a command with a way out is given, from {@link DESCRIPTORS_WITH_WAY}`.lane` on. */
export class WayOut implements Disposable {
  readonly #lane: Duplex;
  readonly #executable: number;
  readonly #ready: { readonly ends: FifoEnds; readonly release: () => void };

  constructor(way: Way, pipes: FifoPool) {
    this.#lane = way.lane;
    this.#executable = openSync(way.executable, "r");
    this.#ready = pipes.take();
    // The shell opens the pipe once more to write.
    closeSync(this.#ready.ends.write);
  }

  get descriptors(): (number | Duplex)[] {
    return [this.#lane, this.#executable, this.#ready.ends.read];
  }

  handedOver(): void {
    this.#lane.destroy();
  }

  [Symbol.dispose](): void {
    this.handedOver();
    closeSync(this.#executable);
    closeSync(this.#ready.ends.read);
    this.#ready.release();
  }
}
