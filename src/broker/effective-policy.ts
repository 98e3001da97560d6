import { LIMITS, PROTECTED } from "../effect/effects.ts";
import { EXPIRES_MS } from "./approvals.ts";
import { MAX_BAD_ARGUMENTS } from "./refusing.ts";
import { TOKENS_A_DAY, WARN_PERCENT } from "./budget-limit.ts";
import { ALWAYS_MS } from "./grants.ts";
import { KEYS } from "./keys.ts";
import { MAX_DENIALS } from "./policy.ts";
import { PRICES } from "./prices.ts";

/** Everything that a decision rests on beside its context, as one value: what `policy.loaded` puts on the record. */
export function effectivePolicy(): object {
  return {
    actions: KEYS.map(({ form, tier, needsSandbox, leaves }) => ({ key: form, tier, needsSandbox, leaves })),
    sandbox: {
      network: "the hosts that were decided for a command, on ports 443 and 80",
      limits: LIMITS,
      protected: PROTECTED,
    },
    approvals: { expireAfterMs: EXPIRES_MS, alwaysMs: ALWAYS_MS, denialsThatEndATurn: MAX_DENIALS },
    badArgumentsThatEndATurn: MAX_BAD_ARGUMENTS,
    budget: { tokensADayWithoutAPrice: TOKENS_A_DAY, warnAtPercent: WARN_PERCENT, dollarsForAMillionTokens: PRICES },
  };
}
