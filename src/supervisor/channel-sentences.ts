import type { Action, ActionOf, Kind } from "../../audit/action.ts";
import type { CommittedRow } from "../../audit/log.ts";
import { count, quoted, where } from "./row-words.ts";

const KINDS = [
  "message.changed",
  "message.resumed",
  "message.told",
  "answer.cut",
  "context.compacted",
  "message.traced",
  "file.fetching",
  "file.fetched",
  "file.missed",
  "channel.noticed",
] as const satisfies readonly Kind[];
export type ChannelKind = (typeof KINDS)[number];
type ChannelAction = { [K in ChannelKind]: ActionOf<K> }[ChannelKind];

export function isAboutChannels(action: Action): action is ChannelAction {
  return KINDS.some((kind) => kind === action.kind);
}

const TRACED: Readonly<Record<ActionOf<"message.traced">["outcome"], string>> = {
  sent: "its platform was found to have it",
  absent: "its platform was found not to have it",
  unknown: "its platform could not tell whether it has it",
};

const COMPACTED: Readonly<Record<ActionOf<"context.compacted">["reason"], string>> = {
  window: "its window was full",
  "too-long": "its provider found it too long",
  asked: "that was asked for",
};

/** One sentence about a row of what goes on between a channel and its platform, without its number. @param at `on 2026-11-23 at 22:31`. */
export function channelSentence(
  action: ChannelAction,
  row: CommittedRow,
  at: string,
  told: { who(principal: string): string; moment(at: string): string },
): string {
  switch (action.kind) {
    case "message.changed": {
      const counts = action.effect === "queued" ? "" : ", which changed nothing: it was begun already";
      if (action.change === "deleted") return `${told.who(action.principal)} deleted the message ${at}${counts}`;
      return `${told.who(action.principal)} changed the message ${where(action.channel)} ${at} to ${quoted(row, "text")}${counts}`;
    }
    case "message.resumed": {
      const messages = count(action.messages, "message");
      const what = action.decision === "do" ? "be taken up after all" : "be left";
      return `${told.who(action.principal)} had ${messages} of before ${what} ${at}`;
    }
    case "message.told":
      return `with what belongs to it the message was ${quoted(row, "text")} ${at}`;
    case "answer.cut":
      return `the answer broke off ${at} behind ${quoted(row, "text")}`;
    case "context.compacted": {
      const messages =
        action.summary === null
          ? ""
          : `, and a summary (row ${action.summary}) for ${count(action.messages, "message")}`;
      return `the conversation was made shorter for the model ${at} (${COMPACTED[action.reason]}): notes stand for ${count(action.results, "result")}${messages}`;
    }
    case "message.traced":
      return `${TRACED[action.outcome]} ${at}`;
    case "file.fetching":
      return `file ${action.nth + 1} of the message, ${quoted(row, "name")}, was fetched ${at}`;
    case "file.fetched":
      return `it was put at ${quoted(row, "path")} ${at} (${count(action.bytes, "byte")}, ${action.type})`;
    case "file.missed":
      return `it was not had (${action.reason}) ${at}`;
    case "channel.noticed": {
      const span =
        action.from === null && action.to === null
          ? ""
          : `, from ${action.from === null ? "the beginning" : told.moment(action.from)} to ${action.to === null ? "now" : told.moment(action.to)}`;
      return `${action.channel} said of itself (${action.about}${span}) ${at}: ${quoted(row, "sentence")}`;
    }
  }
}
