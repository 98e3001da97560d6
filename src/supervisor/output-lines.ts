import type { Readable } from "node:stream";

/** The longest line that is passed on, in characters: the rest of it is dropped. */
export const LINE_LENGTH = 4096;
/** Lines passed on in one second: the rest is counted. */
export const LINES_A_SECOND = 100;
/** Bytes read in one second: after that the child waits. */
export const BYTES_A_SECOND = 1_048_576;
const SECOND = 1000;

/** Reads what a child prints, in lines made safe to show: each at most 4,096 characters, at most 100 a second (then one that says how many were
 *  dropped), control and direction characters escaped, anything that looks like a credential replaced. */
export function readLines(stream: Readable, log: (line: string) => void): void {
  let rest = "";
  let cut = false;
  let lines = 0;
  let dropped = 0;
  let bytes = 0;
  let second: NodeJS.Timeout | null = null;
  const decoder = new TextDecoder();

  const turn = (): void => {
    second = null;
    if (dropped > 0) log(`(${dropped} more lines were dropped)`);
    lines = 0;
    dropped = 0;
    bytes = 0;
    stream.resume();
  };
  const pass = (line: string): void => {
    if (line.length === 0) return;
    if (lines < LINES_A_SECOND) log(presentable(line));
    else dropped++;
    lines++;
  };
  const take = (text: string): void => {
    let from = 0;
    for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", from)) {
      if (!cut) pass(rest + text.slice(from, at));
      rest = "";
      cut = false;
      from = at + 1;
    }
    if (cut) return;
    rest += text.slice(from);
    if (rest.length <= LINE_LENGTH) return;
    pass(rest);
    rest = "";
    cut = true;
  };

  stream.on("data", (chunk: unknown) => {
    if (!(chunk instanceof Uint8Array)) return;
    // It keeps no process alive: what was printed and not read is not worth waiting for.
    second ??= setTimeout(turn, SECOND).unref();
    bytes += chunk.length;
    take(decoder.decode(chunk, { stream: true }));
    if (bytes >= BYTES_A_SECOND) stream.pause();
  });
  stream.on("error", () => undefined);
  stream.on("close", () => {
    if (!cut) pass(rest);
    if (second !== null) clearTimeout(second);
    if (dropped > 0) log(`(${dropped} more lines were dropped)`);
    rest = "";
    dropped = 0;
  });
}

/** Controls, line and paragraph separators, and what changes the direction of text. */
// oxlint-disable-next-line no-control-regex
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;
/** Tokens, keys and cookies are long runs of these; words, paths and stack traces are not. */
const CREDENTIAL = /[A-Za-z0-9_+=-]{32,}/g;

function presentable(line: string): string {
  const shown = line
    .replace(/\r$/, "")
    .replaceAll(CREDENTIAL, "[redacted]")
    .replaceAll(UNSAFE, (char) => `\\u{${char.charCodeAt(0).toString(16)}}`);
  return shown.length > LINE_LENGTH ? `${shown.slice(0, LINE_LENGTH - 1)}…` : shown;
}
