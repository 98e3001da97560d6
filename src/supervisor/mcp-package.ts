import type { RegistriesConfig } from "../config/schema.ts";
import { OperatorError } from "./operator-error.ts";
import { type Reach, registryReach } from "./reach-list.ts";

/** A package as somebody asked for it. */
export interface PackageWish {
  readonly registry: "npm" | "pypi";
  /** Such as `@scope/name`, or `name[extra]`. */
  readonly name: string;
  /** The versions that will do; null: the newest. */
  readonly range: string | null;
  /** Which of its programs; null: the one that is called like it. */
  readonly program: string | null;
}

const NPM_NAME = /^(@[a-z0-9~-][a-z0-9._~-]{0,99}\/)?[a-z0-9~-][a-z0-9._~-]{0,99}$/;
const PYPI_NAME = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,99}[A-Za-z0-9])?(\[[A-Za-z0-9,._-]{1,100}\])?$/;
/** Versions, ranges and tags of npm: nothing that names another place. */
const NPM_RANGE = /^[A-Za-z0-9.^~<>=*|+ -]{1,100}$/;
const PYPI_RANGE = /^(==|>=|<=|~=|!=|<|>)[A-Za-z0-9.*+!]{1,40}(,(==|>=|<=|~=|!=|<|>)[A-Za-z0-9.*+!]{1,40}){0,5}$/;
const PROGRAM = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/;

/** What `npx …` or `uvx …` would run, read off its words; null: it is neither.
 *  @throws {OperatorError} usage, where it is one and cannot be installed. */
export function packageOf(argv: readonly string[]): { readonly wish: PackageWish; readonly args: string[] } | null {
  switch (argv[0]) {
    case "npx":
      return npx(argv.slice(1));
    case "npm":
      return argv[1] === "exec" || argv[1] === "x" ? npx(argv.slice(2)) : null;
    case "uvx":
      return uvx(argv.slice(1));
    case "uv":
      return argv[1] === "tool" && argv[2] === "run" ? uvx(argv.slice(3)) : null;
    default:
      return null;
  }
}

function npx(words: readonly string[]): { wish: PackageWish; args: string[] } {
  const { option, rest } = optionsOf(words, ["-y", "--yes", "-q", "--quiet"], ["-p", "--package"], "npx");
  const [first, ...args] = rest;
  const named = option ?? first;
  if (first === undefined || named === undefined)
    throw usage("npx is not told which package", "write: wirken mcp add NAME -- npx -y PACKAGE");
  const at = named.indexOf("@", 1);
  const name = at === -1 ? named : named.slice(0, at);
  const range = at === -1 ? null : named.slice(at + 1);
  if (!NPM_NAME.test(name) || (range !== null && !NPM_RANGE.test(range)))
    throw usage(
      `${named} is no package of the npm registry`,
      "name it as PACKAGE or PACKAGE@VERSION; folders, addresses and git repositories are not installed",
    );
  return { wish: { registry: "npm", name, range, program: programOf(option === null ? null : first) }, args };
}

function uvx(words: readonly string[]): { wish: PackageWish; args: string[] } {
  const { option, rest } = optionsOf(words, ["-q", "--quiet"], ["--from"], "uvx");
  const [first, ...args] = rest;
  const named = option ?? first;
  if (first === undefined || named === undefined)
    throw usage("uvx is not told which package", "write: wirken mcp add NAME -- uvx PACKAGE");
  const [, name = "", written = ""] = /^([^@=<>!~]*)(.*)$/.exec(named) ?? [];
  const version = written.startsWith("@") ? written.slice(1) : null;
  const range = written === "" || version === "latest" ? null : version === null ? written : `==${version}`;
  if (!PYPI_NAME.test(name) || (range !== null && !PYPI_RANGE.test(range)))
    throw usage(
      `${named} is no package of a Python index`,
      "name it as PACKAGE, PACKAGE@VERSION or PACKAGE==VERSION; folders, addresses and git repositories are not installed",
    );
  return { wish: { registry: "pypi", name, range, program: programOf(option === null ? null : first) }, args };
}

/** Options before the first other word. */
function optionsOf(
  words: readonly string[],
  plain: readonly string[],
  valued: readonly string[],
  command: string,
): { option: string | null; rest: string[] } {
  let option: string | null = null;
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? "";
    if (word === "--") return { option, rest: words.slice(at + 1) };
    if (!word.startsWith("-")) return { option, rest: words.slice(at) };
    const [name, joined] = word.startsWith("--") ? split(word) : [word, null];
    if (valued.includes(name)) {
      option = joined ?? words[(at += 1)] ?? null;
      if (option === null) throw usage(`${command} ${name} names nothing`, null);
    } else if (!plain.includes(word))
      throw usage(`${command} ${word} is not known here`, `known are ${[...plain, ...valued].join(", ")}`);
  }
  return { option, rest: [] };
}

function split(word: string): [string, string | null] {
  const at = word.indexOf("=");
  return at === -1 ? [word, null] : [word.slice(0, at), word.slice(at + 1)];
}

function programOf(word: string | null): string | null {
  if (word !== null && !PROGRAM.test(word)) throw usage(`${word} is no name of a program`, null);
  return word;
}

function usage(sentence: string, hint: string | null): OperatorError {
  return new OperatorError("usage", sentence, hint);
}

/** As the package manager takes it. */
export function specificationOf({ registry, name, range }: PackageWish): string {
  if (range === null) return name;
  return registry === "npm" ? `${name}@${range}` : `${name}${range}`;
}

/** The registries that everybody uses, by their domains; files of PyPI lie with another host. */
export const PUBLIC = {
  npm: { url: `https://${below("npmjs.org", "registry")}/`, files: [] },
  pypi: { url: "https://pypi.org/simple/", files: [below("pythonhosted.org", "files")] },
};

function below(domain: string, host: string): string {
  return `${host}.${domain}`;
}

/** Where packages come from now, and what that may reach. */
export function registryOf(
  registry: "npm" | "pypi",
  configured: RegistriesConfig,
): { readonly url: string; readonly host: string; readonly reach: Reach } {
  const own = configured[registry];
  const { url, files } = own ?? PUBLIC[registry];
  return { url, host: new URL(url).hostname, reach: registryReach(registry, url, files, own !== undefined) };
}
