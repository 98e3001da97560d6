import type { FromAdapter, ToAdapter } from "../src/ipc/adapter-frames.ts";
import { type Connection, FileFailure } from "./adapter.ts";
import { SendFailure } from "./failure.ts";

/** Answers questions that are about neither a message in nor one out: a file, a way to somebody, what became of a message. */

type Asked = Extract<ToAdapter, { type: "get-file" | "open-direct" | "look-up" }>;
type Say = (frame: FromAdapter, payload?: string | Uint8Array) => void;

/** Files that are fetched at once: each is held whole until it is handed over. */
const MAX_FETCHES = 2;

export class Answers {
  readonly #say: Say;
  readonly #waiting: (() => void)[] = [];
  #fetches = 0;

  constructor(say: Say) {
    this.#say = say;
  }

  /** Resolves when it is answered; never rejects. @param connection null: there is none. */
  async answer(asked: Asked, connection: Connection | null): Promise<void> {
    switch (asked.type) {
      case "get-file":
        return await this.#file(asked, connection);
      case "open-direct":
        return await this.#direct(asked, connection);
      case "look-up":
        return await this.#lookUp(asked, connection);
    }
  }

  async #file(
    { ref, handle, limit }: Extract<Asked, { type: "get-file" }>,
    connection: Connection | null,
  ): Promise<void> {
    if (connection?.file === undefined) {
      this.#say({ type: "file.failed", ref, reason: "refused" }, "files cannot be fetched on this channel");
      return;
    }
    await this.#turn();
    try {
      const bytes = await connection.file(handle, limit);
      if (bytes.length > limit) throw new FileFailure("too-large", `the file has over ${limit} bytes`);
      this.#say({ type: "file", ref }, bytes);
    } catch (error) {
      const failure =
        error instanceof FileFailure ? error : new FileFailure("unreachable", "the file met an error of ours");
      this.#say({ type: "file.failed", ref, reason: failure.reason }, failure.message);
    } finally {
      this.#fetches -= 1;
      this.#waiting.shift()?.();
    }
  }

  async #turn(): Promise<void> {
    while (this.#fetches >= MAX_FETCHES) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#fetches += 1;
  }

  async #direct({ ref, user }: Extract<Asked, { type: "open-direct" }>, connection: Connection | null): Promise<void> {
    if (connection?.openDirect === undefined) {
      this.#say({ type: "direct", ref, place: null }, "on this channel nobody can be written to first");
      return;
    }
    try {
      const place = await connection.openDirect(user);
      this.#say({ type: "direct", ref, place }, place === null ? "the platform lets nobody write to them first" : "");
    } catch (error) {
      const sentence = error instanceof SendFailure ? error.message : "the question met an error of ours";
      this.#say({ type: "direct", ref, place: null }, sentence);
    }
  }

  async #lookUp(asked: Extract<Asked, { type: "look-up" }>, connection: Connection | null): Promise<void> {
    const { ref } = asked;
    try {
      const looked = (await connection?.lookUp?.(asked)) ?? { outcome: "unknown", ids: [] };
      this.#say({ type: "looked-up", ref, outcome: looked.outcome, ids: [...looked.ids] });
    } catch {
      this.#say({ type: "looked-up", ref, outcome: "unknown", ids: [] });
    }
  }
}
