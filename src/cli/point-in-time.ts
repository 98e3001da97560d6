import { usage } from "./command-error.ts";

/** Milliseconds of the units that a span may be given in. */
const UNITS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 24 * 3_600_000,
  w: 7 * 24 * 3_600_000,
};
const SPAN = /^(\d{1,6})([smhdw])$/;
const DAY = /^\d{4}-\d\d-\d\d$/;
const MINUTE = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:?\d\d)?$/;

/** A time that somebody typed, as the log writes it: `2h` and `3d` are that long ago, a day begins at its midnight, and what names no zone is meant in the terminal's own.
 *  @param now milliseconds since 1970. @throws {CommandError} naming the option. */
export function pointInTime(text: string, option: string, now: number): string {
  const [, count = "", unit = ""] = SPAN.exec(text) ?? [];
  const ago = UNITS[unit];
  const time = ago === undefined ? written(text) : now - Number(count) * ago;
  const date = new Date(time);
  // The log writes years of four digits.
  if (Number.isNaN(date.getTime()) || date.getTime() < 0 || date.getUTCFullYear() > 9999)
    throw usage(`${option} takes a time, not ${text}`, "such as 2h, 3d, 2026-11-28 or 2026-11-28T14:03");
  return date.toISOString();
}

function written(text: string): number {
  if (DAY.test(text)) {
    // With a time, JavaScript reads it in the zone of this machine.
    const begins = new Date(`${text}T00:00:00`);
    return begins.getDate() === Number(text.slice(8)) ? begins.getTime() : Number.NaN;
  }
  return MINUTE.test(text) ? new Date(text.replace(" ", "T")).getTime() : Number.NaN;
}
