import type { REST } from "@discordjs/rest";
import { GatewayDispatchEvents } from "discord-api-types/v10";
import * as z from "zod/mini";
import type { Host } from "../adapter.ts";
import { catchUp } from "./catch-up.ts";
import { convert, type Heard, type Us } from "./convert.ts";
import { isSnowflake, timeOf } from "./cursor.ts";
import type { Bot } from "./identity.ts";
import { Interactions } from "./interactions.ts";
import type { Journal } from "./journal.ts";
import { type Place, Places } from "./places.ts";
import type { Before, Progress } from "./progress.ts";
import type { Mark } from "./sequence.ts";

/** Messages that were told, by their ids: who wrote them, and when they are on the log. The supervisor drops what is older than these. */
const MAX_TOLD = 2_000;

const InChannel = z.object({ id: z.string(), channel_id: z.string() });
type Of<K extends Heard["kind"]> = Extract<Heard, { kind: K }>;

/** Tells the supervisor of what Discord dispatches, in the order of each conversation. */
export class Inbound {
  readonly #host: Host;
  readonly #rest: REST;
  readonly #us: Us;
  readonly #progress: Progress;
  readonly #journal: Journal;
  readonly #signal: AbortSignal;
  readonly #places: Places;
  readonly #interactions: Interactions;
  readonly #told = new Map<string, { readonly sender: string; readonly onLog: Promise<void> }>();
  /** The end of what is made ready to be told, by channel. */
  readonly #lines = new Map<string, Promise<void>>();

  /** @param signal ends it: what is not on the log by then is left to come again. */
  constructor(host: Host, rest: REST, bot: Bot, progress: Progress, journal: Journal, signal: AbortSignal) {
    this.#host = host;
    this.#rest = rest;
    this.#progress = progress;
    this.#journal = journal;
    this.#signal = signal;
    this.#places = new Places(rest, bot.id, signal);
    this.#interactions = new Interactions(rest);
    this.#us = { ...bot, role: (guild) => this.#places.role(guild) };
    for (const [channel, { parent }] of progress.conversations) this.#places.remember(channel, parent);
  }

  /** Resolves once it is on the log, or is none for us. @returns where its conversation stands then. @throws when it is stopped. */
  async hear(name: GatewayDispatchEvents, data: unknown): Promise<Mark | null> {
    if (name === GatewayDispatchEvents.InteractionCreate) {
      // Whoever pressed waits for three seconds: nothing else is waited for.
      for (const heard of convert(name, data, this.#us)) await this.#tell(heard);
      return null;
    }
    const where = InChannel.safeParse(data).data ?? null;
    const channel = where?.channel_id ?? null;
    await this.#inOrder(channel ?? "", async () => {
      await this.#places.learn(name, data);
      const told = await Promise.all(convert(name, data, this.#us).map(async (heard) => await this.#ready(heard)));
      return async () => {
        await Promise.all(told.map(async (tell) => await tell()));
      };
    });
    const message = name === GatewayDispatchEvents.MessageCreate ? where : null;
    if (message === null || channel === null || !isSnowflake(message.id)) return null;
    return { channel, message: message.id };
  }

  /** Makes ready what comes from one channel one after the other, and tells it in that order. What is told is not waited for by the next. */
  async #inOrder(channel: string, prepare: () => Promise<() => Promise<void>>): Promise<void> {
    let told = Promise.resolve();
    const ready = async (before: Promise<void> | undefined): Promise<void> => {
      await before?.catch(() => undefined);
      const tell = await prepare();
      told = tell();
      // Whoever waits for `told` hears of that.
      told.catch(() => undefined);
    };
    const mine = ready(this.#lines.get(channel));
    this.#lines.set(channel, mine);
    try {
      await mine;
    } finally {
      if (this.#lines.get(channel) === mine) this.#lines.delete(channel);
    }
    await told;
  }

  async #tell(heard: Heard): Promise<void> {
    const tell = await this.#ready(heard);
    await tell();
  }

  /** @returns what tells it, without another wait before it does. */
  async #ready(heard: Heard): Promise<() => Promise<void>> {
    switch (heard.kind) {
      case "message": {
        const place = await this.#places.of(heard.spot);
        return async () => await this.#message(heard, place);
      }
      case "own":
        return async () => this.#journal.seen(heard.id, heard.nonce);
      case "changed":
        return await this.#changed(heard);
      case "pressed": {
        const answer = this.#interactions.begin(heard.interaction);
        const place = await this.#places.of(heard.spot);
        return async () => await this.#host.pressed({ ...heard.press, ...place }, answer);
      }
      case "removed":
        return async () => this.removed(heard.channel, heard.guild, heard.why);
      case "nothing":
        return async () => undefined;
    }
  }

  async #message({ spot, message, senderName, text }: Of<"message">, place: Place): Promise<void> {
    const before = this.#told.get(message.dedupe);
    if (before !== undefined) return await before.onLog;
    const onLog = this.#host.inbound({ ...message, ...place }, senderName, text);
    this.#told.set(message.dedupe, { sender: message.sender, onLog });
    const [oldest] = this.#told.keys();
    if (this.#told.size > MAX_TOLD && oldest !== undefined) this.#told.delete(oldest);
    const parent = place.thread === null ? null : place.place;
    this.#progress.spoken(spot.channel, { guild: spot.guild, parent }, message.dedupe);
    await onLog;
  }

  /** Of a message that was never told there is nothing to change: of group talk that is none of our business nobody hears. */
  async #changed(heard: Of<"changed">): Promise<() => Promise<void>> {
    const { message, dedupe, change, text, spot } = heard;
    const sender = this.#told.get(message)?.sender ?? (spot.guild === null || heard.forUs ? heard.sender : null);
    if (sender === null) return async () => undefined;
    const place = await this.#places.of(spot);
    return async () => await this.#host.changed({ ...place, sender, dedupe, message, change }, text);
  }

