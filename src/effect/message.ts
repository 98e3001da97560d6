import type { Recorded } from "../../audit/recorded.ts";
import { filesRecord } from "./sent-files.ts";
import type { AdapterLink, Address, Delivery, LiveReply, Outgoing } from "../session/link.ts";

/** Sends one recorded message, and those very bytes, and records what became of it. */
export async function sendMessage<L extends symbol>(
  recorded: Recorded<"message.sent">,
  link: AdapterLink<L>,
  to: Address<L>,
  shape: Omit<Outgoing, "text">,
): Promise<Delivery> {
  await using intent = recorded;
  intent.redeem();
  const text = intent.content("text");
  const { files = [] } = shape;
  if ((intent.action.files ?? 0) !== files.length) throw new TypeError("other files than were recorded");
  if (files.length > 0 && Buffer.from(intent.content("files")).toString("utf8") !== filesRecord(files))
    throw new TypeError("other files than were recorded");
  const delivery = await link.send(to, { ...shape, key: intent.action.message, text });
  await finishMessage(intent, delivery, text);
  return delivery;
}

/** Changes a message that was sent (a card that was decided) to the recorded text. */
export async function editMessage<L extends symbol>(
  recorded: Recorded<"message.sent">,
  link: AdapterLink<L>,
  to: Address<L>,
  ids: readonly string[],
): Promise<Delivery> {
  await using intent = recorded;
  intent.redeem();
  const text = intent.content("text");
  const delivery = await link.edit(to, ids, text);
  await finishMessage(intent, delivery, text);
  return delivery;
}

/** A reply that is shown while it grows, under one recorded intent. */
export interface RecordedReply {
  piece(text: Uint8Array): void;
  /** Records length, text and what became of it. */
  end(): Promise<Delivery>;
}

/** Opens a recorded reply where text can be shown while it comes. @returns null where a reply leaves whole: the intent is then unspent. */
export function streamMessage<L extends symbol>(
  recorded: Recorded<"message.sent">,
  link: AdapterLink<L>,
  to: Address<L>,
): RecordedReply | null {
  const live: LiveReply | null = link.stream(to, recorded.action.message);
  if (live === null) return null;
  recorded.redeem();
  const pieces: Uint8Array[] = [];
  return {
    piece(text) {
      pieces.push(text);
      live.piece(text);
    },
    async end() {
      const delivery = await live.end();
      await finishMessage(recorded, delivery, Buffer.concat(pieces));
      return delivery;
    },
  };
}

async function finishMessage(recorded: Recorded<"message.sent">, delivery: Delivery, text: Uint8Array): Promise<void> {
  const platform = JSON.stringify(delivery.ids);
  if (delivery.state === "delivered") {
    await recorded.finish(
      { kind: "message.delivered", parts: delivery.ids.length, bytes: text.length },
      { text, platform },
    );
    return;
  }
  await recorded.finish(
    { kind: "message.failed", reason: delivery.reason, parts: delivery.ids.length },
    { text, platform, error: delivery.error },
  );
}
