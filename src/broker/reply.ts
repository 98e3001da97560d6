import { inertLinks } from "./inert-links.ts";
import type { TurnContext } from "./turn.ts";

/** What a person is told in place of a reply that is not given there. */
const WITHHELD =
  "I have an answer and do not give it here: I have read something that nobody of you wrote, and something that is not everybody's. Write to me directly, or begin anew with /new.";

/** A reply as it leaves for a platform. Where a conversation holds anything from outside or anybody's own, an address that the person did not type is shown and
 *  leads nowhere: whoever opened it, or a platform that looked behind it, would carry what it says to whoever has that host. In a group, whose readers
 *  nobody can name, nothing leaves once both are there. */
export function replyFor(
  { talk, labels, principal }: Pick<TurnContext, "talk" | "labels" | "principal">,
  text: string,
): { readonly text: string; readonly withheld: boolean } {
  const { untrusted, private: whose } = labels.now;
  if (talk === "group" && untrusted && whose.length > 0) return { text: WITHHELD, withheld: true };
  if (!untrusted && whose.length === 0) return { text, withheld: false };
  return {
    text: inertLinks(text, (address) => labels.words.addressIn(address, principal) === "typed"),
    withheld: false,
  };
}
