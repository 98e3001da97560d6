import type { Connection, Platform } from "./adapter.ts";
import { SendFailure } from "./failure.ts";
import type { Renewable } from "./renewal.ts";

/** A platform whose credentials are kept and checked by this version, and on which it does not talk: whoever connects it is told so, and nothing is sent.
 *  @param name as its people write it. @param renewable where a token that has ended is renewed when it is checked. */
export function checksOnly(name: string, check: Platform["check"], renewable?: Renewable): Platform {
  const sentence = `this version of Wirken does not talk on ${name}`;
  const refuse = (): never => {
    throw new SendFailure("refused", sentence);
  };
  return {
    check,
    ...(renewable === undefined ? {} : { renewable }),
    connect: (_credentials, _start, host): Connection => {
      host.state("refused", null, sentence);
      return { compose: refuse, replace: refuse, typing: () => undefined, stop: async () => undefined };
    },
  };
}
