import type { Platform } from "./channel.ts";

/** One thing that a platform needs to know us by. */
export interface PlatformCredential {
  /** The record's name in the vault. */
  readonly name: string;
  readonly label: string;
  /** What it must match. Of a secret the command line only sees its shape (letters as `a`, digits as `0` behind the first seven characters, of `xoxe.…` the first ten), so that
   *  each of these fits a value and its shape alike. */
  readonly looksLike: string;
  /** `secret`: typed without being shown. `plain`: no secret, such as an address. `json`: a key file, whose path is typed. */
  readonly kind: "secret" | "plain" | "json";
  /** Wanted only where what stands under another name looks like this. */
  readonly onlyWith?: { readonly name: string; readonly looksLike: string };
  /** Not wanted where what stands under another name looks like this. */
  readonly without?: { readonly name: string; readonly looksLike: string };
  /** May be left out. */
  readonly optional?: true;
  /** It may hold spaces. */
  readonly spaces?: true;
  /** Good for a login and never kept: the check gives what is kept in its place. */
  readonly exchanged?: true;
}

/** A bot token that Slack renews; its shape may stand for it. */
const SLACK_ROTATING = "^xoxe\\.xoxb-";
const ONLY_ROTATING = { name: "bot-token", looksLike: SLACK_ROTATING } as const;

/** When a token was made and when it ends: `2026-11-23T22:31:00.000Z/2026-11-24T10:31:00.000Z`. Nobody types it: it comes with what a platform renews. */
export const TOKEN_LIFE = "token-life";

/** What a platform gives anew when a credential is renewed. Everything else of the credential stays. */
const RENEWED: Partial<Readonly<Record<Platform, readonly string[]>>> = {
  slack: ["bot-token", "refresh-token", TOKEN_LIFE],
  matrix: ["access-token", "refresh-token", TOKEN_LIFE],
};

/** @returns the names that a renewal may bring, all or some of them; none where nothing is renewed. */
export function renewedNames(platform: Platform): readonly string[] {
  return RENEWED[platform] ?? [];
}

/** Which of a platform's credentials are wanted. @param fits whether what is given under a name looks like that; false where nothing is. */
export function wantedOf<Wanted extends Pick<PlatformCredential, "onlyWith" | "without">>(
  all: readonly Wanted[],
  fits: (name: string, looksLike: string) => boolean,
): Wanted[] {
  return all.filter(
    ({ onlyWith, without }) =>
      (onlyWith === undefined || fits(onlyWith.name, onlyWith.looksLike)) &&
      (without === undefined || !fits(without.name, without.looksLike)),
  );
}

/** @returns which of these names are never kept. */
export function exchangedOf(platform: Platform, names: readonly string[]): string[] {
  return PLATFORM_CREDENTIALS[platform]
    .filter((one) => one.exchanged === true && names.includes(one.name))
    .map(({ name }) => name);
}

/** A Matrix account's full name. No access token begins like it. */
const MATRIX_ID = "^@[^\\s:]+:[^\\s]+$";
const BY_PASSWORD = { name: "user", looksLike: MATRIX_ID } as const;

const ID = "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}";
const WEB_ADDRESS = "^https?://[^\\s/@]+(/[^\\s]*)?$";

/** What each platform needs before it can run: one prompt each, in this order, secrets last. All of it lies in the vault under the channel's scope, also what is no
 *  secret: a telephone number or an address of one's own says who somebody is. */
