import { failureOfNetwork, quote } from "./failure.ts";
import type { HttpPeer, ProviderSettings } from "./http.ts";
import { modelErrorIn } from "./model-error.ts";
import { openAICompatible } from "./openai-compatible.ts";
import { peerOf } from "./http.ts";
import type { ModelProvider, Shown } from "./port.ts";

/** The proxy answers a request without a model by itself, and only once it holds a key that it exchanged with a service whose attestation it has verified. */
const WITHOUT_MODEL = /no model specified in request/i;
/** On whatever it answers by itself. */
const OWN_HEADER = "privatemode-encrypted";
const MAX_BYTES = 16 * 1024;
/** It may have to fetch and verify the service's evidence first. */
const ATTEST_MS = 30_000;

/** Privatemode, by the proxy on this machine that encrypts what is asked: it verifies the service by hardware attestation, against a manifest, before
 *  it sends it anything. @see https://docs.privatemode.ai/architecture/attestation/overview */
export function privatemode(settings: ProviderSettings): ModelProvider {
  const peer = peerOf(settings, "authorization");
  return { ...openAICompatible(settings, "authorization"), attest: async (signal) => await attest(peer, signal) };
}

/** Sees what the proxy says of itself: it has no page about its attestation. What is asked holds nothing, and leaves this machine in no case. A program on
 *  this machine that means to deceive can answer the same: whoever may listen there is trusted as the proxy is. */
async function attest(peer: HttpPeer, signal: AbortSignal): Promise<Shown> {
  const place = new URL(peer.baseUrl).origin;
  try {
    const response = await fetch(`${peer.baseUrl}/chat/completions`, {
      method: "POST",
      redirect: "manual",
      headers: {
        "content-type": "application/json",
        ...(peer.key === null ? {} : { authorization: peer.key.header(peer.provider, "Bearer ") }),
      },
      body: "{}",
      signal: AbortSignal.any([signal, AbortSignal.timeout(ATTEST_MS)]),
    });
    const text = (await response.text()).slice(0, MAX_BYTES);
    if (response.headers.get(OWN_HEADER) !== "false" || response.ok)
      return { result: "refused", evidence: `what answers at ${place} is no Privatemode proxy` };
    if (WITHOUT_MODEL.test(text))
      return {
        result: "holds",
        evidence: `the Privatemode proxy at ${place} holds a key that it exchanged after it verified the service`,
      };
    const said = quote(peer, messageOf(text));
    return {
      result: "refused",
      evidence: `the Privatemode proxy at ${place} has verified no service${said === "" ? "" : `: ${said}`}`,
    };
  } catch (error) {
    const failure = modelErrorIn(error) ?? failureOfNetwork(peer, error, false);
    return { result: "unreachable", evidence: failure.message };
  }
}

function messageOf(text: string): string {
  try {
    const parsed: unknown = JSON.parse(text);
    const error = typeof parsed === "object" && parsed !== null && "error" in parsed ? parsed.error : null;
    if (typeof error === "object" && error !== null && "message" in error) return String(error.message);
  } catch {
    // It is quoted as it is.
  }
  return text;
}
