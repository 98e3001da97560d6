import type { PlatformCredential } from "./platform-credentials.ts";

/** So much of a secret's beginning says what it is and nothing more: `xoxb-`, `sk-ant-`, a Telegram bot's public number. */
const PREFIX_BYTES = 7;
/** Slack's tokens that end by themselves say behind `xoxe.` whose they are: `xoxe.xoxb-` a bot's, `xoxe.xoxp-` a person's. */
const RENEWED = Buffer.from("xoxe.");
const RENEWED_PREFIX_BYTES = "xoxe.xoxb-".length;

/** The shape of a secret: its beginning, then each letter as `a` and each digit as `0`. The secret itself never becomes text. */
export function shapeOf(secret: Uint8Array): string {
  let shape = "";
  const renewed = RENEWED.every((byte, index) => secret[index] === byte);
  const shown = renewed ? RENEWED_PREFIX_BYTES : PREFIX_BYTES;
  for (const [index, byte] of secret.entries()) {
    const character = String.fromCharCode(byte);
    shape += index < shown ? character : character.replace(/[A-Za-z]/, "a").replace(/\d/, "0");
  }
  return shape;
}

/** Whether this may be what is asked for. Of a secret no text is made, which could not be wiped. */
export function mayBe({ kind, looksLike }: Pick<PlatformCredential, "kind" | "looksLike">, given: Uint8Array): boolean {
  const view = Buffer.from(given.buffer, given.byteOffset, given.byteLength);
  if (kind === "json") return view[0] === 0x7b && view.includes('"private_key"');
  return new RegExp(looksLike).test(kind === "plain" ? view.toString("latin1") : shapeOf(view));
}