export const PLATFORM_CREDENTIALS: Readonly<Record<Platform, readonly PlatformCredential[]>> = {
  telegram: [
    {
      name: "bot-token",
      label: "Bot token from @BotFather",
      looksLike: "^[0-9]{6,12}:[A-Za-z0-9_-]{30,}$",
      kind: "secret",
    },
  ],
  slack: [
    {
      name: "bot-token",
      label: "Bot User OAuth Token (xoxb-…)",
      looksLike: `^xoxb-|${SLACK_ROTATING}`,
      kind: "secret",
    },
    {
      name: "app-token",
      label: "App-Level Token with connections:write (xapp-…)",
      looksLike: "^xapp-",
      kind: "secret",
    },
    {
      name: "refresh-token",
      label: "Refresh Token of the bot token (xoxe-1-…)",
      looksLike: "^xoxe-",
      kind: "secret",
      onlyWith: ONLY_ROTATING,
    },
    {
      name: "client-id",
      label: "Client ID of the app (Basic Information)",
      looksLike: "^[0-9]+\\.[0-9]+$",
      kind: "secret",
      onlyWith: ONLY_ROTATING,
    },
    {
      name: "client-secret",
      label: "Client Secret of the app (Basic Information)",
      looksLike: "^[0-9a-f]{16,64}$",
      kind: "secret",
      onlyWith: ONLY_ROTATING,
    },
  ],
  discord: [
    {
      name: "bot-token",
      label: "Bot token of the Discord application",
      looksLike: "^[A-Za-z0-9_-]{18,}\\.[A-Za-z0-9_-]{4,}\\.[A-Za-z0-9_-]{20,}$",
      kind: "secret",
    },
  ],
  matrix: [
    { name: "homeserver", label: "Address of the homeserver (https://…)", looksLike: WEB_ADDRESS, kind: "plain" },
    {
      name: "user",
      label:
        "Name of the bot's account (@bot:example.org; to give an access token in place of its password, press Enter)",
      looksLike: MATRIX_ID,
      kind: "plain",
      optional: true,
      exchanged: true,
    },
    {
      name: "password",
      label: "Password of the bot's account, used once for a login and not kept",
      looksLike: "^.",
      kind: "secret",
      onlyWith: BY_PASSWORD,
      spaces: true,
      exchanged: true,
    },
    {
      name: "access-token",
      label: "Access token of the bot's account",
      looksLike: "^[!-~]{10,}$",
      kind: "secret",
      without: BY_PASSWORD,
    },
    {
      name: "refresh-token",
      label: "Refresh token, where the login gave one (else press Enter)",
      looksLike: "^[!-~]{10,}$",
      kind: "secret",
      optional: true,
      without: BY_PASSWORD,
    },
    {
      name: "recovery-key",
      label: "Recovery key of the bot's account, where it has secure backup (else press Enter)",
      looksLike: "^[A-Za-z0-9 ]{40,80}$",
      kind: "secret",
      optional: true,
      spaces: true,
    },
  ],
  teams: [
    { name: "app-id", label: "Application (client) ID", looksLike: `^${ID}$`, kind: "plain" },
    {
      name: "tenant-id",
      label: "Directory (tenant) ID",
      looksLike: `^(${ID}|[A-Za-z0-9-]+(\\.[A-Za-z0-9-]+)+)$`,
      kind: "plain",
    },
    {
      name: "client-secret",
      label: "Client secret (the Value, not the Secret ID)",
      looksLike: `^(?!${ID}$)[!-~]{16,}$`,
      kind: "secret",
    },
  ],
  whatsapp: [
    { name: "phone-number-id", label: "Phone number ID", looksLike: "^[0-9]{10,20}$", kind: "plain" },
    { name: "app-id", label: "App ID", looksLike: "^[0-9]{10,20}$", kind: "plain" },
    {
      name: "access-token",
      label: "Permanent access token of a system user (EAA…)",
      looksLike: "^EAA[A-Za-z0-9]{20,}$",
      kind: "secret",
    },
    { name: "app-secret", label: "App secret", looksLike: "^[0-9a-f]{32}$", kind: "secret" },
  ],
  signal: [
    {
      name: "account",
      label: "Telephone number of the linked account (+49…)",
      looksLike: "^\\+[1-9][0-9]{6,14}$",
      kind: "plain",
    },
    {
      name: "daemon",
      label: "Where signal-cli listens (127.0.0.1:7583, or unix:/PATH of its socket)",
      looksLike: "^((127\\.0\\.0\\.1|localhost):[0-9]{2,5}|unix:/[^:]{1,106})$",
      kind: "plain",
    },
  ],
  "google-chat": [
    {
      name: "service-account",
      label: "Path of the service account's key file (JSON)",
      looksLike: '^\\{.*"private_key"',
      kind: "json",
    },
    {
      name: "subscription",
      label: "Pub/Sub subscription (projects/…/subscriptions/…)",
      looksLike: "^projects/[a-z0-9:.-]+/subscriptions/[A-Za-z0-9_.~+%-]+$",
      kind: "plain",
    },
  ],
  imessage: [
    { name: "server", label: "Address of the BlueBubbles server (https://…)", looksLike: WEB_ADDRESS, kind: "plain" },
    { name: "password", label: "Password of the BlueBubbles server", looksLike: "^[!-~]{1,}$", kind: "secret" },
  ],
};

const PLAIN: ReadonlySet<string> = new Set(
  Object.values(PLATFORM_CREDENTIALS)
    .flatMap((wanted) => wanted.filter(({ kind }) => kind === "plain").map(({ name }) => name))
    .concat(TOKEN_LIFE),
);

/** Whether what is kept under this name may be seen, in the answer of its own platform: no platform has a secret of the same name. */
export function isPlain(name: string): boolean {
  return PLAIN.has(name);
}
