/** Reads an approval card back into the action that it shows: what a careful person would do, letter by letter. It shares no code with what
 *  makes cards, so that the two can disagree. */

export interface ReadCard {
  readonly argv: readonly string[];
  readonly stdin: string | null;
  readonly file: string | null;
  /** The whole file as it will be. */
  readonly content: string | null;
  /** SHA-256 of the file as it must still be; null: it must not be there. */
  readonly base: string | null;
  readonly changes: boolean;
}

/** @param text of a card that asks for one action. @throws {Error} for a line that is no part of a card. */
export function readCard(text: string): ReadCard {
  const lines = text.replace(/\n$/, "").split("\n");
  const values = (label: RegExp): string[] =>
    lines.flatMap((line) => {
      const match = new RegExp(`^  ${label.source} \\| (.*)$`, "u").exec(line);
      return match === null ? [] : [plain(match[1] ?? "")];
    });
  const [file = null] = values(/file/);
  const [still = null] = values(/only if the file is still/);
  return {
    argv: values(/argv \d+/),
    stdin: blockOf(lines, "standard input"),
    file,
    content: blockOf(lines, "the whole file as it will be"),
    base: still?.startsWith("sha256 ") === true ? still.slice("sha256 ".length) : null,
    changes: lines.some((line) => /CAN CHANGE the workspace|^1\. (?:create|change) /.test(line)),
  };
}

function blockOf(lines: readonly string[], label: string): string | null {
  const at = lines.findIndex((line) => line.startsWith(`  ${label} (`));
  if (at === -1) return null;
  const counted = /\((\d+) bytes, (\d+) lines\)$/.exec(lines[at] ?? "");
  if (counted === null) throw new Error(`no block: ${lines[at] ?? ""}`);
  const [, bytes, count] = counted.map(Number);
  const shown = lines.slice(at + 1, at + 1 + (count ?? 0));
  const ended = shown.at(-1) === "  \\ no line break at the end";
  const body = (ended ? shown.slice(0, -1) : shown).map((line) => {
    if (!line.startsWith("  | ")) throw new Error(`no line of a block: ${line}`);
    return plain(line.slice("  | ".length));
  });
  const text = body.join("\n") + (ended || body.length === 0 ? "" : "\n");
  if (Buffer.byteLength(text) !== bytes)
    throw new Error(`${label}: ${bytes} bytes are named, ${Buffer.byteLength(text)} are shown`);
  return text;
}

/** What is written out for the eye, back as it is. */
function plain(shown: string): string {
  return shown.replaceAll(/\\(?:u\{([0-9a-f]+)\}|(.))/gu, (_, code: string | undefined, sign: string | undefined) => {
    if (code !== undefined) return String.fromCodePoint(Number.parseInt(code, 16));
    return sign === "n" ? "\n" : sign === "t" ? "\t" : (sign ?? "");
  });
}
