import type { ChatMessage } from "./completion.ts";

/** The instructions of skills in a context: there from their reading to the end of the turn, because so long calls are held to what they were accepted for. */

/** The tool that brings them. */
export const SKILL_TOOL = "skill";
/** What stands in their place after the turn. */
export const SKILL_GONE = "[the skill is not here any more: read it again to use it]";
/** Between what somebody wrote and the skill that they named in it; what follows goes with the turn. */
export const SKILL_MARK = "\n\n[the skill that was asked for, by its name]\n";

/** A message without the skill behind it. */
export function withoutSkill(text: string): string {
  const at = text.indexOf(SKILL_MARK);
  return at === -1 ? text : text.slice(0, at);
}

/** A message as it stands once its turn is over: the instructions of skills went with it. */
export function afterTurn(message: ChatMessage): ChatMessage {
  const text =
    message.role === "tool" && message.name === SKILL_TOOL
      ? SKILL_GONE
      : message.role === "user"
        ? withoutSkill(message.text)
        : message.text;
  return text.length < message.text.length ? { ...message, text } : message;
}
