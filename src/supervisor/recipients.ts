import type { Asking, Recipient } from "../effect/outgoing.ts";
import { AdapterChannel, LOCAL_CHANNELS } from "../ipc/channel.ts";
import { ConversationId } from "../ipc/ids.ts";
import * as z from "zod/mini";
import type { ConversationRecord, State } from "./state.ts";

const Channel = z.union([AdapterChannel, z.enum(LOCAL_CHANNELS)]);
/** Readers that are named. */
const MAX_READERS = 32;

/** Whom an agent can write to: those it talks with, where it does. */
export class Recipients {
  readonly #state: Pick<State, "conversationsWith" | "writersIn" | "person">;

  constructor(state: Pick<State, "conversationsWith" | "writersIn" | "person">) {
    this.#state = state;
  }

  /** @param to the id of a conversation, a person's name whatever its capitals, or `me`. */
  meant(to: string, { agent, principal }: Asking): readonly Recipient[] {
    const known = this.#state.conversationsWith(agent).flatMap((record) => this.#recipient(record, principal) ?? []);
    const word = folded(to);
    if (word === "me") return known.filter(({ own }) => own).map(({ recipient }) => recipient);
    return known
      .filter(
        ({ recipient, people }) =>
          recipient.conversation === to.trim() ||
          // A group is nobody: it goes by its id.
          (recipient.talk === "direct" && people.some(({ name }) => folded(name) === word)),
      )
      .map(({ recipient }) => recipient);
  }

  #recipient(
    record: ConversationRecord,
    principal: string,
  ): { recipient: Recipient; people: readonly { name: string }[]; own: boolean } | null {
    const conversation = ConversationId.safeParse(record.conversation);
    const channel = Channel.safeParse(record.channel);
    if (!conversation.success || !channel.success) return null;
    const writers = this.#state.writersIn(record.conversation);
    const people = writers.flatMap((writer) => this.#state.person(writer) ?? []);
    // Who was removed reads nothing of ours any more.
    if (record.talk === "direct" && people.length === 0) return null;
    const own = record.talk === "direct" && writers.every((writer) => writer === principal);
    const readers = people.map(({ name }) => name).slice(0, MAX_READERS);
    const { talk } = record;
    return { recipient: { conversation: conversation.data, channel: channel.data, talk, readers, own }, people, own };
  }
}

function folded(name: string): string {
  return name.normalize("NFC").trim().toLowerCase();
}
