import { usage } from "./command-error.ts";
import { readSecret, type SecretSource } from "./secret-input.ts";
import type { Terminal } from "./terminal.ts";

/** Shorter ones are guessed, however slow each guess is made. */
const MIN_PASSPHRASE_BYTES = 12;
/** How often it is asked again after one that is too short, or two that differ. */
const TRIES = 3;

/** A passphrase for the vault, typed twice where it is typed. The caller wipes it. @throws {CommandError} if none comes that is long enough. */
export async function newPassphrase(terminal: Terminal, source: SecretSource): Promise<Uint8Array> {
  if (source.stdin || source.file !== null) {
    const given = readSecret(source);
    const wrong = tooShort(given);
    if (wrong === null) return given;
    given.fill(0);
    throw usage(wrong, ADVICE);
  }
  terminal.say("nobody can open the vault without this passphrase: keep a copy where you keep such things");
  using keyboard = terminal.hide();
  for (let left = TRIES; ; left--) {
    const first = await keyboard.ask("New passphrase (not shown): ");
    const wrong = tooShort(first) ?? (await differs(first, async () => await keyboard.ask("Once more: ")));
    if (wrong === null) return first;
    first.fill(0);
    if (left === 1) throw usage(wrong, `nothing was changed; ${ADVICE}`);
    terminal.say(`wirken: ${wrong}; try again`);
  }
}

const ADVICE = "four or more random words are good";

function tooShort(passphrase: Uint8Array): string | null {
  return passphrase.length >= MIN_PASSPHRASE_BYTES
    ? null
    : `a passphrase has at least ${MIN_PASSPHRASE_BYTES} characters`;
}

async function differs(first: Uint8Array, again: () => Promise<Uint8Array>): Promise<string | null> {
  const second = await again();
  const same = Buffer.compare(first, second) === 0;
  second.fill(0);
  return same ? null : "the two differ";
}
