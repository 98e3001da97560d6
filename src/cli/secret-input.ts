import { closeSync, openSync, readSync } from "node:fs";
import { copyOf } from "../../vault/secret.ts";
import { shapeOf } from "../ipc/credential-shape.ts";
import { encodeNamedBytes } from "../ipc/named-bytes.ts";
import { wantedOf } from "../ipc/platform-credentials.ts";
import { type CommandError, usage } from "./command-error.ts";
import type { Enrolment, Wanted } from "./credential-name.ts";
import { mixUp, trimmed } from "./credential-shape.ts";
import type { Terminal } from "./terminal.ts";

/** Where a command reads secrets from: never from its arguments. */
export interface SecretSource {
  readonly stdin: boolean;
  readonly file: string | null;
}

/** All secrets of one command together, in bytes. */
const MAX_INPUT_BYTES = 131_072;
const LINE_FEED = 10;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** How often a hidden prompt is asked again after something that cannot be right. */
const TRIES = 3;

/** What was typed, by the names it gets in the vault. */
type Held = Map<string, Uint8Array>;

/** Gets every secret that an enrolment needs, checked for mix-ups, as the payload of `vault.add`. The caller wipes it. */
export async function readSecrets(enrolment: Enrolment, source: SecretSource, terminal: Terminal): Promise<Uint8Array> {
  const held: Held = new Map();
  try {
    if (source.stdin || source.file !== null) fromLines(enrolment, source, held);
    else await fromPrompts(enrolment, terminal, held);
    const given = [...held].map(([name, bytes]) => ({ name, bytes: trimmed(bytes) }));
    return encodeNamedBytes(given.filter(({ bytes }) => bytes.length > 0));
  } finally {
    for (const bytes of held.values()) bytes.fill(0);
  }
}

/** Whether something is asked for, after what was given before it. */
function isWanted(one: Wanted, held: Held): boolean {
  const fits = (name: string, looksLike: string): boolean => {
    const other = held.get(name);
    return other !== undefined && new RegExp(looksLike).test(shapeOf(trimmed(other)));
  };
  return wantedOf([one], fits).length > 0;
}

async function fromPrompts({ wanted }: Enrolment, terminal: Terminal, held: Held): Promise<void> {
  let at = 0;
  for (; at < wanted.length; at++) {
    const one = wanted[at];
    if (one === undefined || one.kind === "secret") break;
    held.set(one.name, await sound(one, terminal, async () => await shown(one, terminal)));
  }
  if (at === wanted.length) return;
  // The keyboard is not given back between two tries: what is typed meanwhile would be shown.
  using keyboard = terminal.hide();
  for (const one of wanted.slice(at)) {
    if (!isWanted(one, held)) continue;
    held.set(one.name, await sound(one, terminal, async () => await keyboard.ask(`${one.label} (not shown): `)));
  }
}

/** Asks until what is typed can be right. @throws {CommandError} after {@link TRIES}. */
async function sound(one: Wanted, terminal: Terminal, question: () => Promise<Uint8Array>): Promise<Uint8Array> {
  for (let left = TRIES; ; left--) {
    const typed = await question();
    const wrong = mixUp(trimmed(typed), one);
    if (wrong === null) return typed;
    typed.fill(0);
    if (left === 1) throw usage(wrong, "nothing was saved");
    terminal.say(`wirken: ${wrong}; try again`);
  }
}

/** What is no secret is typed openly; a key file is named, and read. */
async function shown({ kind, label }: Wanted, terminal: Terminal): Promise<Uint8Array> {
  const typed = (await terminal.ask(`${label}: `)).trim();
  if (kind === "plain") return new TextEncoder().encode(typed);
  const whole = readInput({ stdin: false, file: typed });
  try {
    return oneLine(whole);
  } finally {
    whole.fill(0);
  }
}

