import { SendFailure } from "../failure.ts";
import { seen } from "../untrusted.ts";
import type { Calls } from "./calls.ts";

/** How people call themselves, for show. Slack waits for an answer to the message meanwhile, so this one is not waited for long. */
const PATIENCE_MS = 1_000;
/** Names remembered; the oldest is forgotten. */
const MAX_NAMES = 1_000;
/** UTF-16 units, as a frame takes them. */
const MAX_NAME = 200;

export class Names {
  readonly #calls: Calls;
  readonly #known = new Map<string, string>();
  /** Without the scope users:read it is of no use to ask again. */
  #allowed = true;

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /** @returns the name, or the id where Slack does not say. */
  async of(user: string): Promise<string> {
    const known = this.#known.get(user);
    if (known !== undefined || !this.#allowed) return known ?? user;
    const late = Promise.withResolvers<string>();
    const timer = setTimeout(() => late.resolve(user), PATIENCE_MS);
    const name = await Promise.race([this.#ask(user), late.promise]);
    clearTimeout(timer);
    return name;
  }

  async #ask(user: string): Promise<string> {
    try {
      const question = { method: "users.info", place: null, again: true };
      const { user: found } = await this.#calls.do(question, async (web) => await web.users.info({ user }));
      const names = [found?.profile?.display_name, found?.profile?.real_name, found?.real_name, found?.name];
      const name = names.map((one) => seen(one ?? "", MAX_NAME)).find((one) => one !== "") ?? user;
      this.#known.set(user, name);
      const [oldest] = this.#known.keys();
      if (this.#known.size > MAX_NAMES && oldest !== undefined) this.#known.delete(oldest);
      return name;
    } catch (error) {
      if (error instanceof SendFailure && error.message.includes("missing_scope")) this.#allowed = false;
      return user;
    }
  }
}
