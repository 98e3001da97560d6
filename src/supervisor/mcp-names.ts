import { createHash } from "node:crypto";

/** What models take as a tool's name, in characters. */
const MAX_OFFERED_NAME = 64;
const SUFFIX = 8;

/** A tool in keys, without its server: as its server calls it, where that is a word; else made of it, and never the same for two. */
export function keyOfTool(name: string): string {
  if (/^[a-z0-9_.-]{1,60}$/.test(name)) return name;
  const near = name.toLowerCase().replaceAll(/[^a-z0-9_.-]/g, "_");
  return `${near.slice(0, 60)}.${digestOf(name).slice(0, 16)}`;
}

/** Tools of one server as a model calls them. One whose name would be another's gets a longer one, the same at every start.
 *  @param names of its tools. */
export function offeredNames(server: string, names: readonly string[]): ReadonlyMap<string, string> {
  const taken = new Map<string, string>();
  // Those that stand as they are come first: no other takes a name from them.
  const plainFirst = names.toSorted((a, b) => Number(isWord(b)) - Number(isWord(a)) || (a < b ? -1 : 1));
  for (const name of plainFirst) {
    const whole = `mcp__${word(server)}__${word(name)}`;
    const fits = whole.length <= MAX_OFFERED_NAME && !taken.has(whole);
    const offered = fits
      ? whole
      : `${whole.slice(0, MAX_OFFERED_NAME - SUFFIX - 1)}_${digestOf(name).slice(0, SUFFIX)}`;
    if (!taken.has(offered)) taken.set(offered, name);
  }
  return new Map([...taken].map(([offered, name]) => [name, offered]));
}

function isWord(name: string): boolean {
  return word(name) === name;
}

function word(text: string): string {
  return text.toLowerCase().replaceAll(/[^a-z0-9_]/g, "_");
}

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
