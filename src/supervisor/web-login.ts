import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { AuditLog, FactOf } from "../../audit/log.ts";
import { mint, type WebSessionId } from "../ipc/ids.ts";

/** A link works once, within this time. */
const LINK_MS = 2 * 60_000;
/** A browser session ends after this long without a call, and after this long in any case. */
const IDLE_MS = 12 * 3_600_000;
const AGE_MS = 7 * 24 * 3_600_000;
/** So many bad tokens within the window close the login for the pause. */
const BAD_TOKENS = 5;
const BAD_WINDOW_MS = 60_000;
const LOCK_MS = 10 * 60_000;
/** Links that wait at once; the oldest gives way. */
const MAX_LINKS = 16;

interface Browser {
  readonly id: WebSessionId;
  readonly digest: string;
  readonly since: number;
  last: number;
}

export type LoginAnswer =
  | { readonly state: "in"; readonly cookie: Uint8Array; readonly seconds: number }
  | { readonly state: "bad-token" | "locked"; readonly seconds: number };

/** Who is logged in to the page. Holds digests only; the web compartment cannot log anybody in by itself. */
export class WebLogin {
  readonly #log: AuditLog;
  readonly #now: () => number;
  readonly #links = new Map<string, number>();
  readonly #browsers = new Map<string, Browser>();
  #bad: number[] = [];
  #lockedUntil = 0;
  #refusedSince: { at: number; times: number } | null = null;
  /** Told when a session is over, so that its streams are closed. */
  readonly #ended: (digest: string) => void;

  constructor(log: AuditLog, now: () => number, ended: (digest: string) => void) {
    this.#log = log;
    this.#now = now;
    this.#ended = ended;
  }

  /** @returns a token for the fragment of a link; only its digest is kept. */
  async link(via: "terminal" | "web"): Promise<{ token: string; until: number }> {
    await this.#log.append({ kind: "web.link.made", via }, { cause: null });
    const token = randomBytes(32).toString("base64url");
    const until = this.#now() + LINK_MS;
    this.#links.set(digestOf(Buffer.from(token)), until);
    for (const oldest of this.#links.keys()) {
      if (this.#links.size <= MAX_LINKS) break;
      this.#links.delete(oldest);
    }
    return { token, until };
  }

  /** @param token the bytes a browser sent. */
  async login(token: Uint8Array): Promise<LoginAnswer> {
    const now = this.#now();
    if (now < this.#lockedUntil) {
      await this.#refuse("locked");
      return { state: "locked", seconds: Math.ceil((this.#lockedUntil - now) / 1000) };
    }
    const until = this.#take(digestOf(token));
    if (until === null || until < now) {
      this.#bad = [...this.#bad.filter((at) => now - at < BAD_WINDOW_MS), now];
      if (this.#bad.length >= BAD_TOKENS) {
        this.#lockedUntil = now + LOCK_MS;
        this.#bad = [];
      }
      await this.#refuse("bad-token");
      return { state: "bad-token", seconds: 0 };
    }
    const id = mint("web");
    await this.#log.append({ kind: "web.login", web: id }, { cause: null });
    const cookie = Buffer.from(randomBytes(32).toString("base64url"));
    const digest = digestOf(cookie);
    this.#browsers.set(digest, { id, digest, since: now, last: now });
    return { state: "in", cookie, seconds: AGE_MS / 1000 };
  }

  #take(digest: string): number | null {
    for (const [known, until] of this.#links) {
      if (!timingSafeEqual(Buffer.from(known), Buffer.from(digest))) continue;
      this.#links.delete(known);
      return until;
    }
    return null;
  }

  /** Is this browser logged in? Asking counts as being there.
   *  @param digest SHA-256 of its cookie, hex. */
  async admit(digest: string): Promise<WebSessionId | null> {
    const browser = this.#browsers.get(digest);
    if (browser === undefined) return null;
    const now = this.#now();
    if (now - browser.last > IDLE_MS || now - browser.since > AGE_MS) {
      await this.#close(browser, now - browser.since > AGE_MS ? "age" : "idle");
      return null;
    }
    browser.last = now;
    return browser.id;
  }

  list(
    current: string | null,
  ): { session: WebSessionId; since: string; last: string; until: string; current: boolean }[] {
    return [...this.#browsers.values()].map((browser) => ({
      session: browser.id,
      since: iso(browser.since),
      last: iso(browser.last),
      until: iso(Math.min(browser.last + IDLE_MS, browser.since + AGE_MS)),
      current: browser.digest === current,
    }));
  }

  async end(which: { id: WebSessionId } | { digest: string }, reason: "logout" | "ended"): Promise<boolean> {
    const browser = [...this.#browsers.values()].find((one) =>
      "id" in which ? one.id === which.id : one.digest === which.digest,
    );
    if (browser === undefined) return false;
    await this.#close(browser, reason);
    return true;
  }

  /** Ends every login and every link at once. @returns the rows that say so, for whoever records them. */
  takeAll(): FactOf[] {
    this.#links.clear();
    const ended = [...this.#browsers.values()];
    this.#browsers.clear();
    for (const { digest } of ended) this.#ended(digest);
    return ended.map(({ id }) => ({ action: { kind: "web.session.ended", web: id, reason: "ended" }, given: {} }));
  }

  /** What reduces authority is done first and recorded when it can be. */
  async #close(browser: Browser, reason: "logout" | "idle" | "age" | "ended"): Promise<void> {
    this.#browsers.delete(browser.digest);
    this.#ended(browser.digest);
    await this.#log.append({ kind: "web.session.ended", web: browser.id, reason }, { cause: null });
  }

  /** One row a minute at most, with a count: a stranger at the login cannot fill the log. */
  async #refuse(reason: "bad-token" | "locked"): Promise<void> {
    const now = this.#now();
    const since = this.#refusedSince;
    if (since !== null && now - since.at < 60_000) {
      since.times += 1;
      return;
    }
    const times = since === null ? 1 : since.times + 1;
    const from = since === null ? now : since.at;
    this.#refusedSince = { at: now, times: 0 };
    await this.#log.append({ kind: "web.login.refused", reason, times, since: iso(from) }, { cause: null });
  }
}

function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function iso(at: number): string {
  return new Date(at).toISOString();
}
