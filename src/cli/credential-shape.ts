import { shapeOf } from "../ipc/credential-shape.ts";
import type { Wanted } from "./credential-name.ts";

/** Secrets that are easily taken for one another, by the beginning of their shape. */
const KNOWN_SHAPES: readonly { readonly shape: RegExp; readonly is: string }[] = [
  { shape: /^xoxb-/, is: "a Slack bot token (xoxb-…)" },
  { shape: /^xoxe\.xoxp-/, is: "a Slack user token (xoxe.xoxp-…)" },
  { shape: /^xoxe\.xoxb-/, is: "a Slack bot token (xoxe.xoxb-…)" },
  { shape: /^xoxe-/, is: "a Slack refresh token (xoxe-…)" },
  { shape: /^xapp-/, is: "a Slack app-level token (xapp-…)" },
  { shape: /^xoxp-/, is: "a Slack user token (xoxp-…)" },
  { shape: /^sk-ant/, is: "an Anthropic API key" },
  { shape: /^sk-or-/, is: "an OpenRouter API key" },
  { shape: /^\d{6,7}\d*:/, is: "a Telegram bot token" },
  { shape: /^AIza/, is: "a Google API key" },
  { shape: /^EAA/, is: "an access token of Meta's" },
  { shape: /^syt_/, is: "a Matrix access token" },
  { shape: /^[^.]{18,}\.[^.]{4,8}\.[^.]{20,}$/, is: "a Discord bot token" },
  { shape: /^\S{8}-[a0]{4}-[a0]{4}-[a0]{4}-[a0]{12}$/, is: "an ID (of a secret, or of an application), not a secret" },
];

/** What is wrong with a secret that was just given, as a sentence that does not hold it; null if it may be the right one. */
export function mixUp(secret: Uint8Array, wanted: Wanted): string | null {
  if (secret.length === 0) return wanted.optional === true ? null : "nothing was given";
  if (wanted.kind === "json") return secret[0] === 0x7b ? null : `this is no JSON, and so not: ${wanted.label}`;
  if (secret.some((byte) => (byte <= 0x20 && !(byte === 0x20 && wanted.spaces === true)) || byte === 0x7f))
    return "it holds a space or a control character: copy it again";
  // What is no secret is looked at as it is.
  const shape = wanted.kind === "plain" ? Buffer.from(secret).toString("latin1") : shapeOf(secret);
  if (wanted.looksLike?.test(shape) === true) return null;
  const other = KNOWN_SHAPES.find((known) => known.shape.test(shape));
  if (wanted.looksLike === null) {
    // Where anything may do, only what is surely another platform's is refused.
    return other === undefined || other.is.includes("API key") ? null : `this is ${other.is}, not: ${wanted.label}`;
  }
  return other === undefined ? `this does not look like: ${wanted.label}` : `this is ${other.is}, not: ${wanted.label}`;
}

/** @returns a view without the blanks and line ends around it. */
export function trimmed(secret: Uint8Array): Uint8Array {
  let start = 0;
  let end = secret.length;
  while (start < end && (secret[start] ?? 0) <= 0x20) start++;
  while (end > start && (secret[end - 1] ?? 0) <= 0x20) end--;
  return secret.subarray(start, end);
}
