import type { Leaving, Left } from "../broker/leaving.ts";
import { type RecordedReply, sendMessage, streamMessage } from "../effect/message.ts";
import type { Delivery } from "../session/link.ts";
import type { SessionOut } from "./session-out.ts";

/** A reply that leaves whole is at most this long; the rest of the turn goes on without it. */
const MAX_REPLY_BYTES = 1_048_576;

const FAILED = "I stopped: something went wrong, and why is not told here. The record has it.";

const UNSURE =
  "I do not know whether my last answer reached you: the connection broke while it was sent. Ask again if it is not there.";

interface Reply {
  /** What decides before anything of it leaves. */
  readonly leaving: Leaving;
  /** What came, where it leaves whole. */
  readonly pieces: Uint8Array[];
  bytes: number;
  /** Where text is shown while it comes: open once something of it may leave, and its intent is on the log. */
  live: RecordedReply | null;
  readonly streams: boolean;
}

/** What leaves of one turn: replies and notices, in the order they were made, each after what decides has let it. */
export class TurnOut<L extends symbol> {
  readonly #out: SessionOut<L>;
  readonly #leaving: () => Leaving;
  readonly #seq: number;
  readonly #failedToLeave: () => void;
  readonly #replies = new Map<number, Reply>();
  /** What is said of those that have left, on its way to the log. */
  readonly #said = new Set<Promise<void>>();
  #outbox: Promise<void> = Promise.resolve();

  /** @param leaving what decides before anything of a reply leaves. @param seq the row of the turn. @param failed something cannot be recorded, and so not leave. */
  constructor(out: SessionOut<L>, leaving: () => Leaving, seq: number, failed: () => void) {
    this.#out = out;
    this.#leaving = leaving;
    this.#seq = seq;
    this.#failedToLeave = failed;
  }

  /** A reply under that number is open. */
  has(ref: number): boolean {
    return this.#replies.has(ref);
  }

  /** Resolves when what was said by now has left. */
  async drained(): Promise<void> {
    await this.#outbox;
  }

  /** Ends the replies that are open; resolves when all has left. */
  async close(): Promise<void> {
    for (const ref of this.#replies.keys()) this.closeReply(ref);
    await this.#outbox;
  }

  /** Resolves when it is on the log what became of all that left. */
  async recorded(): Promise<void> {
    await Promise.all(this.#said);
  }

  #newReply(): Reply {
    const leaving = this.#leaving();
    return { leaving, pieces: [], bytes: 0, live: null, streams: this.#out.link.streams };
  }

  openReply(ref: number): void {
    this.#replies.set(ref, this.#newReply());
  }

  piece(ref: number, text: Uint8Array): void {
    const reply = this.#replies.get(ref);
    if (reply === undefined) return;
    if (reply.bytes + text.length > MAX_REPLY_BYTES) return;
    reply.bytes += text.length;
    if (reply.streams) this.#then(async () => await this.#show(reply, reply.leaving.piece(text)));
    else reply.pieces.push(text);
  }

  /** What may leave of it by now is shown. */
  async #show(reply: Reply, text: string): Promise<void> {
    if (text === "") return;
    reply.live ??= streamMessage(await this.#out.record(this.#seq, "reply"), this.#out.link, this.#out.session.address);
    reply.live?.piece(Buffer.from(text));
  }

  /** Why the agent could not go on, in its words: they leave as an answer does, but nobody is asked any more. */
  failed(text: Uint8Array): void {
    const leaving = this.#leaving();
    this.#then(async () => {
      const left = await leaving.end(text);
      await this.#out.notice(left.state === "leaves" ? left.text : FAILED, this.#seq);
    });
  }

  /** All of an answer at once. */
  answer(text: Uint8Array): void {
    const reply = this.#newReply();
    this.#then(async () => await this.#left(reply, await reply.leaving.end(text)));
  }

  closeReply(ref: number): void {
    const reply = this.#replies.get(ref);
    if (reply === undefined) return;
    this.#replies.delete(ref);
    this.#then(async () => await this.#left(reply, await reply.leaving.end(Buffer.concat(reply.pieces))));
  }

  /** It is decided what becomes of the end of a reply. */
  async #left(reply: Reply, left: Left): Promise<void> {
    if (left.state === "leaves" && reply.streams) await this.#show(reply, left.text);
    // It has left already: the row that says so and what comes next share one sync.
    if (reply.live !== null) this.#saying(this.#ended(reply.live));
    if (left.state === "dropped") {
      if (left.told !== null) await this.#out.notice(left.told, this.#seq);
    } else if (left.state === "approved") await this.#whole(left.text, left.rests);
    else if (!reply.streams && left.text !== "") await this.#whole(left.text, this.#seq);
  }

  async #whole(text: string, cause: number): Promise<void> {
    const recorded = await this.#out.record(cause, "reply", Buffer.from(text));
    const shape = { style: "markdown", card: null, replyTo: null } as const;
    await this.#tellUnsure(await sendMessage(recorded, this.#out.link, this.#out.session.address, shape));
  }

  async #ended(live: RecordedReply): Promise<void> {
    await this.#tellUnsure(await live.end());
  }

  /** It is not sent again: nobody can tell whether it arrived. Whoever waits for it is told that much. */
  async #tellUnsure(delivery: Delivery): Promise<void> {
    if (delivery.state === "failed" && (delivery.reason === "died" || delivery.reason === "unknown"))
      await this.#out.notice(UNSURE, this.#seq);
  }

  #saying(delivered: Promise<unknown>): void {
    const settled = delivered.then(
      () => undefined,
      () => this.#failedToLeave(),
    );
    this.#said.add(settled);
    void settled.finally(() => this.#said.delete(settled));
  }

  /** A line of ours in the conversation: why a turn ended, what a limit was. */
  say(text: string): void {
    this.#then(() => this.#out.notice(text, this.#seq));
  }

  #then(step: () => Promise<void>): void {
    this.#outbox = this.#outbox.then(step).catch(() => {
      // A reply that cannot be recorded does not leave; the turn ends for the same reason elsewhere.
      this.#failedToLeave();
    });
  }
}
