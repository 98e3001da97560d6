import { type APIActionRowComponent, type APIButtonComponent, ButtonStyle, ComponentType } from "discord-api-types/v10";
import type { Pressed, Send } from "../adapter.ts";
import { SendFailure } from "../failure.ts";

/** What the buttons of a card carry: `d:<letter>:<card>`. What was decided is known by the card's id alone. */

const DECISIONS = { a: "approve", s: "approve-session", d: "deny" } as const;
/** Characters that a button may carry. @see https://docs.discord.com/developers/components/reference#button */
const MAX_CUSTOM_ID = 100;

export function buttonsOf({ id, mayRemember }: NonNullable<Send["card"]>): APIActionRowComponent<APIButtonComponent>[] {
  const button = (
    label: string,
    letter: keyof typeof DECISIONS,
    style: ButtonStyle.Primary | ButtonStyle.Secondary | ButtonStyle.Success | ButtonStyle.Danger,
  ): APIButtonComponent => {
    const carried = `d:${letter}:${id}`;
    if (carried.length > MAX_CUSTOM_ID) throw new SendFailure("too-large", "the card's id is too long for a button");
    return { type: ComponentType.Button, style, label, custom_id: carried };
  };
  return [
    {
      type: ComponentType.ActionRow,
      components: [
        button("Approve", "a", ButtonStyle.Success),
        ...(mayRemember ? [button("Approve for this session", "s", ButtonStyle.Primary)] : []),
        button("Deny", "d", ButtonStyle.Danger),
      ],
    },
  ];
}

/** @returns null: it is no button of ours. */
export function pressOf(carried: string): Pick<Pressed, "card" | "decision"> | null {
  const [, letter, card] = /^d:([asd]):(.+)$/s.exec(carried) ?? [];
  if (card === undefined || (letter !== "a" && letter !== "s" && letter !== "d")) return null;
  return { card, decision: DECISIONS[letter] };
}
