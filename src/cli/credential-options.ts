import * as z from "zod/mini";
import { loadConfig } from "../config/load.ts";
import { HeaderName } from "../ipc/fetch-frames.ts";
import { AdapterChannel, platformOf } from "../ipc/channel.ts";
import { usage } from "./command-error.ts";
import type { Context } from "./context.ts";
import type { Enrolment } from "./credential-name.ts";
import { instructionsFor } from "./platform-instructions.ts";
import { pointInTime } from "./point-in-time.ts";
import { SecretOptions } from "./secret-options.ts";

/** What `vault add` and `vault rotate` have in common: how a credential is given, and what is known of it. */

export const CredentialOptions = z.extend(SecretOptions, {
  json: z._default(z.boolean(), false),
  check: z._default(z.boolean(), true),
  expires: z.optional(z.string()),
  rotateBy: z.optional(z.string()),
  host: z._default(z.array(z.string()), []),
  header: z.optional(z.string()),
});

const HOST = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;

/** Gathers an option that may be given more than once. */
export function collect(host: string, before: readonly string[]): string[] {
  return [...before, host];
}

/** The header that requests carry it in, in lower case; null: none was named. @throws {CommandError} for what is no name of one. */
export function headerOf(text: string | undefined): string | null {
  if (text === undefined) return null;
  const header = HeaderName.safeParse(text.toLowerCase());
  if (header.success) return header.data;
  throw usage("--header takes the name of a header, such as X-Api-Key", "without a colon and without its value");
}

/** @throws {CommandError} for what is no date in the future, and what is no host. */
export function datesAndHosts(
  { expires, rotateBy, host }: Pick<z.infer<typeof CredentialOptions>, "expires" | "rotateBy" | "host">,
  now: number,
): { expires: string | null; rotationDue: string | null; hosts: string[] } {
  return {
    expires: expires === undefined ? null : pointInTime(expires, "--expires", now),
    rotationDue: rotateBy === undefined ? null : pointInTime(rotateBy, "--rotate-by", now),
    hosts: host.map((name) => hostOf(name)),
  };
}

function hostOf(text: string): string {
  const host = text.toLowerCase();
  if (!HOST.test(host))
    throw usage("--host takes the name of a host, such as api.github.com", "without https:// and without a path");
  return host;
}

/** Providers that the configuration names; a file that is wrong names none here, and the daemon says what is wrong with it. */
export function configuredProviders({ home }: Context): string[] {
  const loaded = loadConfig(home.config);
  return loaded.state === "loaded" ? Object.keys(loaded.config.providers) : [];
}

/** Says where a platform shows what is about to be asked for. */
export function instruct({ kind, subject }: Enrolment, { terminal }: Context): void {
  if (kind === "channel") terminal.say(instructionsFor(platformOf(AdapterChannel.parse(subject))));
}
