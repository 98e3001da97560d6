import { createInterface } from "node:readline";
import { HiddenKeyboard } from "./hidden-keyboard.ts";
import { InterruptedError } from "./interrupted-error.ts";

/** Where a command's words go: stdout is the answer, stderr is the talk. */

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
  /** Takes the keyboard for questions whose answers are not shown. Give it back before anything else is asked. */
  hide(): HiddenKeyboard;
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
    hide: () => new HiddenKeyboard(),
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
