/** How things are written on the page. */

/** Characters that are not seen, or that change the order of others: shown as what they are. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

export function visible(text: string): string {
  return text.replace(INVISIBLE, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}

/** The same for a text of several lines. */
export function visibleLines(text: string): string {
  return text.replace(INVISIBLE, (character) =>
    character === "\n" || character === "\t" ? character : visible(character),
  );
}

const clock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hour12: false,
});
const day = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric" });

/** @param at ISO 8601. @returns the time, with the date if it is not of today. */
export function when(at: string, now: Date = new Date()): string {
  const time = new Date(at);
  if (Number.isNaN(time.getTime())) return visible(at);
  return time.toDateString() === now.toDateString() ? clock.format(time) : `${day.format(time)}, ${clock.format(time)}`;
}

/** The same to the minute. */
export function whenAbout(at: string): string {
  return when(at).replace(/(\d\d:\d\d):\d\d/, "$1");
}

/** @returns how long until `at`, such as "in 9 min", or "now". */
export function until(at: string, now: number = Date.now()): string {
  const seconds = Math.round((new Date(at).getTime() - now) / 1000);
  if (!(seconds > 0)) return "now";
  if (seconds < 60) return `in ${seconds} s`;
  if (seconds < 7200) return `in ${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `in ${Math.round(seconds / 3600)} h` : `in ${Math.round(seconds / 86_400)} days`;
}

/** A value of a row, as JSON where it is no plain word. */
export function plain(value: unknown): string {
  if (typeof value === "string") return visible(value);
  return visible(JSON.stringify(value) ?? "");
}

export function count(number: number, one: string, many: string): string {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}
