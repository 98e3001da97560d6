import type { ConversationId, SessionId } from "../ipc/ids.ts";
import type { Channel } from "../ipc/channel.ts";
import type { Delivery, OutgoingFile } from "../session/link.ts";
import type { ActionOfType } from "./action.ts";
import { boundText, MAX_RESULT } from "./bound.ts";
import type { ToolResult } from "./tool.ts";

type MessageSend = ActionOfType<"message.send">;

/** A conversation that an agent talks in. */
export interface Recipient {
  readonly conversation: ConversationId;
  readonly channel: Channel;
  readonly talk: "direct" | "group";
  readonly readers: readonly string[];
  readonly own: boolean;
}

/** Who asks where a message could go. */
export interface Asking {
  readonly agent: string;
  readonly principal: string;
  /** The conversation that the turn is in. */
  readonly conversation: string;
}

/** Messages into other conversations. Filled by the supervisor. */
export interface MessagePort {
  /** Which conversation is meant by an id, a person's name, or `me`. @returns all that may be meant; none where nobody is. */
  recipients(to: string, asking: Asking): readonly Recipient[];
  /** Sends it once, recorded. @param files go along. @param session whose turn sends it, and whose key its content is sealed under. */
  send(action: MessageSend, files: readonly OutgoingFile[], session: SessionId, cause: number): Promise<Delivery>;
}

/** Sends one decided message, and tells what became of it. Nothing is sent twice: where nobody knows whether it arrived, that is what is told. */
export async function runMessage(
  action: MessageSend,
  session: SessionId,
  cause: number,
  messages: MessagePort,
  files: readonly OutgoingFile[],
  signal: AbortSignal,
): Promise<ToolResult> {
  if (signal.aborted) return { outcome: "stopped", status: null, text: "stopped before it was sent" };
  const delivery = await messages.send(action, files, session, cause);
  if (delivery.state === "delivered") return { outcome: "done", status: null, text: `delivered ${toWhom(action)}` };
  if (delivery.reason === "died" || delivery.reason === "unknown")
    return {
      outcome: "failed",
      status: null,
      text: `it is not known whether the message arrived ${toWhom(action)}: the connection broke while it was sent. It is not sent again; say so, and let the person look`,
      unsure: true,
    };
  const some = delivery.ids.length === 0 ? "nothing of it arrived" : `${delivery.ids.length} parts of it arrived`;
  return {
    outcome: "failed",
    status: null,
    text: boundText(`not delivered ${toWhom(action)} (${delivery.reason}); ${some}`, MAX_RESULT),
    ...(delivery.ids.length === 0 ? {} : { unsure: true as const }),
  };
}

function toWhom({ talk, readers, channel, conversation }: MessageSend): string {
  return `to ${talk === "group" ? "the group" : (readers[0] ?? "somebody")} on ${channel} (${conversation})`;
}