  /** We are not there any more. @param channel null: in all of the server. */
  removed(channel: string | null, guild: string | null, why: string): void {
    for (const [known, { guild: of, parent }] of this.#progress.conversations) {
      if (channel === null ? of !== guild : known !== channel && parent !== channel) continue;
      this.#progress.forget(known);
      // A thread is no place of its own: its channel may still be there.
      if (parent === null || parent === channel || channel === null)
        this.#host.notice(
          { about: "removed", place: parent ?? known, from: null, to: null },
          `the channel is gone: ${why}`,
        );
    }
  }

  /** A new session began: what each conversation missed is fetched, and what comes now waits behind it. @param before null: we never listened before. */
  catchUp(before: Before | null): void {
    if (before === null) return;
    for (const channel of this.#progress.conversations.keys())
      void this.#inOrder(channel, async () => {
        await this.#missed(channel);
        return async () => undefined;
      }).catch(() => undefined);
    this.#host.notice(
      { about: "gap", place: null, from: before.until, to: Date.now() },
      "Discord began a new session: what was missed is fetched where Wirken was spoken with before; who wrote for the first time meanwhile must write again",
    );
  }

  async #missed(channel: string): Promise<void> {
    const known = this.#progress.conversations.get(channel);
    if (known === undefined) return;
    const { guild, last } = known;
    const tell = async (messages: readonly { readonly id: string }[]): Promise<void> => {
      const told: Promise<void>[] = [];
      for (const message of messages) {
        // A history does not say what everybody there knows: the server.
        const data = guild === null ? message : { ...message, guild_id: guild };
        await this.#places.learn(GatewayDispatchEvents.MessageCreate, data);
        for (const heard of convert(GatewayDispatchEvents.MessageCreate, data, this.#us)) {
          const ready = await this.#ready(heard);
          told.push(ready());
        }
      }
      await Promise.all(told);
      const newest = messages.at(-1);
      if (newest !== undefined) this.#progress.reached(channel, newest.id);
    };
    const caught = await catchUp(this.#rest, channel, last, tell, this.#signal);
    if (caught.state === "gone") this.removed(channel, null, "it was deleted, or the bot was removed from it");
    if (caught.state === "cut")
      this.#host.notice(
        { about: "gap", place: known.parent ?? channel, from: timeOf(caught.last), to: Date.now() },
        "more was written there meanwhile than is fetched",
      );
  }
}
