import * as z from "zod/mini";

/** Channels whose bytes come through an adapter process of their own. */
export const PLATFORMS = [
  "telegram",
  "slack",
  "discord",
  "matrix",
  "teams",
  "whatsapp",
  "signal",
  "google-chat",
  "imessage",
] as const;
export const Platform = z.enum(PLATFORMS);
export type Platform = z.infer<typeof Platform>;

/** Those on which this version talks. Of the others it keeps and checks the credentials. */
const TALKING: ReadonlySet<Platform> = new Set(["telegram", "slack", "discord", "signal", "matrix"]);

export function talks(platform: Platform): boolean {
  return TALKING.has(platform);
}

/** Where the account is a person's own and not a bot's: whoever writes to it writes to that person, so a stranger gets silence. */
const OWN_ACCOUNT: ReadonlySet<Platform> = new Set(["signal", "imessage"]);

export function isOwnAccount(platform: Platform): boolean {
  return OWN_ACCOUNT.has(platform);
}

/** Channels that are the operating-system account itself: what is said there is said by the owner. */
export const LOCAL_CHANNELS = ["terminal", "web"] as const;
export type LocalChannel = (typeof LOCAL_CHANNELS)[number];

/** A channel is an instance: `<platform>[:<name>]`, so that a second account of a platform is another channel. */
export const AdapterChannel = z
  .string()
  .check(
    z.regex(
      new RegExp(`^(${PLATFORMS.join("|")})(:[a-z0-9][a-z0-9-]{0,31})?$`),
      `a channel is one of ${PLATFORMS.join(", ")}, or one of these with a name, such as slack:acme`,
    ),
  )
  .brand<"adapter-channel">();
export type AdapterChannel = z.infer<typeof AdapterChannel>;

export type Channel = AdapterChannel | LocalChannel;

export function platformOf(channel: AdapterChannel): Platform {
  const [platform] = channel.split(":", 1);
  return Platform.parse(platform);
}
