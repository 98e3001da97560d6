/** Who and what is on this Discord, and how Discord words it. */

export interface User {
  readonly id: string;
  readonly username: string;
  readonly global_name: string | null;
  readonly bot?: boolean;
}

export interface Channel {
  readonly id: string;
  readonly type: number;
  readonly guild_id?: string;
  readonly parent_id?: string;
  readonly [field: string]: unknown;
}

export const ADA: User = { id: "200000000000000001", username: "ada", global_name: "Ada" };
export const BOB: User = { id: "200000000000000002", username: "bob", global_name: "Bob" };
export const BOT: User = { id: "100000000000000001", username: "wirken", global_name: null, bot: true };
export const IDS = {
  guild: "300000000000000001",
  channel: "400000000000000001",
  other: "400000000000000002",
  thread: "400000000000000003",
  ada: "500000000000000001",
  bob: "500000000000000002",
  role: "600000000000000001",
  application: "100000000000000001",
} as const;

export const THREAD = {
  owner_id: ADA.id,
  thread_metadata: {
    archived: false,
    auto_archive_duration: 1_440,
    archive_timestamp: "2026-01-01T00:00:00+00:00",
    locked: false,
  },
  message_count: 1,
  member_count: 2,
  total_message_sent: 1,
} as const;

/** What Discord always says of a person beside what matters here, and of an application and a role. */
export function whole(user: User): object {
  return { discriminator: "0", avatar: null, public_flags: 0, flags: 0, primary_guild: null, ...user };
}

export function applicationOf(flags: number): object {
  return {
    id: IDS.application,
    name: "Wirken",
    icon: null,
    description: "",
    type: null,
    verify_key: "0".repeat(64),
    flags,
    flags_new: String(flags),
    redirect_uris: [],
    interactions_endpoint_url: null,
    role_connections_verification_url: null,
    owner: whole(ADA),
    approximate_guild_count: 1,
    approximate_user_install_count: 0,
    approximate_user_authorization_count: 0,
    explicit_content_filter: 0,
    team: null,
    eligible_oauth2_scopes: [],
  };
}

export function role(id: string, name: string): object {
  const look = { color: 0, colors: { primary_color: 0, secondary_color: null, tertiary_color: null }, icon: null };
  return {
    id,
    name,
    permissions: "0",
    position: 0,
    ...look,
    hoist: false,
    managed: false,
    mentionable: false,
    unicode_emoji: null,
    flags: 0,
  };
}
