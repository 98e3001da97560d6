import * as z from "zod/mini";
import { ArgumentsError, defineTool } from "./tool.ts";

/** Bytes of all arguments together: the kernel takes little more. Longer input goes through stdin. */
const MAX_ARGV = 512 * 1024;

export const exec = defineTool({
  name: "exec",
  description:
    "Runs a command in a sandbox: the workspace is at /workspace, which is also where it starts; there is no network. No shell reads argv: for pipes and wildcards use " +
    '["bash", "-c", "…"]. Without `write` the workspace is read-only and nobody is asked; with it somebody may be asked first. Output is cut at 1 MiB, and 64 KiB are shown.',
  schema: z.strictObject({
    argv: z
      .array(z.string().check(z.minLength(1), z.maxLength(131_072)))
      .check(z.minLength(1), z.maxLength(1024), z.describe('Program and arguments, such as ["ls", "-l"].')),
    write: z._default(z.boolean(), false).check(z.describe("May the command change files of the workspace?")),
    stdin: z
      .optional(z.string().check(z.maxLength(1_048_576)))
      .check(z.describe("What the command reads from standard input.")),
    timeout_seconds: z
      ._default(z.int().check(z.gte(1), z.lte(600)), 60)
      .check(z.describe("The command is killed after this long.")),
  }),
  prepare: (given, workspace, look) => {
    const bytes = given.argv.reduce((sum, word) => sum + Buffer.byteLength(word) + 1, 0);
    if (bytes > MAX_ARGV)
      throw new ArgumentsError(`argv has ${bytes} bytes, and at most ${MAX_ARGV} are taken: use stdin`);
    if (![...given.argv, given.stdin ?? ""].every((word) => word.isWellFormed()))
      throw new ArgumentsError("argv or stdin holds half a character (a lone surrogate)");
    if (given.argv.some((word) => word.includes("\0"))) throw new ArgumentsError("an argument cannot hold a NUL");
    return {
      type: "exec",
      workspace,
      argv: given.argv,
      write: given.write,
      stdin: given.stdin ?? null,
      timeoutSeconds: given.timeout_seconds,
      // Who may only read changes nothing by reading another file than was meant.
      files: given.write ? look.named(workspace, given.argv) : [],
      ...(look.sandboxState.state === "weaker" ? { sandbox: "weaker" } : {}),
    };
  },
});
