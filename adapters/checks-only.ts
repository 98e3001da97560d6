import type { Connection, Platform } from "./contract.ts";
import { SendFailure } from "./failure.ts";

/** A platform whose credentials are kept and checked by this version, and on which it does not talk: whoever connects it is told so, and nothing is sent.
 *  @param name as its people write it. */
export function checksOnly(name: string, check: Platform["check"]): Platform {
  const sentence = `this version of Wirken does not talk on ${name}`;
  const refuse = (): never => {
    throw new SendFailure("refused", sentence);
  };
  return {
    check,
    connect: (_credentials, _start, host): Connection => {
      host.state("refused", null, sentence);
      return { compose: refuse, replace: refuse, typing: () => undefined, stop: async () => undefined };
    },
  };
}
