import type { Recorded } from "../../audit/recorded.ts";

/** What a provider has shown of itself. */
export interface Attestation {
  readonly result: "holds" | "refused" | "unreachable";
  /** SHA-256 of the manifest that it is held to, lower-case hex; null: nobody said where that lies. */
  readonly manifest: string | null;
  /** What was seen, in a sentence. */
  readonly evidence: string;
}

/** Filled by the supervisor with the model processes. It never throws for what a provider or its process does. */
export interface AttestationPort {
  attest(provider: string, signal: AbortSignal): Promise<Attestation>;
}

/** Has a provider show what it is, once that is on the log, and records what it showed. @returns that, and the row that says it. */
export async function attestProvider(
  recorded: Recorded<"model.attesting">,
  port: AttestationPort,
  signal: AbortSignal,
): Promise<Attestation & { readonly row: number }> {
  await using intent = recorded;
  intent.redeem();
  const shown = await port.attest(intent.action.provider, signal);
  const { result, manifest, evidence } = shown;
  const { seq } = await intent.finish({ kind: "model.attested", result, manifest }, { evidence });
  return { ...shown, row: seq };
}
