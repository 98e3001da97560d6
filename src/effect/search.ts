import type { CommandEnd } from "../sandbox/command.ts";
import { HOME_FOLDER } from "../sandbox/home-folder.ts";
import type { ActionOfType } from "./action.ts";
import { plain } from "./plain-name.ts";

/** Seconds that a search may take. */
export const SEARCH_SECONDS = 30;
/** Characters of a line that are shown. */
const MAX_LINE = 300;

/** A line that matched. */
interface Match {
  readonly path: string;
  readonly line: number;
  readonly text: string;
}

/** The command that searches. @param folders further ones to look in. It is grep's, in the sandbox: a pattern is a stranger's, and grep needs linear time for it. */
export function searchCommand(action: ActionOfType<"file.search">, folders: readonly string[]): string[] {
  return [
    "grep",
    // Down all directories, in text files, with line numbers; a path ends with a NUL.
    "-rInHZ",
    action.regexp ? "-E" : "-F",
    ...(action.ignoreCase ? ["-i"] : []),
    "--exclude-dir=.git",
    `--exclude-dir=${HOME_FOLDER}`,
    ...(action.files === null ? [] : [`--include=${action.files}`]),
    "-e",
    action.pattern,
    "--",
    // Within the workspace, where commands start.
    `./${action.path}`,
    ...folders.map((name) => `./${name}/`),
  ];
}

/** What a search found, in order of path and line.
 *  @returns null if grep refused the pattern or found nothing to look in: what it said stands in its error output. */
export function foundIn(end: CommandEnd, action: ActionOfType<"file.search">): string | null {
  const matches = matchesIn(end.stdout);
  const whole = end.reason === "exited";
  if (whole && (end.status ?? 2) > 1 && matches.length === 0) return null;
  const shown = matches
    .toSorted((a, b) => (a.path === b.path ? a.line - b.line : a.path < b.path ? -1 : 1))
    .slice(0, action.limit)
    .map(({ path, line, text }) => `${plain(path)}:${line}: ${text}`);
  if (!whole) shown.push("[the search was ended before it was done: look in fewer files, or for something rarer]");
  else if (matches.length > shown.length)
    shown.push(`[${action.limit} of ${matches.length} matches: look in fewer files, or raise the limit]`);
  else if (matches.length === 0) shown.push("[nothing like that stands in these files]");
  // Status 2 beside matches: some files could not be read.
  if (whole && end.status === 2) shown.push("[some files could not be read]");
  return shown.join("\n");
}

const NUL = 0;
const COLON = 0x3a;
const NEWLINE = 0x0a;

/** `path NUL line : text newline`, over and over. A last one that was cut short is left out. */
function matchesIn(bytes: Uint8Array): Match[] {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const matches: Match[] = [];
  for (let at = 0; at < bytes.length; ) {
    const path = bytes.indexOf(NUL, at);
    const line = path < 0 ? -1 : bytes.indexOf(COLON, path);
    const end = line < 0 ? -1 : bytes.indexOf(NEWLINE, line);
    if (end < 0) break;
    const text = decoder.decode(bytes.subarray(line + 1, end));
    matches.push({
      path: decoder.decode(bytes.subarray(at, path)).replace(/^(?:\.\/)+/, ""),
      line: Number(decoder.decode(bytes.subarray(path + 1, line))),
      text: text.length <= MAX_LINE ? text : `${text.slice(0, MAX_LINE)}…`,
    });
    at = end + 1;
  }
  return matches;
}
