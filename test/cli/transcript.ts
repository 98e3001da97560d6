/** A transcript is what somebody sees on a terminal, in a file that can be read:
 *
 *      # what it shows, as a sentence
 *      $ wirken statsu            a command; `$ … < text` gives it standard input
 *      stdout as it is
 *      ! stderr behind a mark
 *      = 2                        its status; 0 is left out
 *      + config.json {…}          a file in the data directory, before the first command
 *      & wirken start             a daemon: it runs until the transcript ends, and is waited for
 *
 *  `{home}` is the data directory, also in a command, `{any}` some text of one line, `...` any number of lines. */

export interface Step {
  readonly background: boolean;
  readonly words: readonly string[];
  readonly input: string;
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
  readonly status: number;
}
export interface Transcript {
  readonly title: string;
  /** What lies in the data directory before the first command, by name. */
  readonly files: ReadonlyMap<string, string>;
  readonly steps: readonly Step[];
}

interface Draft {
  background: boolean;
  words: string[];
  input: string;
  stdout: string[];
  stderr: string[];
  status: number;
}

export function parseTranscript(text: string): Transcript {
  let title = "";
  const steps: Draft[] = [];
  const files = new Map<string, string>();
  for (const line of text.trimEnd().split("\n")) {
    const step = steps.at(-1);
    if (line.startsWith("# ")) title = line.slice(2);
    else if (step === undefined && line.startsWith("+ ")) {
      const [, name = "", held = ""] = /^\+ (\S+) (.*)$/.exec(line) ?? [];
      files.set(name, held);
    } else if (line.startsWith("$ ") || line.startsWith("& ")) {
      const [command = "", input = ""] = line.slice(2).split(" < ");
      const words = wordsOf(command);
      if (words.shift() !== "wirken") throw new Error(`a command begins with wirken: ${line}`);
      steps.push({
        background: line.startsWith("&"),
        words,
        input: input.replaceAll(String.raw`\n`, "\n"),
        stdout: [],
        stderr: [],
        status: 0,
      });
    } else if (step === undefined) {
      if (line !== "") throw new Error(`no command stands before: ${line}`);
    } else if (line.startsWith("= ")) step.status = Number(line.slice(2));
    else if (line === "!" || line.startsWith("! ")) step.stderr.push(line.slice(2));
    else step.stdout.push(line);
  }
  for (const step of steps) while (step.stdout.at(-1) === "") step.stdout.pop();
  if (title === "") throw new Error("a transcript begins with # and a sentence");
  return { title, files, steps };
}

/** Words as a shell would split them: double quotes hold spaces together. */
function wordsOf(command: string): string[] {
  return [...command.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2] ?? "");
}

/** A pattern for expected lines: `...` is any number of lines. */
export function patternOf(lines: readonly string[], home: string): RegExp {
  const parts = lines.map((line) => {
    if (line === "...") return String.raw`(?:[^\n]*\n)*?`;
    const literal = line.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
    return `${literal
      .replaceAll(String.raw`\{home\}`, () => home.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
      .replaceAll(String.raw`\{any\}`, "[^\\n]+")}\\n`;
  });
  return new RegExp(`^${parts.join("")}$`);
}
