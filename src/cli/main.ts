import { EXIT } from "./exit-status.ts";
import { versionText } from "./version-text.ts";

/** The command line's first file. It loads next to nothing: `--version` is answered from here, the rest when it is asked for. */

const words = process.argv.slice(2);

// A reader that has seen enough, such as head, is no error.
process.stdout.on("error", (error: Error & { code?: string }) => {
  if (error.code === "EPIPE") process.exit(EXIT.ok);
  throw error;
});

if (words.length === 1 && (words[0] === "--version" || words[0] === "-V")) {
  process.stdout.write(`${versionText()}\n`);
} else {
  void run();
}

/** A promise that nothing keeps alive would else end the process as if all were well. */
function unfinished(): void {
  process.stderr.write("wirken: a bug: the command ended before it had answered\n");
  process.exitCode = EXIT.bug;
}

async function run(): Promise<void> {
  process.once("exit", unfinished);
  const { runProgram } = await import("./program.ts");
  process.exitCode = await runProgram(words, process.env);
  process.off("exit", unfinished);
}
