import type { Vault } from "../../vault/vault.ts";
import type { Config } from "../config/schema.ts";
import type { ActionOfType } from "../effect/action.ts";
import type { CarriedCredential, WebAnswer, WebPort } from "../effect/web.ts";
import { type CredentialPlace, FromFetch, type HttpOrder, type ToFetch } from "../ipc/fetch-frames.ts";
import { withheldNow } from "./credential-parts.ts";
import { LaneError } from "./egress-lane.ts";
import type { Processes, RunningChild, SecretOf } from "./processes.ts";
import { type Reach, requestReach } from "./reach-list.ts";
import { searchSentence, searchSettings } from "./search-settings.ts";

const HTTPS = 443;
/** Requests at once, and how many may wait for those. */
const MOST_AT_ONCE = 4;
const MOST_WAITING = 64;
/** The process has 30 s of its own; what does not keep to them is ended. */
const PATIENCE_MS = 45_000;
/** Addresses that lead to a file. */
const MAX_HOPS = 3;
/** After the turn was stopped. */
const GRACE_MS = 500;
/** Where a free-named credential stands in a request, unless its metadata says otherwise. */
const BEARER: CredentialPlace = { header: "authorization", prefix: "Bearer " };

/** A credential as the vault lists it. */
export interface ListedCredential {
  readonly secret: SecretOf;
  readonly hosts: readonly string[];
  /** The header that its value is the whole of; null: `authorization`, behind `Bearer`. */
  readonly header: string | null;
}

export interface FetchesParts {
  readonly processes: Pick<Processes, "once">;
  readonly config: () => Config;
  /** @returns in words why it cannot be handed over. */
  readonly credential: (scope: string) => ListedCredential | string;
}

interface Performance {
  readonly cause: number;
  readonly reach: () => Reach;
  readonly secret: SecretOf | null;
  readonly order: Exclude<ToFetch, { type: "secret" | "stop" }>;
  readonly payload: Uint8Array;
}

