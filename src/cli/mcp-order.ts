import * as z from "zod/mini";
import { Name } from "../ipc/ids.ts";
import { type CommandError, usage } from "./command-error.ts";
import { printable } from "./printable.ts";
import { isPlaceholder, looksSecret } from "./secret-looks.ts";

/** A secret that stood where it must not, on its way to the vault. */
export interface FoundSecret {
  /** As it is called in the vault, behind `secret/`. */
  readonly credential: string;
  readonly bytes: Uint8Array;
  /** How the server gets it. */
  readonly given: { readonly env: string } | { readonly header: { readonly header: string; readonly prefix: string } };
  /** Where it stood, in words. */
  readonly place: string;
}

/** A server that is to be added, as somebody wrote it. */
export interface ServerOrder {
  readonly name: string;
  readonly words: readonly string[] | null;
  readonly url: string | null;
  readonly env: Readonly<Record<string, string>>;
  readonly secrets: readonly FoundSecret[];
}

/** One server as other assistants write it. What else stands there is theirs. */
const Foreign = z.looseObject({
  command: z.optional(z.string().check(z.minLength(1), z.maxLength(4096))),
  args: z.optional(z.array(z.string().check(z.maxLength(4096))).check(z.maxLength(127))),
  env: z.optional(z.record(z.string(), z.string().check(z.maxLength(65_536)))),
  url: z.optional(z.string().check(z.maxLength(2048))),
  serverUrl: z.optional(z.string().check(z.maxLength(2048))),
  httpUrl: z.optional(z.string().check(z.maxLength(2048))),
  headers: z.optional(z.record(z.string(), z.string().check(z.maxLength(65_536)))),
});
type Foreign = z.infer<typeof Foreign>;

const Servers = z.record(z.string().check(z.maxLength(200)), Foreign);
/** Servers of one file. */
const MOST = 32;

/** The servers in a file as other assistants keep it. @param only the name of one of them, or of the only one; null: all.
 *  @throws {CommandError} usage. */
export function serversIn(text: string, only: string | null): ServerOrder[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw usage(
      "this is no JSON",
      'it is to look like {"mcpServers": {"NAME": {"command": "npx", "args": ["-y", "PACKAGE"]}}}',
    );
  }
  const found = mapOf(value, only);
  const names = Object.keys(found);
  if (names.length === 0) throw usage("it names no server", null);
  if (names.length > MOST)
    throw usage(`it names ${names.length} servers, and at most ${MOST} are taken at once`, "give the name of one");
  if (only === null) return names.map((name) => orderOf(nameOf(name), found[name] ?? {}));
  const one = found[only] ?? (names.length === 1 ? found[names[0] ?? ""] : undefined);
  if (one === undefined)
    throw usage(`it names no server ${only}`, `it names ${names.map((name) => printable(name)).join(", ")}`);
  return [orderOf(only, one)];
}

function mapOf(value: unknown, only: string | null): Readonly<Record<string, Foreign>> {
  const File = z.looseObject({
    mcpServers: z.optional(Servers),
    servers: z.optional(Servers),
    mcp: z.optional(z.looseObject({ servers: z.optional(Servers) })),
  });
  const file = File.safeParse(value);
  const inside = file.success ? (file.data.mcpServers ?? file.data.servers ?? file.data.mcp?.servers) : undefined;
  if (inside !== undefined) return inside;
  if (!file.success) throw unreadable(file.error);
  // One server by itself, or the inner part alone.
  if ("command" in file.data || "url" in file.data || "serverUrl" in file.data) {
    if (only === null) throw usage("a server by itself has no name", "give it one: wirken mcp add NAME --from FILE");
    return { [only]: Foreign.parse(file.data) };
  }
  const inner = Servers.safeParse(value);
  if (!inner.success) throw unreadable(inner.error);
  return inner.data;
}

function unreadable(error: z.core.$ZodError): CommandError {
  const [issue] = error.issues;
  return usage(
    `it is not as other assistants write it: ${printable(issue?.path.map(String).join(".") ?? "")} ${issue?.message ?? ""}`.trimEnd(),
    'it is to look like {"mcpServers": {"NAME": {"command": "npx", "args": ["-y", "PACKAGE"]}}}',
  );
}

