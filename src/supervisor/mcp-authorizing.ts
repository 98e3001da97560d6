import { randomBytes } from "node:crypto";
import type { AuditLog } from "../../audit/log.ts";
import type { AnswerTo } from "../ipc/operator.ts";
import { HostNeededError, type McpAuthorization, type McpServersControl } from "./mcp-servers.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";

/** So long somebody may take in their browser. */
const PATIENCE_MS = 10 * 60_000;
/** Of what a browser comes back with, in bytes: a code and a state are a few hundred. */
const MAX_QUERY = 8_192;
const AGAIN = "begin it again: wirken mcp authorize NAME";
/** Authorizations at once. */
const MOST = 4;

interface Pending {
  readonly name: string;
  readonly authorization: McpAuthorization;
  readonly who: By;
  readonly over: PromiseWithResolvers<string | null>;
  readonly timer: NodeJS.Timeout;
  /** Somebody came back with it already. */
  taken: boolean;
}

export interface McpAuthorizingParts {
  readonly log: AuditLog;
  readonly servers: Pick<McpServersControl, "authorize">;
  /** Where a browser comes back to, with this id. @throws {OperatorError} if no page is served. */
  readonly redirect: (id: string) => string;
}

/** Authorizations that wait for a browser: each comes back once, to an address that nobody can guess, within ten minutes. */
export class McpAuthorizing {
  readonly #parts: McpAuthorizingParts;
  readonly #pending = new Map<string, Pending>();

  constructor(parts: McpAuthorizingParts) {
    this.#parts = parts;
  }

  /** @throws {OperatorError} in words why it cannot be begun. */
  async begin(name: string, scope: string | null, who: By, signal: AbortSignal): Promise<AnswerTo<"mcp.authorize">> {
    if (this.#pending.size >= MOST)
      throw new OperatorError(
        "not-ready",
        `${MOST} authorizations wait for a browser already`,
        "finish one of them first",
      );
    const id = randomBytes(24).toString("base64url");
    const redirect = this.#parts.redirect(id);
    // Of two for one server the newer one counts.
    for (const [old, { name: other }] of this.#pending) if (other === name) this.#end(old, "another one was begun");
    let authorization: McpAuthorization;
    try {
      authorization = await this.#parts.servers.authorize(name, redirect, scope, signal);
    } catch (error) {
      if (error instanceof HostNeededError) return { state: "host-needed", host: error.host };
      throw error;
    }
    const timer = setTimeout(() => this.#end(id, "nobody came back from the browser within 10 minutes"), PATIENCE_MS);
    timer.unref();
    const over = Promise.withResolvers<string | null>();
    this.#pending.set(id, { name, authorization, who, over, timer, taken: false });
    return { state: "open", url: authorization.url, id };
  }

  /** @returns in words why there are no tokens; null: there are. */
  async wait(id: string, signal: AbortSignal): Promise<{ trouble: string | null }> {
    const pending = this.#found(id);
    const stop = (): void => this.#end(id, "it was given up");
    signal.addEventListener("abort", stop, { once: true });
    try {
      return { trouble: await pending.over.promise };
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  /** A browser came back. Whether it is the right one is for the process to say: it has the state and the verifier.
   *  @throws {OperatorError} in words why there are no tokens. */
  async back(id: string, query: Uint8Array): Promise<void> {
    const pending = this.#found(id);
    if (pending.taken || query.length > MAX_QUERY)
      throw new OperatorError("refused", "this is not the answer that is waited for", AGAIN);
    pending.taken = true;
    const trouble = await pending.authorization
      .finish(Buffer.from(query).toString("utf8"))
      .catch((error: unknown) => (error instanceof OperatorError ? error.message : "its process ended"));
    if (trouble === null)
      await this.#parts.log.append({ kind: "mcp.authorized", server: pending.name, ...pending.who }, { cause: null });
    this.#settle(id, trouble);
    if (trouble !== null) throw new OperatorError("refused", `${pending.name} was not authorized: ${trouble}`, AGAIN);
  }

  /** Nobody is waited for any more. */
  async close(): Promise<void> {
    const open = [...this.#pending];
    for (const [id] of open) this.#settle(id, "the daemon stopped");
    await Promise.all(open.map(async ([, { authorization }]) => await authorization.cancel().catch(() => undefined)));
  }

  #found(id: string): Pending {
    const pending = this.#pending.get(id);
    if (pending === undefined) throw new OperatorError("not-found", "no authorization waits for this", AGAIN);
    return pending;
  }

  #end(id: string, why: string): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    void pending.authorization.cancel().catch(() => undefined);
    this.#settle(id, why);
  }

  #settle(id: string, trouble: string | null): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    pending.over.resolve(trouble);
  }
}
