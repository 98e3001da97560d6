import * as z from "zod/mini";
import { AdapterChannel, LOCAL_CHANNELS } from "../ipc/channel.ts";
import { ConversationId, ScheduleId } from "../ipc/ids.ts";

/** Text that survives UTF-8: a lone surrogate would be shown as one thing and written as another. */
const Text = z.string().check(z.refine((text) => text.isWellFormed(), "holds half a character"));
const Channel = z.union([AdapterChannel, z.enum(LOCAL_CHANNELS)]);
/** As it is read in the zone: `Mon 2027-03-29 09:00`. */
const Moment = Text.check(z.minLength(1), z.maxLength(40));

/** Of what is to be done, in characters. */
export const MAX_PLANNED = 8_000;

const WHEN = {
  cron: Text.check(z.minLength(9), z.maxLength(200)),
  zone: Text.check(z.minLength(1), z.maxLength(64)),
} as const;

/** Something that an agent is to do at certain times, with nobody there to ask. */
export const ScheduleAdd = z.strictObject({
  type: z.literal("schedule.add"),
  ...WHEN,
  /** The words that the times were said in. */
  words: Text.check(z.minLength(1), z.maxLength(200)),
  /** When it comes next, as it was when this was asked. */
  next: z.array(Moment).check(z.minLength(1), z.maxLength(3)),
  text: Text.check(z.minLength(1), z.maxLength(MAX_PLANNED)),
  /** Where it is done and answered: the conversation that it was asked in. */
  conversation: ConversationId,
  channel: Channel,
  talk: z.enum(["direct", "group"]),
});

/** Those of the person whose turn it is. */
export const ScheduleList = z.strictObject({ type: z.literal("schedule.list") });

/** One of the person's own is never to begin again. */
export const ScheduleRemove = z.strictObject({
  type: z.literal("schedule.remove"),
  schedule: ScheduleId,
  ...WHEN,
  text: Text.check(z.maxLength(MAX_PLANNED)),
  /** Where this was asked. */
  channel: Channel,
});
