import * as z from "zod/mini";
import { MAX_PLANNED } from "../../effect/schedule-action.ts";
import { ScheduleId } from "../../ipc/ids.ts";
import { nextTimes, readTimes, TimesError, timeIn, type Times } from "../schedules/times.ts";
import { WORDS } from "../schedules/words.ts";
import { ArgumentsError, defineTool } from "./tool.ts";

/** Times ahead that a person is shown before they approve. */
const SHOWN = 3;

export const schedule = defineTool({
  name: "schedule",
  description:
    "Has you do something at certain times, in this conversation, for the person you talk with; lists what is scheduled for them; or removes one of it. Adding and removing is approved by a person every time. When it runs nobody is there to ask: what would be asked for every time is refused then, and what is asked once is done only where the person has it remembered.",
  schema: z.strictObject({
    action: z.enum(["add", "list", "remove"]).check(z.describe("What to do.")),
    when: z.optional(z.string().check(z.minLength(1), z.maxLength(200))).check(z.describe(`For add: ${WORDS}.`)),
    zone: z
      .optional(z.string().check(z.minLength(1), z.maxLength(64)))
      .check(z.describe("For add: the time zone of these times, such as Europe/Berlin; this machine's if left out.")),
    what: z
      .optional(z.string().check(z.minLength(1), z.maxLength(MAX_PLANNED)))
      .check(z.describe("For add: what you are to do then, as the person would write it to you.")),
    schedule: z
      .optional(z.string().check(z.minLength(1), z.maxLength(64)))
      .check(z.describe("For remove: its id (sc_…), as list says it.")),
  }),
  prepare: ({ action, when, zone, what, schedule: id }, turn, look) => {
    switch (action) {
      case "list":
        return { type: "schedule.list" };
      case "add": {
        if (when === undefined || what === undefined) throw new ArgumentsError("add needs when and what");
        if (![when, what, zone ?? ""].every((text) => text.isWellFormed()))
          throw new ArgumentsError("the text holds half a character (a lone surrogate)");
        const now = look.schedules.now();
        const times = timesOf(when, zone ?? look.schedules.zone(), now);
        const { conversation, channel, talk } = turn;
        return {
          type: "schedule.add",
          ...times,
          words: when,
          next: nextTimes(times, now, SHOWN).map((at) => timeIn(times.zone, at)),
          text: what,
          conversation,
          channel,
          talk,
        };
      }
      case "remove": {
        const found = look.schedules.own(turn.principal).find((one) => one.schedule === id);
        if (found === undefined)
          throw new ArgumentsError("remove needs the id of one of this person's schedules: list says them");
        const { cron, zone: in_, text } = found;
        return {
          type: "schedule.remove",
          schedule: ScheduleId.parse(found.schedule),
          cron,
          zone: in_,
          text,
          channel: turn.channel,
        };
      }
    }
  },
});

function timesOf(when: string, zone: string, now: number): Times {
  try {
    return readTimes(when, zone, now);
  } catch (error) {
    if (error instanceof TimesError) throw new ArgumentsError(error.message, { cause: error });
    throw error;
  }
}
