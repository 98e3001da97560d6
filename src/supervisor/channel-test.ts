import type { AnswerTo } from "../ipc/operator.ts";
import type { ChannelTalk } from "./channel-talk.ts";
import type { ConversationRecord } from "./state.ts";

/** Somebody has this long to take their telephone and answer. */
const ANSWER_MS = 3 * 60_000;

const ASKED = "This is a test that was asked for on the terminal: answer with anything, and it has worked.";

type Talk = Pick<ChannelTalk<symbol>, "tell" | "heardAt">;

/** Sends the owner one message, and waits for theirs. @param signal nobody waits any more. */
export async function testChannel(
  talk: Talk,
  place: ConversationRecord,
  owner: string,
  signal: AbortSignal,
): Promise<AnswerTo<"channel.test">> {
  const over = new AbortController();
  const waited = AbortSignal.any([signal, over.signal]);
  const timer = setTimeout(() => over.abort(), ANSWER_MS);
  const began = performance.now();
  try {
    const heard = talk.heardAt(place.conversation, waited);
    const delivery = await talk.tell(place, null, ASKED, null, owner);
    if (delivery.state === "failed")
      return { state: "failed", sentence: `the message did not arrive (${delivery.reason}): ${delivery.error}` };
    const sent = seconds(performance.now() - began);
    const late = Promise.withResolvers<"late">();
    waited.addEventListener("abort", () => late.resolve("late"), { once: true });
    const what = await Promise.race([heard.then(() => "heard" as const), late.promise]);
    if (what === "heard")
      return {
        state: "answered",
        sentence: `sent in ${sent}, and answered ${seconds(performance.now() - began)} after it was asked for`,
      };
    return {
      state: "unanswered",
      sentence: `sent in ${sent}; no answer came within ${ANSWER_MS / 60_000} minutes`,
    };
  } finally {
    clearTimeout(timer);
    over.abort();
  }
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
