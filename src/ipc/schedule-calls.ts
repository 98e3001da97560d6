import * as z from "zod/mini";
import { AdapterChannel, LOCAL_CHANNELS } from "./channel.ts";
import { Name, PrincipalId, ScheduleId } from "./ids.ts";

/** What the owner may ask about what is to be done at certain times. */

export const SCHEDULE_CALLS = [
  z.strictObject({ call: z.literal("schedule.list") }),
  z.strictObject({ call: z.literal("schedule.show"), schedule: ScheduleId }),
  z.strictObject({
    call: z.literal("schedule.add"),
    /** Plain words, or a cron expression. */
    times: z.string().check(z.minLength(1), z.maxLength(200)),
    /** Of the IANA's list; the daemon's own where null. */
    zone: z.nullable(z.string().check(z.minLength(1), z.maxLength(64))),
    text: z.string().check(z.minLength(1), z.maxLength(8_000)),
    agent: Name,
    /** Whose it is, and on which channel they are told what came of it: in their direct conversation there. */
    principal: PrincipalId,
    channel: z.union([AdapterChannel, z.enum(LOCAL_CHANNELS)]),
  }),
  z.strictObject({ call: z.literal("schedule.pause"), schedule: ScheduleId }),
  z.strictObject({ call: z.literal("schedule.resume"), schedule: ScheduleId }),
  z.strictObject({ call: z.literal("schedule.remove"), schedule: ScheduleId }),
  /** Once, now. */
  z.strictObject({ call: z.literal("schedule.run"), schedule: ScheduleId }),
] as const;

const Time = z.string().check(z.maxLength(24));

const ScheduleView = z.strictObject({
  schedule: ScheduleId,
  agent: z.string(),
  principal: z.string(),
  /** Null for somebody who is out. */
  owner: z.nullable(z.string()),
  channel: z.string(),
  talk: z.nullable(z.enum(["direct", "group"])),
  cron: z.string(),
  zone: z.string(),
  text: z.string(),
  /** `failures`: it paused itself. `removed`: whose it is was removed. */
  paused: z.nullable(z.enum(["asked", "failures", "removed"])),
  running: z.boolean(),
  failures: z.int(),
  /** When it comes next; none while it is paused. */
  next: z.array(Time),
  last: z.nullable(z.strictObject({ at: Time, ending: z.nullable(z.string()) })),
});
export type ScheduleView = z.infer<typeof ScheduleView>;

export const SCHEDULE_ANSWERS = {
  "schedule.list": z.strictObject({ schedules: z.array(ScheduleView) }),
  "schedule.show": z.strictObject({
    ...ScheduleView.shape,
    /** The newest first: `ending` null for one that goes on, and for times that were missed. */
    runs: z.array(
      z.strictObject({
        at: Time,
        due: Time,
        row: z.int(),
        what: z.enum(["due", "late", "asked", "missed"]),
        ending: z.nullable(z.string()),
      }),
    ),
  }),
  "schedule.add": ScheduleView,
  "schedule.pause": ScheduleView,
  "schedule.resume": ScheduleView,
  "schedule.remove": ScheduleView,
  "schedule.run": ScheduleView,
} as const;
