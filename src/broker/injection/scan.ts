import { encodedIn } from "./encoded.ts";
import { type Finding, INJECTION_CLASSES, type Place, type Steps } from "./finding.ts";
import { hiddenIn } from "./hidden.ts";
import { linksIn } from "./links.ts";
import { marksIn } from "./marks.ts";
import { phrasesIn } from "./phrases.ts";
import { wordsOf } from "./reading.ts";

/** Around a place, in UTF-16 units, and of the place itself. */
const MARGIN = 40;
const MAX_EXCERPT = 200;

/** Looks through a text that is to enter an agent's context for what tries to steer it. Linear in the length of the text; pure.
 *  @param steps counts what is looked at.
 *  @returns at most one finding of each class, in the order of {@link INJECTION_CLASSES}. */
export function scan(text: string, steps: Steps = { count: 0 }): Finding[] {
  const places: Place[] = [
    ...phrasesIn(wordsOf(text, steps), steps),
    ...marksIn(text, steps),
    ...hiddenIn(text, steps),
    ...encodedIn(text, steps),
    ...linksIn(text, steps),
  ];
  const byClass = Map.groupBy(places, (place) => place.class);
  return INJECTION_CLASSES.flatMap((kind) => {
    const found = byClass.get(kind);
    if (found === undefined) return [];
    const first = found.reduce((one, other) => (other.from < one.from ? other : one));
    return [{ class: kind, times: found.length, excerpt: excerptOf(text, first) }];
  });
}

function excerptOf(text: string, { from, to }: Place): string {
  const start = Math.max(0, from - MARGIN);
  return text.slice(start, Math.min(text.length, to + MARGIN, start + MAX_EXCERPT)).toWellFormed();
}
