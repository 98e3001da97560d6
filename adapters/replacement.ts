import { SendFailure } from "./failure.ts";

/** @param ids the messages that are replaced, in order. @returns each part of the new text with the message it stands in: the last ones, which hold the buttons; what
 *  stood before them stays to be read. @throws {SendFailure} where there is nothing to show, or more than there are messages. */
export function inPlaceOf<T>(ids: readonly string[], parts: readonly T[]): { readonly part: T; readonly id: string }[] {
  if (parts.length === 0) throw new SendFailure("refused", "there is nothing in the message to show");
  if (parts.length > ids.length)
    throw new SendFailure("too-large", "the new text has more parts than the message it replaces");
  const last = ids.slice(ids.length - parts.length);
  return parts.map((part, i) => ({ part, id: last[i] ?? "" }));
}
