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
        "groups:history",
        "mpim:history",
        "users:read",
      ],
    },
  },
  settings: {
    event_subscriptions: {
      bot_events: ["app_mention", "message.im", "message.channels", "message.groups", "message.mpim"],
    },
    interactivity: { is_enabled: true },
    org_deploy_enabled: false,
    socket_mode_enabled: true,
    token_rotation_enabled: false,
  },
} as const;

/** The link that makes the app, and where its two tokens are then found. */
export function slackInstructions(): string {
  const link = `https://api.slack.com/apps?new_app=1&manifest_json=${encodeURIComponent(JSON.stringify(MANIFEST))}`;
  return [
    "make the Slack app with this link (it carries every setting), and install it to your workspace:",
    "",
    link,
    "",
    "then copy its two tokens:",
    "  bot token (xoxb-…): OAuth & Permissions, under OAuth Tokens",
    "  app-level token (xapp-…): Basic Information, App-Level Tokens, Generate, with the scope connections:write",
    "",
  ].join("\n");
}

/** Where a Telegram bot's token comes from. */
export function telegramInstructions(): string {
  return ["make a bot: open https://t.me/BotFather, send /newbot, and copy the token that it answers with", ""].join(
    "\n",
  );
}
