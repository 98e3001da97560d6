import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";

/** How often the clocks are compared. */
const LOOK_MS = 5_000;
/** A wall clock that is so much further than the monotonic one slept, or was set. */
const JUMP_MS = 30_000;

/** What the machine did: it slept (or its clock was set), or its network is another one. */
export type Woken = "slept" | "network";

export interface WakefulnessParts {
  /** Milliseconds since 1970. */
  readonly wall: () => number;
  /** Milliseconds that pass while the machine is awake. */
  readonly monotonic: () => number;
  /** The addresses of this machine, as one text. */
  readonly network: () => string;
  readonly woke: (how: Woken) => void;
}

/** Notices that the machine slept, or that its network changed: what is connected may be dead without knowing. */
export class Wakefulness {
  readonly #parts: WakefulnessParts;
  #wall: number;
  #monotonic: number;
  #network: string;
  #timer: NodeJS.Timeout | null = null;

  constructor(parts: WakefulnessParts) {
    this.#parts = parts;
    this.#wall = parts.wall();
    this.#monotonic = parts.monotonic();
    this.#network = parts.network();
  }

  start(): void {
    this.#timer ??= setInterval(() => this.look(), LOOK_MS).unref();
  }

  look(): void {
    const { wall, monotonic, network, woke } = this.#parts;
    const now = { wall: wall(), monotonic: monotonic(), network: network() };
    const ahead = now.wall - this.#wall - (now.monotonic - this.#monotonic);
    const moved = now.network !== this.#network;
    this.#wall = now.wall;
    this.#monotonic = now.monotonic;
    this.#network = now.network;
    if (ahead > JUMP_MS) woke("slept");
    else if (moved) woke("network");
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }
}

/** How this machine's network is left, as one text: another one is another network. Asking the kernel for addresses takes a socket, which this process may not
 *  have; its table of routes is a file. */
export function networkNow(): string {
  try {
    return process.platform === "linux" ? routes(readFileSync("/proc/net/route", "utf8")) : addresses();
  } catch {
    // Nothing is known of it: it does not change.
    return "";
  }
}

/** Interface, destination, gateway and mask of each route; how often one was used changes all the time. */
export function routes(table: string): string {
  return table
    .split("\n")
    .slice(1)
    .map((line) => line.split("\t"))
    .map(([name, destination, gateway, , , , , mask]) => [name, destination, gateway, mask].join(" "))
    .toSorted()
    .join("\n");
}

function addresses(): string {
  return Object.entries(networkInterfaces())
    .flatMap(([name, all]) =>
      (all ?? []).filter(({ internal }) => !internal).map(({ cidr }) => `${name} ${cidr ?? ""}`),
    )
    .toSorted()
    .join("\n");
}
