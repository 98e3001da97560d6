import { lookup } from "node:dns";
import { Refusal } from "./refusal.ts";

/** The addresses of a name, in the order of preference; it rejects where there are none. */
export type Resolve = (name: string) => Promise<readonly string[]>;

/** A resolver that gives no answer for so long gives none. */
export const RESOLVE_MS = 10_000;
/** Questions that one lane may have open. Each holds a thread of the pool, on which every lane's questions wait. */
export const LANE_QUESTIONS = 4;
/** Questions of one lane that wait for those; more are refused as `busy`. */
export const LANE_QUESTIONS_WAITING = 128;
/** Threads for questions: a resolver that hangs for one lane leaves the others theirs. */
export const RESOLVER_THREADS = 16;

/** Asks the system, which knows `/etc/hosts` and a company's own names. */
export const systemResolve: Resolve = (name) =>
  new Promise((resolve, reject) => {
    lookup(name, { all: true, order: "verbatim" }, (error, found) => {
      if (error === null) resolve(found.map(({ address }) => address));
      else reject(error);
    });
  });

/** One lane's questions: so many at once, the others in the order they came. */
export class Questions {
  readonly #resolve: Resolve;
  readonly #waiting: (() => void)[] = [];
  #open = 0;

  constructor(resolve: Resolve) {
    this.#resolve = resolve;
  }

  /** @returns at least one address. @throws {Refusal} `unresolved`, `busy`, or `timeout` after {@link RESOLVE_MS}. */
  async ask(name: string): Promise<readonly string[]> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Refusal("timeout")), RESOLVE_MS);
    try {
      return await Promise.race([this.#answer(name), late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** A question that is too late for who asked still holds its thread: it is counted until it is answered. */
  async #answer(name: string): Promise<readonly string[]> {
    if (this.#waiting.length >= LANE_QUESTIONS_WAITING) throw new Refusal("busy");
    if (this.#open >= LANE_QUESTIONS) await new Promise<void>((go) => this.#waiting.push(go));
    else this.#open++;
    try {
      const addresses = await this.#resolve(name);
      if (addresses.length === 0) throw new Error("no address");
      return addresses;
    } catch (cause) {
      throw new Refusal("unresolved", { cause });
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#open--;
      else next();
    }
  }
}
