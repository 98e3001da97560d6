import type { StreamMessage } from "../api.ts";
import { CallError, openEvents, storedKey } from "./call.ts";

/** What the page hears: what the daemon says, and whether it can be heard at all. */
export type Heard =
  | StreamMessage
  /** Another tab reads the stream already: what it hears comes from now on. */
  | { type: "following" }
  | { type: "offline"; sentence: string };

const LOCK = "wirken-events";
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
/** A line longer than this is no event of ours. */
const MAX_LINE = 8 * 1_048_576;

/** The event stream, one for all tabs of this origin: a browser opens six connections to one, and streams would use them up.
 *  The tab that holds the lock reads it and tells the others. */
export class Events {
  readonly #hear: (heard: Heard) => void;
  readonly #tabs = new BroadcastChannel("wirken");
  #stop: AbortController | null = null;
  #wake: () => void = () => undefined;

  constructor(hear: (heard: Heard) => void) {
    this.#hear = hear;
    this.#tabs.addEventListener("message", ({ data }: MessageEvent<Heard>) => {
      if (this.#stop !== null) hear(data);
    });
    for (const sign of ["online", "focus"]) window.addEventListener(sign, () => this.#wake());
  }

  start(): void {
    if (this.#stop !== null) return;
    const stop = new AbortController();
    this.#stop = stop;
    void this.#takeTurn(stop.signal).catch(() => undefined); // aborted while it waited
  }

  stop(): void {
    this.#stop?.abort();
    this.#stop = null;
    this.#wake();
  }

  /** The lock is held while the promise is open, and passes on when this tab goes away. */
  async #takeTurn(signal: AbortSignal): Promise<void> {
    const first = await navigator.locks.request(LOCK, { ifAvailable: true }, async (lock) => {
      if (lock !== null) await this.#read(signal);
      return lock !== null;
    });
    if (first || signal.aborted) return;
    this.#hear({ type: "following" });
    await navigator.locks.request(LOCK, { signal }, () => this.#read(signal));
  }

  #tell(heard: Heard): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a BroadcastChannel reaches its own origin only
    this.#tabs.postMessage(heard);
    this.#hear(heard);
  }

  async #read(signal: AbortSignal): Promise<void> {
    let wait = FIRST_WAIT_MS;
    while (!signal.aborted && storedKey() !== null) {
      try {
        for await (const message of messagesOf(await openEvents(signal))) {
          wait = FIRST_WAIT_MS;
          this.#tell(message);
        }
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof CallError && error.status === 401) {
          this.#tell({ type: "over", because: "session" });
          return;
        }
        const sentence = error instanceof CallError ? error.message : "The connection to Wirken broke.";
        this.#tell({ type: "offline", sentence });
      }
      if (signal.aborted) return;
      await this.#pause(wait * (0.75 + Math.random() / 2));
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    }
  }

  /** Ends early when there is a reason to look again. */
  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

async function* messagesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<StreamMessage> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      if (rest.length > MAX_LINE) return;
      for (const line of lines) {
        if (!line.startsWith("data: ")) continue;
        const message: StreamMessage = JSON.parse(line.slice("data: ".length));
        yield message;
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
