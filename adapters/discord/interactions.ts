import type { REST } from "@discordjs/rest";
import { InteractionResponseType, MessageFlags, Routes } from "discord-api-types/v10";
import type { Interaction } from "./convert.ts";
import { escaped } from "./format.ts";

/** Tells whoever pressed a button what became of it, and nobody else. */

/** Discord says after 3 s that nothing happened: before that it is told that something does. */
const PATIENCE_MS = 2_000;
/** Characters of an answer; Discord takes 2,000 with its backslashes. */
const MAX_ANSWER = 900;
const FOR_THEM_ALONE = MessageFlags.Ephemeral | MessageFlags.SuppressEmbeds;

export class Interactions {
  readonly #rest: REST;

  constructor(rest: REST) {
    this.#rest = rest;
  }

  /** A button was pressed just now. @returns what the presser is to be told is given to. */
  begin({ id, application, token }: Interaction): (sentence: string) => void {
    let deferred = false;
    const timer = setTimeout(() => {
      deferred = true;
      void this.#call(Routes.interactionCallback(id, token), { type: InteractionResponseType.DeferredMessageUpdate });
    }, PATIENCE_MS);
    return (sentence) => {
      clearTimeout(timer);
      const message = {
        content: escaped(sentence.slice(0, MAX_ANSWER).toWellFormed()),
        flags: FOR_THEM_ALONE,
        allowed_mentions: { parse: [] },
      };
      if (deferred) void this.#call(Routes.webhook(application, token), message);
      else
        void this.#call(Routes.interactionCallback(id, token), {
          type: InteractionResponseType.ChannelMessageWithSource,
          data: message,
        });
    };
  }

  /** The token of the interaction is in the address, and is all that it takes. */
  async #call(route: `/${string}`, body: object): Promise<void> {
    try {
      await this.#rest.post(route, { auth: false, body });
    } catch {
      // What was decided is on the card: nothing is lost.
    }
  }
}
