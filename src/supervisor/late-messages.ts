/** Messages that were written while nobody was there to read them. */

/** What is older when it comes in is not acted on before its writer says that it is still meant. */
export const LATE_MS = 15 * 60_000;

/** @param sentAt when its platform says it was written, Unix milliseconds; left out: now. */
export function isLate(sentAt: number | undefined, now: number): boolean {
  return sentAt !== undefined && now - sentAt > LATE_MS;
}

/** Said once in a conversation, however many messages are held there. */
export const AWAY =
  "I was away; shall I still do this? Answer yes or no: nothing is done before that. It is about everything you wrote here while I was away.";

const YES = /^(?:yes|y|yeah|yep|sure|ok|okay|please do|do it|go ahead|still do it)[\s.!,]*(?:please|do)?[\s.!]*$/;
const NO = /^(?:no|n|nope|not any more|drop it|leave it|never mind|cancel)[\s.!,]*(?:thanks|thank you)?[\s.!]*$/;

/** @returns what an answer decides; null: it is something else. */
export function readStill(words: string): "do" | "drop" | null {
  const text = words.trim().toLowerCase();
  if (YES.test(text)) return "do";
  return NO.test(text) ? "drop" : null;
}
