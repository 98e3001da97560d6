import { createInterface } from "node:readline";
import { HiddenLine } from "./hidden-line.ts";

/** Where a command's words go: stdout is the answer, stderr is the talk. */

/** Ends the prompt that is open; the command's own way of stopping goes on from there. */
export class InterruptedError extends Error {
  override readonly name = "InterruptedError";
  readonly code = "INTERRUPTED";
}

export interface Terminal {
  /** One answer, with its line end. */
  print(text: string): void;
  /** A piece of an answer that is still coming. */
  write(text: string): void;
  /** A line for the person. */
  say(text: string): void;
  /** Can a question be asked? Only where both a keyboard and a screen are there. */
  readonly interactive: boolean;
  /** Asks for one line, which is shown as it is typed. @throws {InterruptedError} on Ctrl-C, Ctrl-D, or when `signal` fires. */
  ask(question: string, signal?: AbortSignal): Promise<string>;
  /** Asks for one line that is not shown, as bytes that the caller wipes. @throws {InterruptedError} likewise. */
  askHidden(question: string): Promise<Uint8Array>;
  readonly dim: (text: string) => string;
  readonly bold: (text: string) => string;
}

/** The terminal of this process. */
export function processTerminal(environment: NodeJS.ProcessEnv): Terminal {
  const { stdin, stdout, stderr } = process;
  const interactive = stdin.isTTY && stderr.isTTY;
  const colour = stderr.isTTY && (environment["NO_COLOR"] ?? "") === "" && environment["TERM"] !== "dumb";
  const style = (code: number) => (text: string) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  return {
    print: (text) => void stdout.write(`${text}\n`),
    write: (text) => void stdout.write(text),
    say: (text) => void stderr.write(`${text}\n`),
    interactive,
    ask: askShown,
    askHidden,
    dim: style(2),
    bold: style(1),
  };
}

/** Asks for a line that may be seen, with the editing keys of any prompt. */
async function askShown(question: string, signal?: AbortSignal): Promise<string> {
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const stop = (): void => reject(new InterruptedError("interrupted"));
  prompt.on("SIGINT", stop);
  prompt.on("close", stop);
  signal?.addEventListener("abort", stop, { once: true });
  if (signal?.aborted === true) stop();
  prompt.question(question, resolve);
  try {
    return await promise;
  } catch (error) {
    process.stderr.write("\n");
    throw error;
  } finally {
    signal?.removeEventListener("abort", stop);
    prompt.close();
  }
}

/** Reads one line from the keyboard in raw mode: it is never echoed, and never becomes text here. */
async function askHidden(question: string): Promise<Uint8Array> {
  const { stdin, stderr } = process;
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const line = new HiddenLine();
  const typed = (chunk: Buffer): void => {
    for (const byte of chunk) {
      const end = line.key(byte);
      if (end === "line") resolve(line.take());
      else if (end === "interrupt") reject(new InterruptedError("interrupted"));
    }
    chunk.fill(0);
  };
  // First: whoever types at once, or pastes, must not be faster than the end of the echo.
  stdin.setRawMode(true);
  stdin.on("data", typed);
  stdin.resume();
  stderr.write(question);
  try {
    return await promise;
  } finally {
    stdin.off("data", typed);
    stdin.setRawMode(false);
    stdin.pause();
    line.wipe();
    stderr.write("\n");
  }
}