/** JSON without the blanks between its parts: what is kept is one line, as it is given on standard input. */
function oneLine(json: Uint8Array): Uint8Array {
  const line = new Uint8Array(new ArrayBuffer(json.length));
  let length = 0;
  let quoted = false;
  let escaped = false;
  for (const byte of json) {
    if (!quoted && byte <= 0x20) continue;
    line[length++] = byte;
    if (escaped) escaped = false;
    else if (byte === BACKSLASH) escaped = quoted;
    else if (byte === QUOTE) quoted = !quoted;
  }
  return line.subarray(0, length);
}

/** One secret a line, in the order in which the prompts would ask. */
function fromLines({ wanted }: Enrolment, source: SecretSource, held: Held): void {
  const input = readInput(source);
  try {
    const lines = split(input);
    const asked: Wanted[] = [];
    for (const one of wanted) {
      if (!isWanted(one, held)) continue;
      const line = lines[asked.length];
      // What may be left out is, where the next line is none of it.
      if (one.optional === true && (line === undefined || mixUp(trimmed(line), one) !== null)) continue;
      asked.push(one);
      // How many there are to be is told at the end.
      if (line === undefined) continue;
      const wrong = mixUp(trimmed(line), one);
      if (wrong !== null) throw usage(wrong, "nothing was saved");
      held.set(one.name, copyOf(line));
    }
    if (asked.length !== lines.length)
      throw wrongCount(
        lines.length,
        asked.map(({ label }) => label),
      );
  } finally {
    input.fill(0);
  }
}

function wrongCount(got: number, labels: readonly string[]): CommandError {
  return usage(
    `${labels.length} ${labels.length === 1 ? "line was" : "lines were"} expected, ${got} came`,
    `one line each: ${labels.join(", then ")}`,
  );
}

/** One secret of any kind, from the keyboard. The caller wipes it. */
export async function askedHidden(terminal: Terminal, question: string): Promise<Uint8Array> {
  using keyboard = terminal.hide();
  return await keyboard.ask(question);
}

/** One secret of any kind, such as a passphrase. The caller wipes it. */
export function readSecret(source: SecretSource): Uint8Array {
  const input = readInput(source);
  try {
    return copyOf(withoutLineEnd(input));
  } finally {
    input.fill(0);
  }
}

function withoutLineEnd(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  if (bytes[end - 1] === LINE_FEED) end--;
  if (bytes[end - 1] === 13) end--;
  return bytes.subarray(0, end);
}

function readInput({ file }: SecretSource): Uint8Array {
  const descriptor = file === null ? 0 : open(file);
  const buffer = new Uint8Array(new ArrayBuffer(MAX_INPUT_BYTES));
  try {
    let length = 0;
    for (;;) {
      const read = readSome(descriptor, buffer.subarray(length));
      if (read === 0) break;
      length += read;
      if (length === buffer.length) {
        buffer.fill(0);
        throw usage(`the input is longer than ${MAX_INPUT_BYTES} bytes`, "is it the right one?");
      }
    }
    return buffer.subarray(0, length);
  } finally {
    if (file !== null) closeSync(descriptor);
  }
}

/** Standard input may have been set not to block by whoever started us: then there is nothing yet, and we wait. */
function readSome(descriptor: number, into: Uint8Array): number {
  for (;;) {
    try {
      return readSync(descriptor, into, 0, into.length, null);
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : "";
      if (code === "EOF") return 0; // Windows says so instead of reading nothing
      if (code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
}

function open(file: string): number {
  try {
    return openSync(file, "r");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    throw usage(`cannot read ${file} (${code})`, "is it written right?");
  }
}

/** The lines that hold anything. */
function split(bytes: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  let start = 0;
  for (let at = 0; at <= bytes.length; at++) {
    if (at < bytes.length && bytes[at] !== LINE_FEED) continue;
    const line = bytes.subarray(start, at);
    if (trimmed(line).length > 0) lines.push(line);
    start = at + 1;
  }
  return lines;
}
