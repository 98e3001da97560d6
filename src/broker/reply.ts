import { inertLinks } from "./inert-links.ts";
import type { TurnContext } from "./turn.ts";

/** A text as it leaves for a platform. Where a conversation holds anything from outside or anybody's own, an address that the person did not type is shown and
 *  leads nowhere: whoever opened it, or a platform that looked behind it, would carry what it says to whoever has that host. */
export function inertFor({ labels, principal }: Pick<TurnContext, "labels" | "principal">, text: string): string {
  const { untrusted, private: whose } = labels.now;
  if (!untrusted && whose.length === 0) return text;
  return inertLinks(text, (address) => labels.words.addressIn(address, principal) === "typed");
}

/** Would a reply tell a group, whose readers nobody can name, what may be somebody's and what nobody of them wrote? Then it is asked about. */
export function crosses({ talk, labels }: Pick<TurnContext, "talk" | "labels">): boolean {
  return talk === "group" && labels.now.untrusted && labels.now.private.length > 0;
}