/** Requests to the web: each in a process that is started for it, may reach its one host, holds its one credential, and ends with its answer. */
export class Fetches implements WebPort {
  readonly #parts: FetchesParts;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(parts: FetchesParts) {
    this.#parts = parts;
  }

  credential(name: string): CarriedCredential | string {
    const found = this.#parts.credential(`secret/${name}`);
    if (typeof found === "string") return found;
    const place = found.header === null ? BEARER : { header: found.header, prefix: "" };
    return { name, hosts: found.hosts, place };
  }

  barred(host: string, port: number): string | null {
    if (port === HTTPS || this.#isLocal(host)) return null;
    return `${host} is asked on port ${HTTPS} only: another one is for hosts that config.json names as network.local`;
  }

  /** Did the operator write this host down, as one of a network of their own? */
  #isLocal(host: string): boolean {
    return this.#parts.config().network.local.includes(host);
  }

  searching(): ReturnType<WebPort["searching"]> {
    const settings = searchSettings(this.#parts.config());
    if (typeof settings === "string") return settings;
    const { service, host, key } = settings;
    const secret = key === null ? null : this.#searchKey(key, host);
    return typeof secret === "string" ? `web search is off: ${secret}` : { service, host };
  }

  /** Where searches go, and whether the operator wrote that down; null: nowhere. */
  get searchPlace(): { readonly host: string; readonly port: number; readonly own: boolean } | null {
    const settings = searchSettings(this.#parts.config());
    if (typeof settings === "string") return null;
    return { host: settings.host, port: settings.port, own: settings.base !== null };
  }

  /** What a start and the status say of web search. */
  get searchNote(): string {
    const asked = this.searching();
    return typeof asked === "string" ? asked : searchSentence(asked);
  }

  async request(action: ActionOfType<"http.request">, cause: number, signal: AbortSignal): Promise<WebAnswer> {
    const { method, url, host, port, headers, body, credential } = action;
    const barred = this.barred(host, port);
    if (barred !== null) return { state: "failed", sentence: barred, asked: false };
    let secret: SecretOf | null = null;
    if (credential !== null) {
      const found = this.#parts.credential(`secret/${credential.name}`);
      if (typeof found === "string") return { state: "failed", sentence: found, asked: false };
      // Whoever has it may have narrowed it since this was decided.
      const place = found.header ?? BEARER.header;
      if (!found.hosts.includes(host) || place !== credential.header)
        return {
          state: "failed",
          sentence: `the credential ${credential.name} does not go there any more`,
          asked: false,
        };
      secret = found.secret;
    }
    const asked: HttpOrder = { method, url, headers, body };
    const place = credential === null ? null : { header: credential.header, prefix: credential.prefix };
    return await this.#perform(
      {
        cause,
        reach: () => requestReach(host, port, this.#isLocal(host)),
        secret,
        order: { type: "request", credential: place },
        payload: Buffer.from(JSON.stringify(asked)),
      },
      signal,
    );
  }

  async search(action: ActionOfType<"web.search">, cause: number, signal: AbortSignal): Promise<WebAnswer> {
    const settings = searchSettings(this.#parts.config());
    if (typeof settings === "string") return { state: "failed", sentence: settings, asked: false };
    const { service, base, language, host, port, key } = settings;
    if (service !== action.service || host !== action.host)
      return { state: "failed", sentence: "another search service is set up now: search again", asked: false };
    const secret = key === null ? null : this.#searchKey(key, host);
    if (typeof secret === "string") return { state: "failed", sentence: secret, asked: false };
    return await this.#perform(
      {
        cause,
        // Where the operator wrote down an instance of their own, it may lie on their own network.
        reach: () => requestReach(host, port, base !== null),
        secret,
        order: { type: "search", service, base, language, limit: action.limit },
        payload: Buffer.from(action.query),
      },
      signal,
    );
  }

  /** Gets a file, over at most three addresses. Nobody is to take it for anything before its signature was checked.
   *  @returns in words why there is none. */
  async download(url: string, cause: number): Promise<Uint8Array | string> {
    let at = new URL(url);
    for (let hops = 0; hops <= MAX_HOPS; hops++) {
      const { hostname, port } = at;
      if (at.protocol !== "https:" || at.username !== "" || at.password !== "")
        return "it leads to an address that is not plain https";
      const asked = port === "" ? HTTPS : Number(port);
      const barred = this.barred(hostname, asked);
      if (barred !== null) return barred;
      const order: HttpOrder = { method: "GET", url: at.href, headers: [], body: null };
      const answer = await this.#perform(
        {
          cause,
          reach: () => requestReach(hostname, asked, this.#isLocal(hostname)),
          secret: null,
          order: { type: "download" },
          payload: Buffer.from(JSON.stringify(order)),
        },
        AbortSignal.timeout(PATIENCE_MS),
      );
      if (answer.state === "stopped") return "there was no answer in time";
      if (answer.state === "failed") return answer.sentence;
      if (answer.state === "answered") return answer.bytes ?? "it answered with no file";
      at = new URL(answer.url);
    }
    return `it leads on and on, over more than ${MAX_HOPS} addresses`;
  }

  /** The key of a search service. Where it names hosts, it goes to those only. */
  #searchKey(key: string, host: string): SecretOf | string {
    const found = this.#parts.credential(`secret/${key}`);
    if (typeof found === "string") return found;
    return found.hosts.length === 0 || found.hosts.includes(host)
      ? found.secret
      : `the credential secret/${key} does not go to ${host}`;
  }

  /** In the order they came. */
  async #perform(what: Performance, signal: AbortSignal): Promise<WebAnswer> {
    if (this.#running >= MOST_AT_ONCE) {
      if (this.#waiting.length >= MOST_WAITING)
        return { state: "failed", sentence: "too many requests wait already", asked: false };
      if (!(await this.#place(signal))) return { state: "stopped" };
    } else this.#running += 1;
    try {
      return signal.aborted ? { state: "stopped" } : await this.#performed(what, signal);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }

  /** Waits for the place of one that ends. @returns false if the turn is ended first: then it has none. */
  async #place(signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false;
    return await new Promise<boolean>((resolve) => {
      const give = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(go), 1);
        resolve(false);
      };
      const go = (): void => {
        signal.removeEventListener("abort", give);
        resolve(true);
      };
      signal.addEventListener("abort", give, { once: true });
      this.#waiting.push(go);
    });
  }

  async #performed({ cause, reach, secret, order, payload }: Performance, signal: AbortSignal): Promise<WebAnswer> {
    const answered = Promise.withResolvers<WebAnswer>();
    let child: RunningChild<ToFetch>;
    try {
      child = await this.#parts.processes.once<FromFetch, ToFetch>({
        role: "fetch",
        args: [],
        subject: null,
        accepts: FromFetch,
        stop: { type: "stop" },
        cause,
        reach,
        ...(secret === null ? {} : { secret: { of: secret, frame: (name) => ({ type: "secret", name }) } }),
        hear: (header, bytes) => {
          if (header.type !== "ready") answered.resolve(answerOf(header, bytes));
        },
        ended: () =>
          answered.resolve({ state: "failed", sentence: "its process ended before there was an answer", asked: true }),
      });
    } catch (error) {
      if (error instanceof LaneError) return { state: "failed", sentence: error.message, asked: false };
      throw error;
    }
    const stop = (): void => answered.resolve({ state: "stopped" });
    signal.addEventListener("abort", stop, { once: true });
    const late = setTimeout(() => {
      answered.resolve({ state: "failed", sentence: "there was no answer in time", asked: true });
      child.end("timeout", "had no answer in time");
    }, PATIENCE_MS);
    try {
      if (signal.aborted) return { state: "stopped" };
      child.send(order, payload).catch(() => undefined); // its end is told by `ended`
      return await answered.promise;
    } finally {
      clearTimeout(late);
      signal.removeEventListener("abort", stop);
      const gone = child.stop();
      if (signal.aborted) {
        // A stop waits for nobody: one that is busy with a page is ended.
        setTimeout(() => child.end("timeout", "did not end with its turn"), GRACE_MS).unref();
        void gone;
      } else await gone;
    }
  }
}

/** A free-named credential of the vault that requests may carry. @returns in words why it cannot be handed over. */
export function carriedCredential(vault: Vault, scope: string): ListedCredential | string {
  const name = scope.slice("secret/".length);
  const [newest] = vault.credentials(scope);
  if (newest === undefined)
    return `there is no credential ${name} in the vault: its owner adds it with wirken vault add ${scope}`;
  const withheld = withheldNow(vault, scope);
  if (withheld !== null) return withheld.note;
  const { version, names, hosts, header } = newest;
  return { secret: { scope, version, names }, hosts, header: header ?? null };
}

function answerOf(header: Exclude<FromFetch, { type: "ready" }>, payload: Uint8Array): WebAnswer {
  const text = Buffer.from(payload).toString("utf8");
  switch (header.type) {
    case "answered":
      return { state: "answered", status: header.status, text };
    case "downloaded":
      return { state: "answered", status: header.status, text: "", bytes: payload };
    case "redirected":
      return { state: "redirected", status: header.status, url: text };
    case "failed":
      // What the rules or the certificate refused was never sent.
      return { state: "failed", sentence: text, asked: header.reason !== "refused" && header.reason !== "tls" };
  }
}
