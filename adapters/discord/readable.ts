/** Discord's marks inside a text, as a person reads them. */

interface Named {
  readonly id: string;
  readonly name: string;
}

/** What calls us: our id, and the role that Discord made for us. */
export interface Calls {
  readonly id: string;
  readonly role: string | null;
}

/** @param people whose ids are known by name: each id that stands in the text and is here is read as that name.
 *  @param calls taken out where it calls us at the beginning; null: nobody needs to be called here.
 *  @see https://docs.discord.com/developers/reference#message-formatting */
export function readable(text: string, people: readonly Named[], calls: Calls | null): string {
  const names = new Map(people.map(({ id, name }) => [id, name]));
  return withoutCall(text, calls)
    .replaceAll(/<@!?([0-9]{1,20})>/g, (whole, id: string) => (names.has(id) ? `@${names.get(id) ?? id}` : whole))
    .replaceAll(/<a?(:[A-Za-z0-9_]{1,32}:)[0-9]{1,20}>/g, (_, name: string) => name);
}

function withoutCall(text: string, calls: Calls | null): string {
  if (calls === null) return text;
  const [mark, user, role] = /^\s*<@(?:!?([0-9]{1,20})|&([0-9]{1,20}))>[\s,:]*/.exec(text) ?? [];
  const ours = user === calls.id || (role !== undefined && role === calls.role);
  return mark !== undefined && ours ? text.slice(mark.length) : text;
}
