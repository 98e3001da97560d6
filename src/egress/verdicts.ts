import type { EgressReason } from "../ipc/egress-frames.ts";

/** What was asked for, and how it went. */
export interface Verdict {
  /** As it was asked for; empty where there was none. */
  readonly host: string;
  readonly port: number | null;
  readonly reason: EgressReason | null;
}

/** The same verdict is told once in this time, with how often. */
export const SAME_MS = 1000;
/** Verdicts that one lane tells in {@link SAME_MS}: what all lanes tell together stays below what ends a pipe. */
export const TOLD_AT_ONCE = 16;
/** Different verdicts of one lane that wait; of more than these only the reason is told. */
export const WAITING = 256;
const MAX_HOST_BYTES = 255;

/** One lane's verdicts on their way to the record. None is lost; a child that asks for a thousand hosts a second holds nobody up. */
export class Verdicts {
  readonly #tell: (verdict: Verdict, times: number) => void;
  readonly #waiting = new Map<string, { verdict: Verdict; times: number }>();
  /** When each of the last was told. */
  readonly #told = new Map<string, number>();
  #timer: NodeJS.Timeout | null = null;

  constructor(tell: (verdict: Verdict, times: number) => void) {
    this.#tell = tell;
  }

  add(asked: Verdict): void {
    const whole = { ...asked, host: cut(asked.host) };
    const known = this.#waiting.has(keyOf(whole)) || this.#waiting.size < WAITING;
    const verdict = known ? whole : { host: "", port: null, reason: asked.reason };
    const key = keyOf(verdict);
    const waiting = this.#waiting.get(key) ?? { verdict, times: 0 };
    waiting.times++;
    this.#waiting.set(key, waiting);
    this.#flush();
  }

  /** Tells what still waits, at once: the lane is over. */
  end(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    for (const { verdict, times } of this.#waiting.values()) this.#tell(verdict, times);
    this.#waiting.clear();
  }

  #flush(): void {
    const now = performance.now();
    for (const [key, at] of this.#told) if (now - at >= SAME_MS) this.#told.delete(key);
    for (const [key, { verdict, times }] of this.#waiting) {
      if (this.#told.size >= TOLD_AT_ONCE) break;
      if (this.#told.has(key)) continue;
      this.#waiting.delete(key);
      this.#told.set(key, now);
      this.#tell(verdict, times);
    }
    if (this.#waiting.size === 0 || this.#timer !== null) return;
    const [oldest = now] = this.#told.values();
    this.#timer = setTimeout(
      () => {
        this.#timer = null;
        this.#flush();
      },
      Math.max(1, oldest + SAME_MS - now),
    );
  }
}

function keyOf({ host, port, reason }: Verdict): string {
  return JSON.stringify([host, port, reason]);
}

/** At most 255 bytes, and nothing that a terminal would obey. */
function cut(host: string): string {
  return host.replace(/[^\x20-\x7e]/g, "?").slice(0, MAX_HOST_BYTES);
}
