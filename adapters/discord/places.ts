import type { REST } from "@discordjs/rest";
import { ChannelType, GatewayDispatchEvents, Routes } from "discord-api-types/v10";
import * as z from "zod/mini";
import type { Spot } from "./convert.ts";
import { answered, NOT_THERE } from "./waiting.ts";

/** What is not said with a message and must be known to place it: of which channel a thread is, and by which role of a server we are called. */

/** Threads and servers that are remembered; the oldest are forgotten, and asked for again. */
const MAX_REMEMBERED = 2_000;

const THREADS: ReadonlySet<number> = new Set([
  ChannelType.AnnouncementThread,
  ChannelType.PublicThread,
  ChannelType.PrivateThread,
]);

const Channel = z.object({ type: z.int(), parent_id: z.nullish(z.string()) });
const Role = z.object({ id: z.string(), tags: z.optional(z.object({ bot_id: z.optional(z.string()) })) });
const Roles = z.array(Role);
const Guild = z.object({ id: z.string(), roles: Roles });
const Calling = z.object({ guild_id: z.string(), mention_roles: z.array(z.string()).check(z.minLength(1)) });

export interface Place {
  readonly place: string;
  readonly thread: string | null;
}

export class Places {
  readonly #rest: REST;
  readonly #us: string;
  readonly #signal: AbortSignal;
  /** The channel that a thread belongs to; null: it is no thread. */
  readonly #parents = new Map<string, string | null>();
  readonly #roles = new Map<string, string | null>();

  /** @param us our own id. @param signal ends every question. */
  constructor(rest: REST, us: string, signal: AbortSignal) {
    this.#rest = rest;
    this.#us = us;
    this.#signal = signal;
  }

  /** Known before: @param parent of a thread; null: it is none. */
  remember(channel: string, parent: string | null): void {
    keep(this.#parents, channel, parent);
  }

  /** A thread is a conversation of its own, in its channel. @throws when it is stopped. */
  async of({ channel, guild, type, parent }: Spot): Promise<Place> {
    if (guild === null || (type !== null && !THREADS.has(type))) return { place: channel, thread: null };
    const known = parent ?? this.#parents.get(channel);
    const found = known === undefined ? await this.#ask(channel) : known;
    keep(this.#parents, channel, found);
    return found === null ? { place: channel, thread: null } : { place: found, thread: channel };
  }

  /** The role that Discord made for us in a server, as far as that is known. */
  role(guild: string): string | null {
    return this.#roles.get(guild) ?? null;
  }

  /** Learns what is said of a server, and asks what is wanted to read a message. @throws when it is stopped. */
  async learn(name: GatewayDispatchEvents, data: unknown): Promise<void> {
    if (name === GatewayDispatchEvents.GuildCreate) {
      const guild = Guild.safeParse(data);
      if (guild.success) this.#keepRole(guild.data.id, guild.data.roles);
      return;
    }
    const calling = Calling.safeParse(data);
    if (!calling.success || this.#roles.has(calling.data.guild_id)) return;
    const guild = calling.data.guild_id;
    const answer = await answered(async () => await this.#rest.get(Routes.guildRoles(guild)), this.#signal);
    this.#keepRole(guild, Roles.safeParse(answer).data ?? []);
  }

  #keepRole(guild: string, roles: z.infer<typeof Roles>): void {
    keep(this.#roles, guild, roles.find(({ tags }) => tags?.bot_id === this.#us)?.id ?? null);
  }

  async #ask(channel: string): Promise<string | null> {
    const answer = await answered(async () => await this.#rest.get(Routes.channel(channel)), this.#signal);
    const known = answer === NOT_THERE ? null : Channel.safeParse(answer).data;
    return known !== null && known !== undefined && THREADS.has(known.type) ? (known.parent_id ?? null) : null;
  }
}

function keep(map: Map<string, string | null>, key: string, value: string | null): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > MAX_REMEMBERED && oldest !== undefined) map.delete(oldest);
}
