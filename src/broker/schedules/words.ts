/** A few plain ways to say when, each of which means exactly one cron expression. What is not among them is refused, not guessed. */

/** What `every … at …` takes, for whoever is told that their words mean nothing here. */
export const WORDS =
  "every day at 18:30, every weekday at 9, every monday at 9:15, every month on 1 at 8, every hour, every 2 hours, or every 15 minutes; or a cron expression such as 30 18 * * *";

const DAYS: Readonly<Record<string, string>> = {
  day: "*",
  weekday: "1-5",
  "weekend day": "0,6",
  sunday: "0",
  monday: "1",
  tuesday: "2",
  wednesday: "3",
  thursday: "4",
  friday: "5",
  saturday: "6",
};

/** @returns the cron expression of five parts that the words mean; null if they are none of these. */
export function cronOf(words: string): string | null {
  const text = words
    .trim()
    .toLowerCase()
    .replaceAll(/\s+/g, " ")
    .replace(/^daily\b/, "every day");
  const minutes = /^every (\d{1,2}) minutes$/.exec(text)?.[1];
  if (minutes !== undefined) return divides(Number(minutes), 60) ? `*/${Number(minutes)} * * * *` : null;
  if (text === "every hour") return "0 * * * *";
  const hours = /^every (\d{1,2}) hours$/.exec(text)?.[1];
  if (hours !== undefined) return divides(Number(hours), 24) ? `0 */${Number(hours)} * * *` : null;
  const monthly = /^every month on (?:the )?(\d{1,2})(?:st|nd|rd|th)? at (.+)$/.exec(text);
  if (monthly !== null) {
    const [, day = "", at = ""] = monthly;
    const time = timeOf(at);
    return time === null || Number(day) < 1 || Number(day) > 31 ? null : `${time} ${Number(day)} * *`;
  }
  const weekly = /^every ([a-z]+(?: day)?)s? at (.+)$/.exec(text);
  if (weekly === null) return null;
  const [, day = "", at = ""] = weekly;
  const time = timeOf(at);
  const days = DAYS[day];
  return time === null || days === undefined ? null : `${time} * * ${days}`;
}

/** Other steps would begin anew in every hour, or every day, and not be what was said. */
function divides(step: number, whole: number): boolean {
  return step > 0 && step < whole && whole % step === 0;
}

/** `9`, `9:30`, `9am`, `9:30 pm`, `noon` or `midnight`. @returns minute and hour of cron. */
function timeOf(text: string): string | null {
  if (text === "noon") return "0 12";
  if (text === "midnight") return "0 0";
  const [, hour = "", minute = "0", half] = /^(\d{1,2})(?::(\d\d))? ?(am|pm)?$/.exec(text) ?? [];
  if (hour === "" || Number(minute) > 59) return null;
  if (half === undefined) return Number(hour) > 23 ? null : `${Number(minute)} ${Number(hour)}`;
  if (Number(hour) < 1 || Number(hour) > 12) return null;
  return `${Number(minute)} ${(Number(hour) % 12) + (half === "pm" ? 12 : 0)}`;
}
