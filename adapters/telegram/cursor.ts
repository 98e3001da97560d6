/** After a week without updates Telegram numbers them anew, maybe lower; an older place to go on from could then hide what is new. What it
 *  forgets after a day anyway is not lost by not asking for it. */
const MAX_AGE_MS = 6 * 24 * 60 * 60 * 1_000;
/** Groups that became supergroups; the oldest is forgotten. */
export const MAX_MOVED = 200;

/** Where to go on, as it is saved. Times are milliseconds since 1970. */
export interface Place {
  /** The first update that is not on the log; null: from the oldest that Telegram still has. */
  readonly next: number | null;
  /** When that number came. */
  readonly nextAt: number;
  /** When Telegram was last asked, and answered; null: never. */
  readonly askedAt: number | null;
  /** Groups that became supergroups: the number by which each is known here, and the one that it has now. */
  readonly moved: readonly (readonly [known: number, now: number])[];
}

export const NOWHERE: Place = { next: null, nextAt: 0, askedAt: null, moved: [] };

/** `<next>@<when it came>/<when Telegram answered last>`, and `;<known>><now>` for each group that moved; in seconds. */
export function encodeCursor({ next, nextAt, askedAt, moved }: Place): string {
  const asked = askedAt === null ? "" : `/${seconds(askedAt)}`;
  return `${next ?? ""}@${seconds(nextAt)}${asked}${moved.map(([known, now]) => `;${known}>${now}`).join("")}`;
}

/** @param now milliseconds since 1970. */
export function decodeCursor(cursor: string | null, now: number): Place {
  const [, next = "", at = "", asked, moved = ""] =
    /^(\d{0,16})@(\d{1,12})(?:\/(\d{1,12}))?((?:;-?\d{1,16}>-?\d{1,16})*)$/.exec(cursor ?? "") ?? [];
  if (at === "") return NOWHERE;
  const nextAt = Number(at) * 1_000;
  const good = next !== "" && Math.abs(now - nextAt) <= MAX_AGE_MS && Number.isSafeInteger(Number(next));
  return {
    next: good ? Number(next) : null,
    nextAt: good ? nextAt : 0,
    askedAt: asked === undefined ? null : Number(asked) * 1_000,
    moved: moved
      .split(";")
      .slice(1, MAX_MOVED + 1)
      .map((one) => one.split(">").map(Number))
      .map(([known = 0, to = 0]) => [known, to] as const),
  };
}

function seconds(at: number): number {
  return Math.floor(at / 1_000);
}

/** Updates of one answer that are on their way to the log. */
export class Batch {
  readonly #ids: readonly number[];
  readonly #done: boolean[];
  #taken = 0;
  constructor(ids: readonly number[]) {
    this.#ids = ids;
    this.#done = ids.map(() => false);
  }

  /** The update at `i` is on the log, or is none for us. */
  done(i: number): void {
    this.#done[i] = true;
  }

  /** @returns the number behind the last of those from the first on that are done; null if that was said before. */
  take(): number | null {
    const before = this.#taken;
    while (this.#done[this.#taken] === true) this.#taken += 1;
    const last = this.#ids[this.#taken - 1];
    return this.#taken === before || last === undefined ? null : last + 1;
  }
}
