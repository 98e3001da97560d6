import type { Platform } from "../ipc/channel.ts";

/** The Slack app that a workspace needs for us, as Slack's manifest: one link makes it with everything set.
 *  @see https://api.slack.com/reference/manifests */
const MANIFEST = {
  display_information: {
    name: "Wirken",
    description: "An AI agent on a workstation that answers for every action",
  },
  features: {
    app_home: { home_tab_enabled: false, messages_tab_enabled: true, messages_tab_read_only_enabled: false },
    bot_user: { display_name: "Wirken", always_online: true },
  },
  oauth_config: {
    scopes: {
      bot: [
        "app_mentions:read",
        "chat:write",
        "im:history",
        "im:read",
        "im:write",
        "channels:history",
        "channels:read",
        "groups:history",
        "groups:read",
        "mpim:history",
        "files:read",
        "files:write",
        "reactions:write",
        "users:read",
      ],
    },
  },
  settings: {
    event_subscriptions: {
      bot_events: [
        "app_mention",
        "app_uninstalled",
        "member_left_channel",
        "message.channels",
        "message.groups",
        "message.im",
        "message.mpim",
        "tokens_revoked",
      ],
    },
    interactivity: { is_enabled: true },
    org_deploy_enabled: false,
    socket_mode_enabled: true,
    token_rotation_enabled: false,
  },
} as const;

/** The link that makes the app, and where its two tokens are then found. */
function slackInstructions(): string {
  const link = `https://api.slack.com/apps?new_app=1&manifest_json=${encodeURIComponent(JSON.stringify(MANIFEST))}`;
  return [
    "make the Slack app with this link (it carries every setting), and install it to your workspace:",
    "",
    link,
    "",
    "then copy its two tokens:",
    "  bot token (xoxb-…): OAuth & Permissions, under OAuth Tokens",
    "  app-level token (xapp-…): Basic Information, App-Level Tokens, Generate, with the scope connections:write",
    "(with token rotation switched on the bot token begins with xoxe.xoxb-; its refresh token, and the app's Client ID and",
    " Client Secret, are then asked for too, and Wirken renews it by itself)",
    "",
  ].join("\n");
}

/** Where each platform has what is asked for next. */
const STEPS: Readonly<Record<Exclude<Platform, "slack">, readonly string[]>> = {
  telegram: ["make a bot: open https://t.me/BotFather, send /newbot, and copy the token that it answers with"],
  discord: [
    "make an application on https://discord.com/developers/applications, and on its page:",
    "  Bot: press Reset Token and copy it; under Privileged Gateway Intents switch on Message Content Intent, and press Save Changes",
    "  Installation: under Guild Install choose the scope bot and the permissions View Channels, Send Messages, Send Messages in Threads,",
    "    Read Message History, Attach Files and Add Reactions; then open the Install Link and add it to your server",
    "it answers those who write to it alone, and in a server those who call it by name or reply to it",
  ],
  matrix: [
    "make an account for the bot on your homeserver, with a password: Wirken logs in with that once, as a device of its own, and does not keep it",
    "where nobody logs in by a password (accounts with single sign-on), give the access token of a login for Wirken alone, and its refresh token where it has",
    "  one: not a login that another program has used, whose encryption keys only that has",
    "so that others see this login as the account's own, set up secure backup for the account in Element (All settings, Encryption) and take the recovery key that it gives",
  ],
  teams: [
    "make a bot on https://dev.teams.microsoft.com/bots, for one tenant; then on https://entra.microsoft.com under App registrations:",
    "  Overview: Application (client) ID and Directory (tenant) ID",
    "  Certificates & secrets: New client secret, and copy its Value",
  ],
  whatsapp: [
    "make an app of the type Business on https://developers.facebook.com/apps, and add WhatsApp to it:",
    "  WhatsApp, API Setup: Phone number ID",
    "  App settings, Basic: App ID and App secret",
    "  https://business.facebook.com/settings/system-users: a system user, and a token for the app that never expires,",
    "  with whatsapp_business_messaging and whatsapp_business_management",
  ],
  signal: [
    "install signal-cli (0.14.6 or newer), link it to your telephone, and let it run on this machine:",
    "  signal-cli link --name Wirken      (shows a code: scan it under Settings, Linked devices)",
    "  signal-cli daemon --tcp 127.0.0.1:7583 --receive-mode=manual",
    "it is your own account then: strangers who write to you get no answer from Wirken",
  ],
  "google-chat": [
    "in a project on https://console.cloud.google.com:",
    "  APIs & Services: enable Google Chat API and Cloud Pub/Sub API",
    "  Pub/Sub: a topic that chat-api-push@system.gserviceaccount.com may publish to, and a subscription of it",
    "  Google Chat API, Configuration: connect by Cloud Pub/Sub, with that topic",
    "  IAM, Service Accounts: an account with Pub/Sub Subscriber and Viewer on the subscription; Keys, Add key, JSON",
  ],
  imessage: [
    "install BlueBubbles Server (https://bluebubbles.app) on the Mac whose Messages are used, and set a password there:",
    "its address must begin with https:// unless it is this machine, or one of your Tailscale network",
  ],
};

/** Where a platform has what its enrolment asks for, in lines for a person. */
export function instructionsFor(platform: Platform): string {
  return platform === "slack" ? slackInstructions() : [...STEPS[platform], ""].join("\n");
}

/** How the first message is written there. `@` stands for the account's name. */
const FIRST: Readonly<Record<Platform, string>> = {
  telegram: "send it a message now: open https://t.me/@ and press Start",
  slack: "send it a message now: in Slack, under Apps, open Wirken and write; in a channel, /invite it and mention it",
  discord: "send it a message now: in your server, open the bot's profile and write; in a channel, mention it",
  matrix: "send it a message now: in your Matrix client, start a chat with @; in a room, invite it and mention it",
  signal: "send it a message now: in Signal on your telephone, open Note to Self and write",
  teams: "send it a message now: in Teams, under Apps, open the bot and write",
  whatsapp: "send it a message now: write to the number from your telephone",
  "google-chat": "send it a message now: in Google Chat, start a chat with the app and write",
  imessage: "send it a message now: write to the address of that Mac from your telephone",
};

/** What to do once a channel is connected. @param account as the platform calls it. */
export function firstMessage(platform: Platform, account: string | null): string {
  const name = platform === "telegram" ? (account ?? "").replace(/^@/, "") : (account ?? "the bot");
  return FIRST[platform].replace("@", name);
}
