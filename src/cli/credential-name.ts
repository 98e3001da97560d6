import { nearest } from "../config/nearest.ts";
import { AdapterChannel, PLATFORMS, platformOf } from "../ipc/channel.ts";
import { Name } from "../ipc/ids.ts";
import { PLATFORM_CREDENTIALS, type PlatformCredential } from "../ipc/platform-credentials.ts";
import { KNOWN_PROVIDERS } from "../ipc/provider.ts";
import { type CommandError, usage } from "./command-error.ts";

/** One secret that is asked for. */
export interface Wanted extends Pick<PlatformCredential, "onlyWith" | "without" | "optional" | "spaces"> {
  /** Its name in the vault. */
  readonly name: string;
  readonly label: string;
  /** What its shape must match (see `shapeOf`), or null where anything may do. */
  readonly looksLike: RegExp | null;
  readonly kind: PlatformCredential["kind"];
}

/** What a person names behind `vault add`: a channel or a provider, and what it needs. */
export interface Enrolment {
  readonly scope: string;
  readonly kind: "channel" | "provider" | "secret";
  /** As it was named, without `channel/` or `provider/`. */
  readonly subject: string;
  /** In the order in which it is asked for. */
  readonly wanted: readonly Wanted[];
}

const PROVIDER_KEY = "api-key";
/** How a known provider's key begins, where it says so itself. */
const KEY_LOOKS_LIKE: Readonly<Record<string, RegExp>> = {
  anthropic: /^sk-ant/,
  openrouter: /^sk-or-/,
  google: /^(AIza|AQ\.)/,
};

function isPlatform(word: string): word is keyof typeof PLATFORM_CREDENTIALS {
  return Object.hasOwn(PLATFORM_CREDENTIALS, word);
}
function isProvider(word: string): word is keyof typeof KNOWN_PROVIDERS {
  return Object.hasOwn(KNOWN_PROVIDERS, word);
}

/** Finds what a word means. @param configured providers that the configuration names.
 *  @throws {CommandError} naming the nearest word that means something. */
export function enrolmentOf(word: string, configured: readonly string[]): Enrolment {
  if (word.startsWith("secret/")) return freeNamed(word.slice("secret/".length));
  if (word === "proxy" || word === PROXY.scope) return PROXY;
  const subject = word.replace(/^(?:channel|provider)\//, "");
  const [head = ""] = subject.split(":", 1);
  if (isPlatform(head) && !word.startsWith("provider/")) {
    const channel = AdapterChannel.safeParse(subject);
    if (!channel.success)
      throw usage(`${subject} is not a channel`, "a second account has a name of its own: slack:acme");
    return {
      scope: `channel/${subject}`,
      kind: "channel",
      subject,
      wanted: PLATFORM_CREDENTIALS[platformOf(channel.data)].map((one) => ({
        ...one,
        looksLike: new RegExp(one.looksLike),
      })),
    };
  }
  if (word.startsWith("channel/")) throw unknown(subject, PLATFORMS);
  if (isProvider(subject)) {
    const { needsKey, label } = KNOWN_PROVIDERS[subject];
    if (!needsKey)
      throw usage(`${subject} needs no key`, `name a model of it in config.json, such as ${subject}/MODEL`);
    return provider(subject, label);
  }
  if (configured.includes(subject) && Name.safeParse(subject).success)
    return provider(subject, `API key for ${subject}`);
  throw unknown(subject, [...PLATFORMS, ...withKey(), ...configured]);
}

/** What opens the proxy of config.json's `network.proxy`. */
const PROXY: Enrolment = {
  scope: "network/proxy",
  kind: "secret",
  subject: "proxy",
  wanted: [
    {
      name: "proxy-credential",
      label: "User and password of the proxy (USER:PASSWORD)",
      looksLike: /^[^:]+:./,
      kind: "secret",
    },
  ],
};

/** A value for a skill or an MCP server, under a name of its owner's choice. */
function freeNamed(name: string): Enrolment {
  // What was pasted in the place of a name is not repeated.
  if (!/^[a-z0-9][a-z0-9-]{0,63}$/.test(name) || /^(?:xox|xapp|sk-|gh[a-z]_)/.test(name))
    throw usage("a secret's name is made of a-z, 0-9 and -", "such as: wirken vault add secret/github-token");
  return {
    scope: `secret/${name}`,
    kind: "secret",
    subject: `secret/${name}`,
    wanted: [{ name: "value", label: `Value of ${name}`, looksLike: null, kind: "secret" }],
  };
}

function provider(subject: string, label: string): Enrolment {
  return {
    scope: `provider/${subject}`,
    kind: "provider",
    subject,
    wanted: [{ name: PROVIDER_KEY, label, looksLike: KEY_LOOKS_LIKE[subject] ?? null, kind: "secret" }],
  };
}

function withKey(): string[] {
  return Object.entries(KNOWN_PROVIDERS).flatMap(([name, { needsKey }]) => (needsKey ? [name] : []));
}

function unknown(word: string, known: readonly string[]): CommandError {
  // Somebody may have pasted a secret where its owner's name belongs: what does not look like a name is not repeated.
  const shown = /^[a-z][a-z0-9:-]{0,31}$/.test(word) && !/^(?:xox|xapp|sk-)/.test(word) ? word : "that";
  const near = shown === "that" ? null : nearest(word, known);
  return usage(
    `${shown} is no channel and no provider that is known here`,
    near === null
      ? `known: ${known.join(", ")}; another provider is named in config.json first, and what a skill needs is secret/NAME`
      : `did you mean ${near}?`,
  );
}
