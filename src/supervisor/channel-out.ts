import type { AuditLog } from "../../audit/log.ts";
import type { Recorded } from "../../audit/recorded.ts";
import { editMessage, sendMessage } from "../effect/message.ts";
import { ConversationId, mint, type SessionId } from "../ipc/ids.ts";
import type { ApprovalView } from "../ipc/operator.ts";
import { filesRecord } from "../effect/sent-files.ts";
import type { Address, AdapterLink, Delivery, OutgoingFile } from "../session/link.ts";
import type { ConversationRecord, State } from "./state.ts";

type Purpose = "notice" | "pairing" | "answer" | "card" | "edit" | "message";

export interface OutParts {
  readonly log: AuditLog;
  readonly state: State;
  /** Makes the key that what says who a person is is sealed under; recorded. */
  readonly contentKey: (scope: string) => Promise<void>;
}

/** What is said of a message of ours. */
interface Said {
  readonly purpose: Purpose;
  readonly text: string;
  readonly cause: number | null;
  readonly session?: SessionId | null;
  readonly style?: "plain" | "preformatted";
  /** The scope whose key seals it: the session's if not given. */
  readonly whose?: string | null;
  readonly files?: readonly OutgoingFile[];
}

/** The ways out of one channel instance, replies aside: each message is recorded before it leaves. */
export class ChannelOut<L extends symbol> {
  readonly #link: AdapterLink<L>;
  readonly #parts: OutParts;

  constructor(link: AdapterLink<L>, parts: OutParts) {
    this.#link = link;
    this.#parts = parts;
  }

  at(record: ConversationRecord): Address<L> {
    return this.#link.address(ConversationId.parse(record.conversation), {
      place: record.place,
      thread: record.thread,
    });
  }

  /** Where somebody writes; the conversation is opened where there is none. @param whose the scope of whoever is reached there alone: where a person is
   *  reached goes with them. */
  async address(
    where: { place: string; thread: string | null; talk: "direct" | "group" },
    whose: string,
  ): Promise<Address<L>> {
    const { state, log } = this.#parts;
    const { channel } = this.#link;
    const known = state.conversationAt(channel, where.place, where.thread);
    if (known !== null) return this.at(known);
    const conversation = mint("conversation");
    const direct = where.talk === "direct";
    if (direct) await this.#parts.contentKey(whose);
    await log.append(
      { kind: "conversation.opened", conversation, channel, talk: where.talk },
      {
        cause: null,
        ...(direct ? { seal: whose } : {}),
        content: { place: `${where.place}\n${where.thread ?? ""}` },
      },
    );
    return this.#link.address(conversation, { place: where.place, thread: where.thread });
  }

  async say(address: Address<L>, said: Said): Promise<Delivery> {
    const recorded = await this.#record(address, said);
    return await sendMessage(recorded, this.#link, address, {
      style: said.style ?? "plain",
      card: null,
      replyTo: null,
      ...(said.files === undefined ? {} : { files: said.files }),
    });
  }

  /** The same, beside what goes on: taking messages in never waits for a platform that is slow to take them. Its intent is recorded next. */
  sayLater(address: Address<L>, said: Said): void {
    // The log tells of its own failures; what the platform did is the intent's outcome.
    void this.say(address, said).catch(() => undefined);
  }

  /** Shows a card, whole: what does not fit in one message goes before it as parts. @returns the ids of the card's own message. */
  async card(
    record: ConversationRecord,
    view: ApprovalView,
    parts: readonly string[],
    cause: number,
  ): Promise<readonly string[]> {
    const address = this.at(record);
    const { session } = view;
    for (const text of parts.slice(0, -1))
      await this.say(address, { purpose: "card", text, cause, session, style: "preformatted" });
    const recorded = await this.#record(address, { purpose: "card", text: parts.at(-1) ?? view.card, cause, session });
    const delivery = await sendMessage(recorded, this.#link, address, {
      style: "preformatted",
      card: { id: view.approval, code: view.code, mayRemember: view.scopes.some((one) => one.scope === "session") },
      replyTo: null,
    });
    return delivery.ids;
  }

  async editCard(
    record: ConversationRecord,
    ids: readonly string[],
    text: string,
    cause: number | null,
    session: SessionId | null,
  ): Promise<Delivery> {
    const address = this.at(record);
    const recorded = await this.#record(address, { purpose: "edit", text, cause, session });
    return await editMessage(recorded, this.#link, address, ids);
  }

  async #record(
    address: Address<L>,
    { purpose, text, cause, session = null, whose = session, files = [] }: Said,
  ): Promise<Recorded<"message.sent">> {
    return await this.#parts.log.record<"message.sent">(
      {
        kind: "message.sent",
        message: mint("message"),
        session,
        conversation: address.conversation,
        channel: this.#link.channel,
        purpose,
        ...(files.length === 0 ? {} : { files: files.length }),
      },
      {
        cause,
        ...(whose === null ? {} : { seal: whose }),
        content: { text, ...(files.length === 0 ? {} : { files: filesRecord(files) }) },
      },
    );
  }
}
