import { randomInt } from "node:crypto";
import { isWord, PHRASE_WORDS, phraseOf } from "../../vault/phrase.ts";
import { recoveryPublic } from "../../vault/recovery.ts";
import { Secret } from "../../vault/secret.ts";
import { usage } from "./command-error.ts";
import type { Terminal } from "./terminal.ts";

/** So many words are asked back: who wrote the phrase down wrong is found out now, and not on the day it is needed. */
const ASKED = 4;
const TRIES = 3;
const COLUMNS = 4;
/** "24. " and eight letters. */
const CELL = 15;
const SPACE = 0x20;
/** The alternate screen: what is shown there is not in what can be scrolled back to. */
const SCREEN_ON = "\u001b[?1049h\u001b[H";
const SCREEN_OFF = "\u001b[?1049l";

/** Makes a recovery phrase, shows it once, and has some of it typed. The phrase stays in this process, as bytes that are wiped.
 *  @returns its public half, which is no secret. @throws {CommandError} when the words that are typed are not the phrase's: it then counts for nothing. */
export async function makePhrase(terminal: Terminal): Promise<Uint8Array> {
  using entropy = Secret.random(32);
  using phrase = phraseOf(entropy);
  await show(phrase, terminal);
  using keyboard = terminal.hide();
  for (const at of places()) {
    for (let left = TRIES; ; left--) {
      const typed = await keyboard.ask(`word ${at} of the phrase (not shown): `);
      const right = isWord(phrase, at, typed);
      typed.fill(0);
      if (right) break;
      if (left === 1)
        throw usage(
          `that is not word ${at}`,
          "nothing was changed: run it again, and write down the words that it shows then",
        );
      terminal.say(`wirken: that is not word ${at}; look at what you wrote and try again`);
    }
  }
  return recoveryPublic(entropy);
}

/** Different places, in ascending order. */
function places(): number[] {
  const chosen = new Set<number>();
  while (chosen.size < ASKED) chosen.add(randomInt(1, PHRASE_WORDS + 1));
  return [...chosen].toSorted((a, b) => a - b);
}

async function show(phrase: Secret, terminal: Terminal): Promise<void> {
  const { stderr } = process;
  stderr.write(SCREEN_ON);
  try {
    stderr.write(
      "Write these 24 words down, in their order. They are shown once, and open everything in the vault:\n\n",
    );
    const sheet = phrase.use(sheetOf);
    await new Promise<void>((written) => void stderr.write(sheet, () => written()));
    sheet.fill(0);
    stderr.write("\nKeep the paper where the machine is not. Whoever has both has every credential.\n\n");
    await terminal.ask("Press Enter when you have written them down: ");
  } finally {
    stderr.write(SCREEN_OFF);
  }
}

/** The words with their numbers, in columns. No string is made of them. @returns bytes to wipe. */
function sheetOf(phrase: Uint8Array): Uint8Array {
  const sheet = new Uint8Array(new ArrayBuffer(PHRASE_WORDS * CELL + PHRASE_WORDS / COLUMNS)).fill(SPACE);
  let at = 0;
  for (let word = 0, start = 0; word < PHRASE_WORDS; word++) {
    const end = phrase.indexOf(SPACE, start);
    const text = phrase.subarray(start, end === -1 ? phrase.length : end);
    sheet.set(Buffer.from(`${String(word + 1).padStart(2)}. `), at);
    sheet.set(text, at + 4);
    at += CELL;
    if ((word + 1) % COLUMNS === 0) sheet[at++] = 0x0a;
    start = end + 1;
  }
  return sheet;
}
