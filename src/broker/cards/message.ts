import type { ActionOfType } from "../../effect/action.ts";
import { block, line, lines } from "./lines.ts";

export function renderReply({ conversation, channel, readers, text }: ActionOfType<"reply">): string {
  return lines(
    "ANSWER IN A GROUP, where it was asked",
    line("channel", channel),
    line("conversation", conversation),
    "  talk | a group: whoever is in it reads this",
    ...readers.map((reader) => line("has written there", reader)),
    block("text", text),
  );
}

export function renderMessage(action: ActionOfType<"message.send">): string {
  const { conversation, channel, talk, readers, own, text } = action;
  return lines(
    `send a message to ${own ? "yourself, elsewhere" : talk === "group" ? "A GROUP" : "SOMEBODY ELSE"}`,
    line("channel", channel),
    line("conversation", conversation),
    line("talk", talk === "group" ? "a group: whoever is in it reads this" : "direct"),
    ...readers.map((reader) => line(talk === "group" ? "has written there" : "reader", reader)),
    `  whose: ${own ? "the conversation of the person whose turn this is" : "another's"}`,
    block("text", text),
  );
}
