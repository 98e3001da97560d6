import { type Suspect, suspectSentence } from "../injection/suspects.ts";
import { visibleLine } from "../visible.ts";
import { line, lines } from "./lines.ts";

/** What a person is asked, and everything that bears on the answer. */
export interface CardSubject {
  readonly requester: string;
  readonly agent: string;
  readonly channel: string;
  readonly tier: number;
  /** Why this is asked. */
  readonly reason: string;
  /** The rows that it rests on, in words. */
  readonly rests: string;
  /** What is in the conversation that it comes from. */
  readonly labels: { readonly untrusted: boolean; readonly private: boolean };
  readonly suspects: readonly Suspect[];
  /** More than one person has to approve it; null: one is enough. */
  readonly people: Several | null;
  /** Of a plan: until when its actions may run, as an ISO time; null: it is none, and they run at once. */
  readonly end: string | null;
  /** ISO time. */
  readonly expires: string;
  /** The very bytes that will be recorded and run. */
  readonly actions: readonly Uint8Array[];
  /** For each action why the model says it wants it, in its own words; null: it does not say. */
  readonly whys: readonly (string | null)[];
}

/** People who have to approve the same thing, and those who did. */
export interface Several {
  readonly needs: number;
  /** May whoever asks be one of them? */
  readonly requesterCounts: boolean;
  /** Those who approved it already, as they are called. */
  readonly given: readonly string[];
}

/** What stands above the actions. */
export function headOf(subject: CardSubject): string[] {
  return [
    `${visibleLine(subject.requester)} asks, through agent ${visibleLine(subject.agent)}, on ${visibleLine(subject.channel)}`,
    `why you are asked: ${visibleLine(subject.reason)} (tier ${subject.tier})`,
    `in this conversation: ${inPlay(subject.labels)}`,
    ...subject.suspects.map((one) => `noticed there: ${visibleLine(suspectSentence(one))} (row ${one.row})`),
    ...peopleLines(subject.people),
    headline(subject),
  ];
}

/** What stands below the actions, which come before what is looked up later. */
export function footOf({ rests, expires }: CardSubject): string[] {
  return ["", `it rests on: ${visibleLine(rests)}`, `answer before: ${visibleLine(expires)}`];
}

function headline({ actions, end }: CardSubject): string {
  const count = actions.length === 1 ? "one action" : `${actions.length} actions, all of them or none`;
  if (end === null) return count;
  return `a PLAN of ${count}: each may run once, as it stands here, until ${visibleLine(end)} and in this conversation only`;
}

function inPlay({ untrusted, private: own }: CardSubject["labels"]): string {
  if (untrusted && own) return "something PRIVATE, and something that NOBODY VOUCHES FOR";
  if (untrusted) return "something that nobody vouches for";
  return own ? "something private" : "nothing private, and nothing from outside";
}

function peopleLines(people: Several | null): string[] {
  if (people === null) return [];
  const { needs, requesterCounts, given } = people;
  const who = requesterCounts ? "" : ", none of them whoever asks";
  const so = given.length === 0 ? "nobody has approved it yet" : `approved by ${given.map(visibleLine).join(", ")}`;
  return [`it needs ${needs} different people${who}: ${given.length} of ${needs}, ${so}`];
}

/** The model's reason, under the first line of its action, before what may be long. */
export function withWhy(rendered: string, why: string | null): string {
  const [first = "", ...rest] = rendered.split("\n");
  const said =
    why === null ? "  the agent does not say why it wants it" : line("the agent's reason, in its own words", why);
  return lines(first, said, ...rest);
}
