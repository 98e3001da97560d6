import * as z from "zod/mini";

/** Channels whose bytes come through an adapter process of their own. */
export const PLATFORMS = ["telegram", "slack"] as const;
export const Platform = z.enum(PLATFORMS);
export type Platform = z.infer<typeof Platform>;

/** Channels that are the operating-system account itself: what is said there is said by the owner. */
export const LOCAL_CHANNELS = ["terminal", "web"] as const;
export type LocalChannel = (typeof LOCAL_CHANNELS)[number];

/** A channel is an instance: `<platform>[:<name>]`, so that a second account of a platform is another channel. */
export const AdapterChannel = z
  .string()
  .check(
    z.regex(
      new RegExp(`^(${PLATFORMS.join("|")})(:[a-z0-9][a-z0-9-]{0,31})?$`),
      `a channel is ${PLATFORMS.join(" or ")}, or one of these with a name, such as slack:acme`,
    ),
  )
  .brand<"adapter-channel">();
export type AdapterChannel = z.infer<typeof AdapterChannel>;

export type Channel = AdapterChannel | LocalChannel;

export function platformOf(channel: AdapterChannel): Platform {
  const [platform] = channel.split(":", 1);
  return Platform.parse(platform);
}

/** What each platform needs before it can run: one hidden prompt each, in this order. `name` is the record's name in the vault. */
export const PLATFORM_CREDENTIALS = {
  telegram: [{ name: "bot-token", label: "Bot token from @BotFather", looksLike: "^[0-9]{6,12}:[A-Za-z0-9_-]{30,}$" }],
  slack: [
    { name: "bot-token", label: "Bot User OAuth Token (xoxb-…)", looksLike: "^xoxb-" },
    { name: "app-token", label: "App-Level Token with connections:write (xapp-…)", looksLike: "^xapp-" },
  ],
} as const satisfies Record<Platform, readonly { name: string; label: string; looksLike: string }[]>;
