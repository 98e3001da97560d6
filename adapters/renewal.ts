import { encodeNamedBytes } from "../src/ipc/named-bytes.ts";
import type { FromAdapter, ToAdapter } from "../src/ipc/adapter-frames.ts";
import { TOKEN_LIFE } from "../src/ipc/platform-credentials.ts";
import type { Credentials, Start } from "./adapter.ts";

/** What a platform gave in the place of what is kept. */
export interface Fresh {
  /** By their names in the vault. */
  readonly secrets: Readonly<Record<string, string>>;
  /** So long the token works, in milliseconds; null: the platform does not say. */
  readonly lifetimeMs: number | null;
}

/** Why it gave nothing. `refused`: nor will it for what is kept. */
export interface Withheld {
  readonly failure: "refused" | "unreachable";
  readonly sentence: string;
}

/** A platform whose tokens end by themselves, and which gives others for a refresh token. */
export interface Renewable {
  /** Whether what is kept can be renewed. */
  can(credentials: Credentials): boolean;
  /** Asks once: a refresh token may be spent by that. Never rejects. */
  ask(credentials: Credentials, start: Start): Promise<Fresh | Withheld>;
}

export interface RenewalParts {
  readonly renewable: Renewable;
  readonly start: Start;
  /** What is in use. */
  readonly credentials: () => Credentials;
  readonly say: (frame: FromAdapter, payload: Uint8Array) => Promise<void>;
  /** What was renewed lies in the vault: it is used from now on. */
  readonly adopt: (secrets: ReadonlyMap<string, string>, ref: number) => Promise<void>;
  readonly ref: () => number;
}

/** A token is renewed so long before its end, or at half of its life where it lives less than twice as long. */
const AHEAD_MS = 2 * 3_600_000;
/** A timer runs slow while a machine sleeps: the clock is looked at so often. */
const LOOK_MS = 30_000;
/** What found nobody at the platform is tried again after this. */
const AGAIN_MS = 60_000;
/** Whoever needs another token now waits so long for the time when it may be asked for. */
const PATIENCE_MS = 5_000;
/** What the vault could not keep is given to it again after this. */
const KEEP_AGAIN_MS = 5_000;

/** Renews what the process was given before it ends. First it asks the supervisor, then the platform; what the platform gave goes into the vault, and only
 *  what lies there is used. Until then the one of before is. */
export class Renewal {
  readonly #parts: RenewalParts;
  #running: Promise<boolean> | null = null;
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;
  /** Not before this, in milliseconds since 1970. */
  #notBefore = 0;
  /** What the platform will not take again. */
  #spent: string | null = null;
  #granted: ((answer: Extract<ToAdapter, { type: "renew" }>) => void) | null = null;
  #kept: ((kept: boolean) => void) | null = null;

  constructor(parts: RenewalParts) {
    this.#parts = parts;
  }

  /** The token is known to be past its end. */
  get past(): boolean {
    const life = lifeOf(this.#parts.credentials());
    return life !== null && life.end <= Date.now();
  }

  /** What is in use is renewed when its time comes; called again when something else is in use. */
  watch(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#stopped || !this.#can()) return;
    const now = Date.now();
    const due = Math.max(dueOf(this.#parts.credentials()), this.#notBefore);
    this.#timer = setTimeout(
      () => (due <= Date.now() ? void this.now() : this.watch()),
      Math.max(0, Math.min(due - now, LOOK_MS)),
    );
  }

  /** Other credentials came: what was found of those before says nothing of these. */
  replaced(): void {
    this.#notBefore = 0;
    this.watch();
  }

  /** @returns whether another token is in use now. Whoever asks while it is renewed hears of the same. */
  async now(): Promise<boolean> {
    const wait = Math.max(0, this.#notBefore - Date.now());
    if (this.#running === null && (this.#stopped || !this.#can() || wait > PATIENCE_MS)) return false;
    this.#running ??= this.#after(wait).finally(() => {
      this.#running = null;
      this.watch();
    });
    return await this.#running;
  }

  take(frame: Extract<ToAdapter, { type: "renew" | "renewed.kept" }>): void {
    if (frame.type === "renew") this.#granted?.(frame);
    else this.#kept?.(frame.kept);
  }

  /** Begins none any more. @returns when one that is under way is over. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#running?.catch(() => undefined);
  }

  #can(): boolean {
    const credentials = this.#parts.credentials();
    return this.#parts.renewable.can(credentials) && credentials.get("refresh-token") !== this.#spent;
  }

  async #after(ms: number): Promise<boolean> {
    if (ms > 0) await new Promise((done) => setTimeout(done, ms));
    return !this.#stopped && (await this.#once());
  }

  async #once(): Promise<boolean> {
    const { renewable, credentials, start, say, ref: next, adopt } = this.#parts;
    const ref = next();
    const asked = Promise.withResolvers<Extract<ToAdapter, { type: "renew" }>>();
    this.#granted = asked.resolve;
    await say({ type: "renewal", ref }, new Uint8Array(0));
    const { granted, waitMs } = await asked.promise;
    this.#notBefore = Date.now() + (granted ? AGAIN_MS : waitMs);
    if (!granted) return false;
    const before = new Map(credentials());
    const given = await renewable.ask(before, start);
    if ("failure" in given) {
      if (given.failure === "refused") this.#spent = before.get("refresh-token") ?? null;
      await say({ type: "unrenewed", ref, failure: given.failure }, Buffer.from(given.sentence));
      return false;
    }
    const secrets = new Map([...Object.entries(given.secrets), [TOKEN_LIFE, lifeText(given.lifetimeMs)]]);
    while (!(await this.#isKept(ref, secrets))) await new Promise((done) => setTimeout(done, KEEP_AGAIN_MS));
    this.#notBefore = 0;
    await adopt(secrets, ref);
    return true;
  }

  async #isKept(ref: number, secrets: ReadonlyMap<string, string>): Promise<boolean> {
    const entries = [...secrets].map(([name, value]) => ({ name, bytes: Buffer.from(value, "utf8") }));
    const payload = encodeNamedBytes(entries);
    const kept = Promise.withResolvers<boolean>();
    this.#kept = kept.resolve;
    try {
      await this.#parts.say({ type: "renewed", ref }, payload);
    } finally {
      for (const bytes of [payload, ...entries.map((entry) => entry.bytes)]) bytes.fill(0);
    }
    return await kept.promise;
  }
}

/** A platform that does not say how long: until it refuses it. */
const OPEN_END = "9999-12-31T23:59:59.999Z";

function lifeText(lifetimeMs: number | null): string {
  const now = Date.now();
  return `${new Date(now).toISOString()}/${lifetimeMs === null ? OPEN_END : new Date(now + lifetimeMs).toISOString()}`;
}

/** In milliseconds since 1970; null for a token that was never renewed here. */
function lifeOf(credentials: Credentials): { readonly made: number; readonly end: number } | null {
  const [made = Number.NaN, end = Number.NaN] = (credentials.get(TOKEN_LIFE) ?? "")
    .split("/")
    .map((at) => Date.parse(at));
  return Number.isNaN(made) || Number.isNaN(end) ? null : { made, end };
}

/** When it is to be renewed: at once, where nobody knows how long it lasts. */
function dueOf(credentials: Credentials): number {
  const life = lifeOf(credentials);
  return life === null ? 0 : life.end - Math.min(AHEAD_MS, (life.end - life.made) / 2);
}
