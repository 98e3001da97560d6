import type { FromAdapter, ToAdapter } from "../ipc/adapter-frames.ts";
import type { AdapterChannel } from "../ipc/channel.ts";
import { decodeNamedBytes } from "../ipc/named-bytes.ts";
import { refuseOthers, type Renewed, type Renewing } from "./credential-renewal.ts";

/** A process that may ask its platform for another token has this long to say what came of it. */
const RENEW_MS = 90_000;

/** What one process is told of one renewal, and what it says. */
export class RenewalExchange {
  readonly #channel: AdapterChannel;
  readonly #ref: number;
  readonly #send: (frame: ToAdapter) => Promise<void>;
  #heard: ((said: Renewed | null) => void) | null = null;

  constructor(channel: AdapterChannel, ref: number, send: (frame: ToAdapter) => Promise<void>) {
    this.#channel = channel;
    this.#ref = ref;
    this.#send = send;
  }

  /** What the process says of it. @returns false for what has no form that is known here. */
  take(header: Extract<FromAdapter, { type: "renewed" | "unrenewed" }>, payload: Uint8Array): boolean {
    const said = header.ref === this.#ref ? renewedOf(this.#channel, header, payload) : null;
    this.#heard?.(said);
    return said !== null;
  }

  /** The process is gone. */
  lost(): void {
    this.#heard?.(null);
  }

  /** @param waitMs before which it is not to ask again. */
  async deny(waitMs: number): Promise<void> {
    await this.#send({ type: "renew", ref: this.#ref, granted: false, waitMs }).catch(() => undefined);
  }

  /** @param kept as {@link Renewing.kept}, given what tells the process. */
  renewing(
    secret: Renewing["secret"],
    kept: (secret: Renewing["secret"], tell: () => Promise<void>) => ReturnType<Renewing["kept"]>,
  ): Renewing {
    return {
      secret,
      grant: async () => await this.#hear({ type: "renew", ref: this.#ref, granted: true, waitMs: 0 }),
      deny: async (waitMs) => await this.deny(waitMs),
      unkept: async () => await this.#hear({ type: "renewed.kept", ref: this.#ref, kept: false }),
      kept: async (sealed) =>
        await kept(sealed, async () => await this.#send({ type: "renewed.kept", ref: this.#ref, kept: true })),
    };
  }

  /** Tells it something and waits for what it says to that; null: nothing in time. */
  async #hear(tell: ToAdapter): Promise<Renewed | null> {
    const { promise, resolve } = Promise.withResolvers<Renewed | null>();
    this.#heard = resolve;
    const late = setTimeout(() => resolve(null), RENEW_MS);
    try {
      await this.#send(tell);
      return await promise;
    } catch {
      return null;
    } finally {
      clearTimeout(late);
    }
  }
}

function renewedOf(
  channel: AdapterChannel,
  header: Extract<FromAdapter, { type: "renewed" | "unrenewed" }>,
  payload: Uint8Array,
): Renewed | null {
  if (header.type === "unrenewed")
    return { failure: header.failure, sentence: Buffer.from(payload).toString("utf8").slice(0, 500) };
  try {
    const renewed = decodeNamedBytes(payload);
    refuseOthers(channel, renewed);
    return { renewed };
  } catch {
    payload.fill(0);
    return null;
  }
}
