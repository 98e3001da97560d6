import { z } from "zod/mini";
import { type CallOf, parseAnswer } from "../../src/cli/operator-port.ts";
import { type AnswerTo, type CallName, OperatorFailure } from "../../src/ipc/operator.ts";
import { askHttp } from "./raw-http.ts";

const Key = z.object({ key: z.string() });
const Failure = z.object({ failure: OperatorFailure });

/** The page's calls as its script makes them, logged in by a link. */
export class PageClient {
  readonly origin: string;
  readonly #headers: Readonly<Record<string, string>>;

  private constructor(origin: string, headers: Readonly<Record<string, string>>) {
    this.origin = origin;
    this.#headers = headers;
  }

  /** @param link as `wirken web` prints it: it holds its token behind the `#`. */
  static async logIn(link: string): Promise<PageClient> {
    const { origin, hash } = new URL(link);
    const headers = { origin, "content-type": "application/json" };
    const token = hash.slice(1).replace(/^[a-z]+=/, "");
    const answer = await askHttp(origin, "/api/login", { method: "POST", headers, body: JSON.stringify({ token }) });
    if (answer.status !== 200) throw new Error(`not logged in: ${answer.body}`);
    const cookie = (answer.headers["set-cookie"]?.[0] ?? "").split(";")[0] ?? "";
    return new PageClient(origin, { ...headers, cookie, "wirken-key": Key.parse(JSON.parse(answer.body)).key });
  }

  async #post(body: object): Promise<{ status: number; value: unknown }> {
    const { status, body: text } = await askHttp(this.origin, "/api/call", {
      method: "POST",
      headers: this.#headers,
      body: JSON.stringify(body),
    });
    const value: unknown = JSON.parse(text);
    return { status, value };
  }

  async say(text: string): Promise<void> {
    const { status } = await this.#post({ call: { call: "say", agent: "default", fresh: false }, text });
    if (status !== 202) throw new Error(`the page's say was answered with ${status}`);
  }

  /** @throws {Error} with the sentence of a refusal. */
  async call<C extends CallName>(call: CallOf<C>): Promise<AnswerTo<C>> {
    const { status, value } = await this.#post({ call });
    if (status !== 200) throw new Error(Failure.parse(value).failure.sentence);
    return parseAnswer<C>(call.call, value);
  }
}