/** A name of theirs as one of ours. */
function nameOf(theirs: string): string {
  const name = theirs
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, 32);
  if (Name.safeParse(name).success) return name;
  throw usage(`the name ${printable(theirs)} cannot be kept`, "give another: wirken mcp add NAME --from FILE");
}

function orderOf(name: string, { command, args, env, url, serverUrl, httpUrl, headers }: Foreign): ServerOrder {
  const place = url ?? serverUrl ?? httpUrl ?? null;
  if ((command === undefined) === (place === null))
    throw usage(
      `${name} has ${command === undefined ? "neither a command nor a url" : "both a command and a url"}`,
      null,
    );
  const given = Object.entries(env ?? {}).map(([key, value]) => settingOf(name, "env", key, value));
  const carried = Object.entries(headers ?? {}).map(([key, value]) => settingOf(name, "headers", key, value));
  if (place !== null && given.length > 0)
    throw usage(`${name} has a url and env: nothing is started here that could have it`, null);
  const words = command === undefined ? null : wordsOf(command, args ?? []);
  if (words !== null) refuseSecretWords(words);
  const plain = given.filter(({ secret }) => !secret);
  const open = carried.find(({ secret }) => !secret);
  if (open !== undefined)
    throw usage(
      `${name}: the header ${open.key} is not known to be a secret, and only secrets are sent in headers of their own`,
      null,
    );
  return {
    name,
    words,
    url: place,
    env: Object.fromEntries(plain.map(({ key, value }) => [key, value])),
    secrets: [
      ...given
        .filter(({ secret }) => secret)
        .map(({ key, value }) => ({
          credential: credentialName(name, key),
          bytes: Buffer.from(value),
          given: { env: key },
          place: `env.${key}`,
        })),
      ...carried.map(({ key, value }) => headerSecret(name, key, value)),
    ],
  };
}

function settingOf(
  name: string,
  where: string,
  key: string,
  value: string,
): { key: string; value: string; secret: boolean } {
  const secret = looksSecret(key, value) || where === "headers";
  if (secret && isPlaceholder(value))
    throw usage(
      `${name}: ${where}.${printable(key)} stands for a value that is not there`,
      `put the value in its place; it goes to the vault and nowhere else`,
    );
  return { key, value, secret };
}

function headerSecret(name: string, key: string, value: string): FoundSecret {
  const [, prefix = "", rest = value] = /^(Bearer |Basic |Token )(.+)$/i.exec(value) ?? [];
  return {
    credential: credentialName(name, key),
    bytes: Buffer.from(rest),
    given: { header: { header: key.toLowerCase(), prefix } },
    place: `headers.${key}`,
  };
}

/** Some write the whole command line into one word. */
function wordsOf(command: string, args: readonly string[]): string[] {
  const first = args.length === 0 && /^(?:npx|uvx|node|python3?) /.test(command) ? command.split(/ +/) : [command];
  return [...first, ...args.filter((word) => word !== "")];
}

/** What a program is started with can be read by others on this machine: no secret stands there.
 *  @throws {CommandError} usage. */
export function refuseSecretWords(words: readonly string[]): void {
  for (const [at, word] of words.entries()) {
    const [, option = "", value = word] = /^(--?[A-Za-z][A-Za-z0-9_-]*)=(.*)$/.exec(word) ?? [];
    const before = words[at - 1] ?? "";
    const named = option === "" && before.startsWith("-") && !word.startsWith("-") ? before : option;
    // Folders and packages are called all kinds of things.
    if (/^[@./~]/.test(value) || (option === "" && word.startsWith("-")) || at === 0) continue;
    if (looksSecret(named, value) && !isPlaceholder(value))
      throw usage(
        `what stands ${named === "" ? `as word ${at + 1}` : `behind ${printable(named)}`} looks like a secret, and everybody on this machine can read what a program is started with`,
        "enrol it (wirken vault add secret/NAME), and give it by: --credential NAME=env:VARIABLE, or NAME=file:FILE",
      );
  }
}

/** Such as `github-token` for GITHUB_TOKEN of the server github. */
export function credentialName(server: string, key: string): string {
  const word = key
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "");
  const name = word === server || word.startsWith(`${server}-`) ? word : `${server}-${word}`;
  return name.slice(0, 64).replace(/-+$/, "");
}
