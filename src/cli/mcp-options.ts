import { existsSync, statSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";
import * as z from "zod/mini";
import { usage } from "./command-error.ts";
import { printable } from "./printable.ts";
import { isPlaceholder, looksSecret } from "./secret-looks.ts";

/** What `mcp add` is told beside the program or the address. */
export const McpAddOptions = z.object({
  url: z.optional(z.string()),
  from: z.optional(z.string()),
  read: z._default(z.array(z.string()), []),
  write: z._default(z.array(z.string()), []),
  host: z._default(z.array(z.string()), []),
  env: z._default(z.array(z.string()), []),
  credential: z._default(z.array(z.string()), []),
  agent: z._default(z.array(z.string()), []),
  memory: z.optional(z.string()),
  public: z._default(z.boolean(), false),
  yes: z._default(z.boolean(), false),
  json: z._default(z.boolean(), false),
});
export type McpAddOptions = z.infer<typeof McpAddOptions>;

/** How a server gets a credential, as config.json has it. */
export interface CredentialUse {
  readonly name: string;
  readonly file?: string;
  readonly env?: string;
  readonly header?: { readonly header: string; readonly prefix: string };
}

/** @param url is the server one with an address? @throws {CommandError} usage. */
export function credentialUse(text: string, url: boolean): CredentialUse {
  const [, written = "", how = "", what = ""] = /^([^=]+)=?(env|file|header|bearer)?:?(.*)$/.exec(text) ?? [];
  const name = written.replace(/^secret\//, "");
  const wrong = usage(
    `--credential ${printable(text)} does not say how the server gets it`,
    url
      ? "NAME=bearer, or NAME=header:X-Api-Key"
      : "NAME=env:VARIABLE, or NAME=file:FILE (below /run/secrets); NAME is that of: wirken vault add secret/NAME",
  );
  if (url && how === "bearer") return { name, header: { header: "authorization", prefix: "Bearer " } };
  if (url && how === "header" && what !== "") return { name, header: { header: what.toLowerCase(), prefix: "" } };
  if (!url && how === "env" && what !== "") return { name, env: what };
  if (!url && how === "file" && what !== "") return { name, file: what };
  throw wrong;
}

/** `NAME=VALUE`, which is no secret. @throws {CommandError} usage. */
export function variables(given: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    given.map((text) => {
      const at = text.indexOf("=");
      if (at < 1) throw usage(`--env ${printable(text)} is not NAME=VALUE`, null);
      const [name, value] = [text.slice(0, at), text.slice(at + 1)];
      if (looksSecret(name, value) && !isPlaceholder(value))
        throw usage(
          `${printable(name)} looks like a secret, and no secret is taken as an argument`,
          `wirken vault add secret/NAME, then: --credential NAME=env:${printable(name)}`,
        );
      return [name, value];
    }),
  );
}

/** A path as somebody typed it, whole. @throws {CommandError} usage. */
export function wholePath(option: string, path: string): string {
  const whole = resolve(path);
  if (!existsSync(whole)) throw usage(`${option} ${printable(path)} is not there`, null);
  return whole;
}

/** A program's words with the folders in them as whole paths: it is started elsewhere than where they were typed. */
export function settled(words: readonly string[]): string[] {
  return words.map((word) => (/^\.{1,2}(?:\/|$)/.test(word) && existsSync(word) ? resolve(word) : word));
}

/** Files and folders that a program is told of, and would not see. */
export function unseen(words: readonly string[], seen: readonly string[]): string[] {
  return words
    .slice(1)
    .flatMap((word) => {
      const path = word.replace(/^--?[A-Za-z][A-Za-z0-9_-]*=/, "");
      return isAbsolute(path) && existsSync(path) && isPlace(path) ? [path] : [];
    })
    .filter((path) => !seen.some((one) => path === one || path.startsWith(`${one.replace(/\/+$/, "")}/`)));
}

function isPlace(path: string): boolean {
  const found = statSync(path);
  return (
    (found.isDirectory() || found.isFile()) && !/^\/(?:usr|bin|lib|lib64|sbin|package|dev|proc|sys)(?:\/|$)/.test(path)
  );
}
