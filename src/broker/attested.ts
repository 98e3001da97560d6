import type { Labels } from "./labels.ts";

/** What the operator demands: whoever is told what is labelled private has shown what it is (`policy.attested`). Null: nothing. */
export type AttestedDemand = "private" | null;

export interface AttestedFacts {
  readonly demand: AttestedDemand;
  /** Of what is in the context. */
  readonly labels: Labels;
  /** Whether the provider's attestation holds now. */
  readonly attested: boolean;
  /** `provider/model`. */
  readonly model: string;
}

/** May this model be told what is in the context? @returns why not, in a sentence; null: it may. Pure and total; a demand never allows what would not
 *  be allowed without it. */
export function attestedRefusal({ demand, labels, attested, model }: AttestedFacts): string | null {
  if (demand === null || attested || labels.private.length === 0) return null;
  return `this conversation holds private data, and the policy lets only an attested model see it: ${model} is not; use one (wirken models use privatemode/…), or begin anew with /new`;
}
