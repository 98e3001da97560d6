import type { Config } from "../config/schema.ts";
import { addressOnLane, LOCAL_SOCKET_HOST } from "../ipc/local-socket.ts";
import type { OfferedModel } from "../ipc/model-frames.ts";
import { KNOWN_PROVIDERS, type ModelApi, type ModelRef, splitModelRef } from "../ipc/provider.ts";
import { OperatorError } from "./operator-error.ts";

/** A provider as it is spoken to. */
export interface ProviderSettings {
  readonly provider: string;
  readonly api: ModelApi;
  /** As its process is told it. */
  readonly baseUrl: string | null;
  /** As the operator wrote it down; null where nobody did. */
  readonly written: string | null;
  readonly needsKey: boolean;
}

/** @returns how to speak to a provider: the configuration's own entry goes before the known one; null for an unknown name. */
export function providerSettings(config: Config, provider: string): ProviderSettings | null {
  const known = isKnown(provider) ? KNOWN_PROVIDERS[provider] : null;
  const own = Object.entries(config.providers).find(([name]) => name === provider)?.[1];
  if (own !== undefined) {
    const api = own.api ?? known?.api ?? "openai-compatible";
    const baseUrl = addressOnLane(own.baseUrl);
    return { provider, api, baseUrl, written: own.baseUrl, needsKey: known?.needsKey ?? false };
  }
  // Where Azure is only its owner knows.
  if (known === null || (known.baseUrl === null && known.api !== "offline")) return null;
  return { provider, api: known.api, baseUrl: known.baseUrl, written: null, needsKey: known.needsKey };
}

/** Said of a name that {@link providerSettings} finds nothing for. */
export function unknownProvider(provider: string): OperatorError {
  if (isKnown(provider))
    return new OperatorError(
      "not-ready",
      `where ${provider} is only you know`,
      `say so in config.json: providers.${provider}.baseUrl, such as https://NAME.openai.azure.com/openai/v1`,
    );
  return new OperatorError(
    "not-found",
    `there is no provider ${provider}`,
    `known: ${Object.keys(KNOWN_PROVIDERS).join(", ")}; another one is named in config.json under providers`,
  );
}

function isKnown(provider: string): provider is keyof typeof KNOWN_PROVIDERS {
  return Object.hasOwn(KNOWN_PROVIDERS, provider);
}

type Offered = Pick<OfferedModel, "id" | "tools" | "modified">;

/** What is tried first when the operator enrolled a provider and named no model: general models that call tools, newest family first. */
const PREFERRED: Readonly<Record<string, readonly RegExp[]>> = {
  anthropic: [/^claude-sonnet-\d/, /^claude-.*sonnet/, /^claude/],
  openai: [/^gpt-5(\.\d+)?-mini$/, /^gpt-5(\.\d+)?$/, /^gpt-4\.1$/, /^gpt-4o$/, /^gpt/],
  google: [/^gemini-\d[\d.]*-flash$/, /^gemini-.*flash/, /^gemini/],
  bedrock: [/^us\.anthropic\.claude-sonnet/, /anthropic\.claude-.*sonnet/, /anthropic\.claude/],
  openrouter: [/^anthropic\/claude-sonnet/, /^openai\/gpt-5/, /^anthropic\//],
};

/** What a provider is asked for when it does not say what it has. */
const FALLBACK: Readonly<Record<string, string>> = {
  anthropic: "claude-sonnet-4-5",
  openai: "gpt-5-mini",
  openrouter: "anthropic/claude-sonnet-4.5",
};

/** Picks a model of one provider for an agent that needs tools. @returns null when nothing fits. */
export function pickModel(provider: string, offered: readonly Offered[]): string | null {
  const able = ableOf(offered);
  for (const pattern of PREFERRED[provider] ?? []) {
    const fits = able.filter((one) => pattern.test(one.id)).toSorted((a, b) => newestFirst(a, b));
    if (fits[0] !== undefined) return fits[0].id;
  }
  const [best] = able.toSorted((a, b) => newestFirst(a, b));
  return best?.id ?? FALLBACK[provider] ?? null;
}

/** Those that say they call tools; where none says either way, those that are not made for something else. */
function ableOf(offered: readonly Offered[]): Offered[] {
  const sure = offered.filter((one) => one.tools === true);
  return sure.length > 0 ? sure : offered.filter((one) => one.tools === null && !/embed/i.test(one.id));
}

function newestFirst(a: Offered, b: Offered): number {
  return (b.modified ?? "").localeCompare(a.modified ?? "") || b.id.localeCompare(a.id, "en", { numeric: true });
}

/** Which model an agent talks to, and how that came about. */
export interface ModelChoice {
  readonly provider: string;
  readonly model: string;
  /** One sentence when there is something to say: why this one, or what to do for a better one. */
  readonly note: string | null;
}

export const OFFLINE: ModelChoice = {
  provider: "offline",
  model: "offline",
  note: "no model is set up: the built-in offline model answers; add one with: wirken vault add anthropic",
};

/** What the configuration says that an agent talks to: where it says nothing of that one, what it says of the default agent. */
export function writtenModel({ agents }: Pick<Config, "agents">, agent: string): ModelRef | undefined {
  const own = Object.entries(agents).find(([name]) => name === agent)?.[1].model;
  return own ?? agents["default"]?.model;
}

/** Chooses by configuration first, then the enrolled providers in the order of enrolment, then Ollama, else the built-in model.
 *  @param written what stands in the configuration. @param ollama the model that Ollama offers, or null when it does not answer. */
export function chooseModel(
  written: ModelRef | undefined,
  enrolled: readonly string[],
  ollama: string | null,
): ModelChoice {
  if (written !== undefined) return { ...splitModelRef(written), note: null };
  const [first] = enrolled;
  const fallback = first === undefined ? undefined : FALLBACK[first];
  if (first !== undefined && fallback !== undefined) return { provider: first, model: fallback, note: null };
  if (ollama !== null) return { provider: "ollama", model: ollama, note: "found Ollama on its default port" };
  return OFFLINE;
}

/** Does this provider show what it is before it is told anything? */
export function attestsItself(config: Config, provider: string): boolean {
  return providerSettings(config, provider)?.api === "privatemode";
}

/** Is this provider on this machine? Then its calls cost nothing. */
export function isLocalProvider(config: Config, provider: string): boolean {
  const settings = providerSettings(config, provider);
  if (settings === null) return false;
  if (settings.baseUrl === null) return settings.api === "offline";
  // What it answers is answered elsewhere, and costs what it costs.
  if (settings.api === "privatemode") return false;
  return ["127.0.0.1", "localhost", "[::1]", LOCAL_SOCKET_HOST].includes(new URL(settings.baseUrl).hostname);
}
