import type { Config } from "../config/schema.ts";
import { LOCAL_CHANNELS } from "../ipc/channel.ts";

/** Where agents answer, as it is configured: on a channel, or in one conversation of it. Pure. */

/** One place: a channel, or one conversation of it. */
export interface Answering {
  readonly channel: string;
  readonly conversation: string | null;
}

interface Edit {
  readonly path: readonly string[];
  readonly value: unknown;
}

const DEFAULT = "default";

/** Who answers on a channel, or in a conversation of it. @param conversation null: none that is known yet. */
export function answererAt(config: Config, channel: string, conversation: string | null): string {
  const bound = conversation === null ? undefined : entryOf(config.conversations, conversation);
  return bound ?? answererOn(config, channel);
}

function answererOn(config: Config, channel: string): string {
  if (channel === "terminal" || channel === "web") return config[channel].agent;
  return entryOf(config.channels, channel)?.agent ?? DEFAULT;
}

/** Where an agent answers. @param channelOf that of a conversation; null: it is not there any more. */
export function placesOf(
  config: Config,
  agent: string,
  channelOf: (conversation: string) => string | null,
): Answering[] {
  const channels = [...LOCAL_CHANNELS, ...Object.keys(config.channels)];
  const whole = channels
    .filter((channel) => answererOn(config, channel) === agent)
    .map((channel) => ({ channel, conversation: null }));
  const single = Object.entries(config.conversations).flatMap(([conversation, bound]) => {
    const channel = channelOf(conversation);
    return bound === agent && channel !== null ? [{ channel, conversation }] : [];
  });
  return [...whole, ...single];
}

/** What is to be written so that an agent answers there. */
export function bindingOf(config: Config, agent: string, { channel, conversation }: Answering): Edit {
  if (conversation === null) {
    const path = channel === "terminal" || channel === "web" ? [channel, "agent"] : ["channels", channel, "agent"];
    return { path, value: agent === DEFAULT ? undefined : agent };
  }
  // As on the rest of its channel: nothing has to say so.
  const value = answererOn(config, channel) === agent ? undefined : agent;
  return { path: ["conversations", conversation], value };
}

/** What is to be written so that an agent is gone and answers nowhere: the default agent does. */
export function withoutAgent(config: Config, agent: string): Edit[] {
  const channels = [...LOCAL_CHANNELS, ...Object.keys(config.channels)].filter(
    (channel) => answererOn(config, channel) === agent,
  );
  return [
    ...channels.map((channel) => bindingOf(config, DEFAULT, { channel, conversation: null })),
    ...Object.entries(config.conversations)
      .filter(([, bound]) => bound === agent)
      .map(([conversation]) => ({ path: ["conversations", conversation], value: undefined })),
    { path: ["agents", agent], value: undefined },
  ];
}

function entryOf<V>(record: Readonly<Record<string, V>>, key: string): V | undefined {
  return Object.entries(record).find(([name]) => name === key)?.[1];
}
