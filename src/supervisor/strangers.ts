import type { Refusals } from "../../audit/refused.ts";
import type { FromAdapter } from "../ipc/adapter-frames.ts";
import { AdapterChannel, isOwnAccount, platformOf } from "../ipc/channel.ts";
import type { ChannelOut } from "./channel-out.ts";
import type { People } from "./people.ts";

type Inbound = Extract<FromAdapter, { type: "inbound" }>;

export interface StrangerParts {
  readonly people: People;
  readonly refusals: Refusals;
  /** What a stranger and a new person are told about the record. */
  readonly notice: () => string;
}

/** Whoever writes and is not known: they are let in by a code that was made for them, or given one to be let in by, and reach no agent before that. */
export class Strangers<L extends symbol> {
  readonly #channel: string;
  readonly #out: ChannelOut<L>;
  readonly #parts: StrangerParts;

  constructor(channel: string, out: ChannelOut<L>, parts: StrangerParts) {
    this.#channel = channel;
    this.#out = out;
    this.#parts = parts;
  }

  /** @param text what they wrote, as far as it can be a code. Resolves when it, or its refusal, is on the log. */
  async meet(inbound: Inbound, text: string): Promise<void> {
    const { people, refusals } = this.#parts;
    const refuse = (): Promise<void> =>
      refusals.refuse({ channel: this.#channel, reason: "stranger", source: inbound.sender });
    if (inbound.talk !== "direct") {
      await refuse();
      return;
    }
    const owner = await people.claim(this.#channel, inbound.sender, inbound.senderName, text);
    if (owner !== null) {
      const address = await this.#out.address(inbound, owner.principal);
      this.#out.sayLater(address, {
        purpose: "pairing",
        text: `You are linked as the owner, ${owner.name}. ${this.#parts.notice()} Say what you need.`,
        cause: null,
        whose: owner.principal,
      });
      return;
    }
    if (isOwnAccount(platformOf(AdapterChannel.parse(this.#channel)))) {
      await refuse();
      return;
    }
    const asked = await people.request(this.#channel, inbound.sender, inbound.senderName);
    if (asked === null) {
      await refuse();
      return;
    }
    const address = await this.#out.address(inbound, asked.pairing.pairing);
    this.#out.sayLater(address, {
      purpose: "pairing",
      text:
        `I do not know you yet. Ask my owner to run: wirken pair approve ${asked.pairing.code}\n` +
        `The code is good for an hour. ${this.#parts.notice()} Nothing you wrote so far went any further.`,
      cause: asked.seq,
      whose: asked.pairing.pairing,
    });
  }
}
