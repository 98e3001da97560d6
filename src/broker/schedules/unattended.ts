/** Why something that asks is refused where nobody is there to ask, for the model and for whoever reads it later. */
export function unattended({ tier, reason }: { readonly tier: number; readonly reason: string }): string {
  const mended =
    tier === 2
      ? "what is remembered for this person, agent and channel is done without a question: wirken grants add"
      : "what is asked for every time is not done by schedule";
  return `nobody is there to ask in a run by schedule (tier ${tier}: ${reason}); ${mended}`;
}
