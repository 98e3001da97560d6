import { type Command, Option } from "commander";
import * as z from "zod/mini";
import { usage } from "./command-error.ts";
import type { SecretSource } from "./secret-input.ts";
import type { Terminal } from "./terminal.ts";

export const SecretOptions = z.object({ stdin: z._default(z.boolean(), false), file: z.optional(z.string()) });

/** Gives a command the two ways of taking a secret where nobody can type one. Anything else behind it is refused unseen: it may be a
 *  secret, which would be in the shell's history and in the list of processes by now. */
export function takesSecret(command: Command): Command {
  return command
    .addOption(new Option("--stdin", "read it from standard input, one secret a line"))
    .addOption(new Option("--file <path>", "read it from a file, one secret a line").conflicts("stdin"))
    .allowExcessArguments()
    .allowUnknownOption();
}

/** @param expected how many arguments the command takes. @param how the way to type it. */
export function refuseSecretArguments(command: Command, expected: number, how: string): void {
  const [extra] = command.args.slice(expected);
  if (extra === undefined) return;
  if (/^--[a-z-]{1,20}$/.test(extra)) throw usage(`unknown option ${extra}`, `see: ${how} --help`);
  throw usage(
    "a secret is not taken as an argument: it would stay in the shell's history and be seen in the list of processes",
    `run ${how} and type it there, or use --stdin or --file; if that was a real secret, replace it`,
  );
}

/** Where the secret comes from. @throws {CommandError} when nobody can be asked and no source is named. */
export function secretSource(options: z.infer<typeof SecretOptions>, terminal: Terminal, how: string): SecretSource {
  const source = { stdin: options.stdin, file: options.file ?? null };
  if (!source.stdin && source.file === null && !terminal.interactive) {
    throw usage("there is no terminal to ask for the secret on", `use ${how} --stdin, or --file PATH`);
  }
  if (source.stdin && process.stdin.isTTY) {
    throw usage(
      "--stdin reads what another program writes, and standard input is this terminal",
      `leave --stdin out: ${how}`,
    );
  }
  return source;
}
