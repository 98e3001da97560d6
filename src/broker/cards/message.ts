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
  const { conversation, channel, talk, readers, own, text, attached } = action;
  const files = attached?.files ?? [];
  return lines(
    `send ${files.length === 0 ? "a message" : "FILES"} to ${own ? "yourself, elsewhere" : talk === "group" ? "A GROUP" : "SOMEBODY ELSE"}`,
    line("channel", channel),
    line("conversation", conversation),
    line("talk", talk === "group" ? "a group: whoever is in it reads this" : "direct"),
    ...readers.map((reader) => line(talk === "group" ? "has written there" : "reader", reader)),
    `  whose: ${own ? "the conversation of the person whose turn this is" : "another's"}`,
    ...files.map(({ path, digest }) => line("file", `${path} (SHA-256 ${digest})`)),
    block("text", text),
  );
}
