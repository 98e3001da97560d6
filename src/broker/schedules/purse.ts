import type { Reservation, Reserving } from "../budget.ts";
import { amountText, type Ask } from "../budget-limit.ts";

/** US dollars that one run by schedule may cost, whatever the budgets of its agent and of its person still hold. */
export const DOLLARS_A_RUN = 1;
/** The same for models whose price is not known, in tokens. */
export const TOKENS_A_RUN = 400_000;

/** What one run by schedule may still cost: reserved before a call and settled after it, beside its budgets. */
export class RunPurse {
  #microDollars = 0;
  #tokens = 0;

  /** @param most what the call may take. @param reserving what the budgets say of it. @returns that, or why the run may not take so much. */
  within(most: Ask, reserving: Reserving): Reserving {
    if ("refused" in reserving) return reserving;
    const { reservation } = reserving;
    const refused = this.#refusal(most);
    if (refused !== null) {
      reservation.release();
      return { refused, reached: null };
    }
    this.#add(most, 1);
    return { reservation: this.#settled(reservation, most) };
  }

  #refusal({ microDollars, tokens }: Ask): string | null {
    if (microDollars === null && this.#tokens + tokens > TOKENS_A_RUN)
      return `a run by schedule may use ${amountText("tokens", TOKENS_A_RUN)} of a model without a known price, and another call may take ${amountText("tokens", tokens)} more than the ${amountText("tokens", this.#tokens)} that it used`;
    if (microDollars !== null && this.#microDollars + microDollars > DOLLARS_A_RUN * 1e6)
      return `a run by schedule may cost ${amountText("usd", DOLLARS_A_RUN * 1e6)}: ${amountText("usd", this.#microDollars)} are spent, and another call may cost ${amountText("usd", microDollars)}`;
    return null;
  }

  #settled(reservation: Reservation, most: Ask): Reservation {
    let open = true;
    const close = (took: Ask | null): void => {
      if (!open) return;
      open = false;
      this.#add(most, -1);
      if (took !== null) this.#add(took, 1);
    };
    return {
      settle: (input, output) => {
        const microDollars = reservation.settle(input, output);
        close({ microDollars, tokens: input + output });
        return microDollars;
      },
      release: () => {
        reservation.release();
        close(null);
      },
    };
  }

  #add({ microDollars, tokens }: Ask, times: 1 | -1): void {
    if (microDollars === null) this.#tokens += times * tokens;
    else this.#microDollars += times * microDollars;
  }
}
