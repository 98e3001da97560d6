import { IDS } from "./people.ts";
import { Callback, FollowUp, isForOne, read, Refusal } from "./requests.ts";

/** Presses of buttons, and what whoever pressed was told. */

/** Discord waits so long for the first answer. */
const PATIENCE_MS = 3_000;

export class Presses {
  /** Answers to presses: `defer` or what was said, to one person or to all. */
  readonly answers: { readonly interaction: string; readonly text: string; readonly alone: boolean }[] = [];
  readonly #interactions = new Map<string, { readonly id: string; readonly at: number; answered: boolean }>();

  /** @returns the token that it is answered by. */
  begin(id: string): string {
    const token = `interaction-token-${id}`;
    this.#interactions.set(token, { id, at: Date.now(), answered: false });
    return token;
  }

  /** The first answer. @throws {Refusal} */
  callback(path: string, body: unknown): null {
    const [, , id = "", token = ""] = path.split("/");
    const asked = read(Callback, body);
    const interaction = this.#interactions.get(token);
    if (interaction?.id !== id || Date.now() - interaction.at > PATIENCE_MS)
      throw new Refusal(404, 10_062, "Unknown interaction");
    if (interaction.answered) throw new Refusal(400, 40_060, "Interaction has already been acknowledged.");
    interaction.answered = true;
    const text = asked.type === 6 ? "defer" : asked.data.content;
    this.answers.push({ interaction: id, text, alone: asked.type === 6 || isForOne(asked.data.flags) });
    return null;
  }

  /** Another one, later. @throws {Refusal} */
  followUp(path: string, body: unknown): void {
    const [, , application, token = ""] = path.split("/");
    const asked = read(FollowUp, body);
    const interaction = this.#interactions.get(token);
    if (application !== IDS.application || interaction?.answered !== true)
      throw new Refusal(404, 10_015, "Unknown Webhook");
    this.answers.push({ interaction: interaction.id, text: asked.content, alone: isForOne(asked.flags) });
  }
}
