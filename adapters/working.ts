/** Where a platform shows nobody that we type or think, the message that is worked on carries a mark until something is answered. */

/** Conversations whose newest message is remembered; the one that was quiet longest is forgotten. */
const MAX_PLACES = 200;

export class Working {
  readonly #react: (place: string, message: string, mark: "working" | null) => Promise<void>;
  readonly #newest = new Map<string, string>();
  readonly #marked = new Map<string, string>();

  /** @param react sets our mark, or takes it away. */
  constructor(react: (place: string, message: string, mark: "working" | null) => Promise<void>) {
    this.#react = react;
  }

  /** A message of theirs is on the log. */
  heard(place: string, thread: string | null, message: string): void {
    remember(this.#newest, keyOf(place, thread), message);
  }

  /** We work for whoever wrote there last. */
  begin(place: string, thread: string | null): void {
    const key = keyOf(place, thread);
    const message = this.#newest.get(key);
    if (message === undefined || this.#marked.get(key) === message) return;
    remember(this.#marked, key, message);
    // A sign that is not seen is no message lost.
    void this.#react(place, message, "working").catch(() => undefined);
  }

  /** Something of ours stands there: it says more than a mark. */
  end(place: string, thread: string | null): void {
    const key = keyOf(place, thread);
    const message = this.#marked.get(key);
    if (message === undefined) return;
    this.#marked.delete(key);
    this.#newest.delete(key);
    void this.#react(place, message, null).catch(() => undefined);
  }
}

function keyOf(place: string, thread: string | null): string {
  return `${place} ${thread ?? ""}`;
}

function remember(map: Map<string, string>, key: string, message: string): void {
  map.delete(key);
  map.set(key, message);
  const [oldest] = map.keys();
  if (map.size > MAX_PLACES && oldest !== undefined) map.delete(oldest);
}
