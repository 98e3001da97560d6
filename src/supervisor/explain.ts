import type { ActionOf } from "../../audit/action.ts";
import type { CommittedRow } from "../../audit/log.ts";
import { suspectSentence } from "../broker/injection/suspects.ts";
import type { Held } from "./held.ts";
import type { ReachSource } from "./reach-list.ts";
import { keepingSentence } from "./keeping-sentences.ts";
import { budgetSentence, isAboutBudgets } from "./budget-sentences.ts";
import { channelSentence, isAboutChannels } from "./channel-sentences.ts";
import { incidentSentence, isAboutIncidents } from "./incident-sentences.ts";
import { isAboutPeople, peopleSentence } from "./people-sentences.ts";
import { count, line, quoted, where } from "./row-words.ts";

/** What an action rests on and what came of it, as rows. */
export interface Explained {
  /** From the person's message to the row that was asked about. */
  readonly chain: readonly CommittedRow[];
  /** What allowed it: the request, its decision, and the grant that remembered it. */
  readonly rests: readonly CommittedRow[];
  /** What it ended in, or what followed from it. */
  readonly after: readonly CommittedRow[];
}

/** The whole story in plain sentences, in the order in which it happened as far as that can be told: what led to it, what allowed it, what it was, what came of it. */
export function explained({ chain, rests, after }: Explained, held: Held): string[] {
  const told = new Teller(held);
  const itself = chain.at(-1);
  const led = chain.slice(0, -1);
  return [
    ...led.map((row) => told.row(row)),
    ...rests.filter(({ seq }) => !chain.some((row) => row.seq === seq)).map((row) => told.row(row)),
    ...(itself === undefined ? [] : [told.row(itself)]),
    ...after.map((row) => told.row(row)),
  ];
}

/** What held when it happened, in sentences: rules, settings, the people who have a part in it, and the grants in force for them. */
export function whatHeld({ chain, rests, after }: Explained, held: Held): string[] {
  const told = new Teller(held);
  const rows = [...chain, ...rests, ...after];
  const agents = new Set(rows.flatMap((row) => fieldOf(row, "agent")));
  const people = new Set(rows.flatMap((row) => [...fieldOf(row, "principal"), ...fieldOf(row, "by")]));
  return [
    held.policy === null
      ? "no policy was in force yet"
      : `the policy ${short(held.policy.digest)} was in force, since ${told.moment(held.policy.since)} (row ${held.policy.row}); its text: wirken policy show --at ${held.seq}`,
    ...held.agents
      .filter(({ agent }) => agents.has(agent))
      .map(
        ({ agent, provider, model, digest, row }) =>
          `agent ${agent} was ${provider}/${model} with the settings ${short(digest)} (row ${row})`,
      ),
    ...held.people
      .filter(({ principal }) => people.has(principal))
      .map(({ principal, by, via, since, row }) => {
        const how = by === principal ? `began the log ${where(via)}` : `was let in by ${told.who(by)} ${where(via)}`;
        return `${told.who(principal)} ${how} on ${told.moment(since)} (row ${row})`;
      }),
    ...[...people].flatMap((principal) => {
      const theirs = held.grants.filter((grant) => grant.principal === principal);
      if (!held.people.some((person) => person.principal === principal)) return [];
      if (theirs.length === 0) return [`no approval was remembered for ${told.who(principal)}`];
      return theirs.map((grant) => told.grant(grant));
    }),
  ];
}

/** What was found wrong with the rows that the story is made of: they may not say what was recorded. @param raised rows `finding.raised`, in any order. */
export function doubted({ chain, rests, after }: Explained, raised: readonly CommittedRow[]): string[] {
  const told = new Set([...chain, ...rests, ...after].map(({ seq }) => seq));
  return raised.flatMap(({ action, seq }) =>
    action.kind === "finding.raised" && action.at !== null && told.has(action.at)
      ? [`row ${action.at} may not say what was recorded: ${action.code} was found there (row ${seq})`]
      : [],
  );
}

function fieldOf({ action }: CommittedRow, name: string): string[] {
  const value = Object.entries(action).find(([field]) => field === name)?.[1];
  return typeof value === "string" ? [value] : [];
}

/** Says rows with the names and roles that people had then, and each day only once. */
class Teller {
  readonly #held: Held;
  #day = "";

  constructor(held: Held) {
    this.#held = held;
  }

  who(principal: string): string {
    const person = this.#held.people.find((one) => one.principal === principal);
    if (person === undefined) return `${principal} (nobody who was let in then)`;
    return `${line(person.name ?? principal)} (${person.role})`;
  }

  /** In this machine's own time. */
  moment(at: string): string {
    const time = new Date(at);
    return `${day(time)} ${two(time.getHours())}:${two(time.getMinutes())}`;
  }

  grant({ key, agent, principal, channel, session, until, by, via, row }: Held["grants"][number]): string {
    const reach = session === null ? "" : " in one session";
    return `${this.who(principal)} had ${key} remembered for agent ${agent} on ${channel}${reach} until ${this.moment(until)}, by ${this.who(by)} ${where(via)} (row ${row})`;
  }

  row(row: CommittedRow): string {
    const time = new Date(row.at);
    const date = day(time);
    const on = date === this.#day ? "" : `on ${date} `;
    this.#day = date;
    const at = `${on}at ${two(time.getHours())}:${two(time.getMinutes())}`;
    return `${this.#say(row, at)} (row ${row.seq})`;
  }

  #say(row: CommittedRow, at: string): string {
    const { action } = row;
    switch (action.kind) {
      case "message.received":
        return `${this.who(action.principal)} wrote ${where(action.channel)} ${at}: ${quoted(row, "text")}`;
      case "turn.started":
        return `agent ${action.agent} began a turn for ${this.who(action.principal)} ${at}`;
      case "turn.ended":
        return `the turn ended (${action.reason}) ${at}, after ${count(action.rounds, "round")}`;
      case "turn.stopped":
        return `${this.who(action.by)} stopped the turn ${where(action.via)} ${at}`;
      case "model.called":
        return `${agentOf(action)} asked the model ${action.provider}/${action.model} ${at}${insteadOf(action)}`;
      case "model.refused":
        return `${agentOf(action)} did not ask the model ${action.provider}/${action.model} ${at} (${action.reason}): ${quoted(row, "why")}`;
      case "model.attesting":
        return `${action.provider} was asked ${at} to show what it is`;
      case "model.attested":
        return `${ATTESTED[action.result]} ${at}${action.manifest === null ? "" : `, by the manifest ${action.manifest}`}: ${quoted(row, "evidence")}`;
      case "model.answered":
        return `${action.model} answered ${at} with ${count(action.outputTokens, "token")} (${action.stop})`;
      case "tool.called":
        return `${agentOf(action)} ran ${action.tool} ${at} (${action.key}, tier ${action.tier}), which ${AUTHORITY[action.authority]}: ${quoted(row, "action")}`;
      case "tool.finished":
        return `it ended (${action.outcome}) ${at}${action.status === null ? "" : ` with status ${action.status}`}`;
      case "command.started":
        return `the command went on in the background from ${at} on`;
      case "command.ended":
        return `the command in the background ended (${action.outcome}) ${at}${action.status === null ? "" : ` with status ${action.status}`}`;
      case "tool.refused":
        if (action.tool === "reply") return `an answer was not given there ${at} (${action.reason})`;
        return `${action.tool ?? "an unknown tool"} was refused ${at} (${action.reason}), and nothing ran`;
      case "injection.found":
        return `${suspectSentence(action)}, as was noticed ${at}, which decided nothing: ${quoted(row, "text")}`;
      case "label.raised":
        return `from here on, ${at}, there was something in the conversation that ${labelled(action.label, action.person === null ? null : this.who(action.person))}`;
      case "label.filed":
        return `${count(action.files, "file")} that it may have written ${at} carry the labels of the conversation`;
      case "label.cleared":
        return `${this.who(action.by)} had that count no more ${where(action.via)} ${at}`;
      case "approval.requested":
        return `${agentOf(action)} asked ${at} for an approval of ${action.key} (tier ${action.tier}), for ${this.who(action.principal)}`;
      case "approval.counted":
        return `${this.who(action.by)} approved this ${where(action.via)} ${at}, as number ${action.count} of the people who have to`;
      case "approval.repeated":
        return `${this.who(action.by)} had what had expired asked again ${where(action.via)} ${at}`;
      case "approval.decided":
        return this.#decided(action, at);
      case "grant.given":
        return `${this.who(action.by)} had ${action.key} remembered ${where(action.via)} ${at} for agent ${action.agent} until ${this.moment(action.until)}`;
      case "grant.revoked":
        return `${this.who(action.by)} took that back ${where(action.via)} ${at}`;
      case "message.sent":
        return `a message (${action.purpose}) left ${where(action.channel)} ${at}`;
      case "message.delivered":
        return `it was delivered ${at} in ${count(action.parts, "part")}`;
      case "message.failed":
        return `it was not delivered (${action.reason}) ${at}`;
      case "person.added":
        return `${this.who(action.by)} let ${line(action.principal)} in as ${action.role} ${where(action.via)} ${at}`;
      case "person.revoked":
        return `${this.who(action.by)} took the access of ${action.principal} away ${where(action.via)} ${at}`;
      case "model.trying":
        return `${this.who(action.by)} had the model ${action.provider}/${action.model} tried ${where(action.via)} ${at}`;
      case "model.tried":
        return `it answered ${at}; in words: ${action.text}; with a tool call: ${action.tools} (${action.inputTokens} tokens in, ${action.outputTokens} out)`;
      case "search.trying":
        return `${this.who(action.by)} had the web search of ${action.service} tried ${where(action.via)} ${at}`;
      case "search.tried":
        return `it answered ${at} with status ${action.status}`;
      case "process.started":
        return `a process started ${at}: ${action.role}${action.subject === null ? "" : ` ${action.subject}`}`;
      case "process.ready":
        return `it was ready ${at}`;
      case "process.ended":
        return `it ended (${action.reason}) ${at}`;
      case "egress.reached":
        return `the process reached ${quoted(row, "host")}${port(action.port)} ${at}${action.source === null ? "" : `, which ${SOURCE[action.source]}`}`;
      case "egress.refused":
        return `${quoted(row, "host")}${port(action.port)} was refused to the process or not to be had ${at} (${action.reason}), ${count(action.times, "time")} since ${this.moment(action.since)}`;
      case "egress.flood":
        return `${count(action.times, "more host")} were ${action.what} ${at} by ${action.role}${action.subject === null ? "" : ` ${action.subject}`}, too many to be told one by one`;
      case "secret.used":
        return `a credential of ${action.scope} (version ${action.version}) was handed to a process ${at}`;
      case "action.interrupted":
        return `it was interrupted, as was found ${at}: its effect is unknown, and it was not repeated`;
      case "action.failed":
        return `it failed ${at}: ${quoted(row, "error")}`;
      case "daemon.starting":
        return `the daemon ${action.version} began to start ${at}`;
      case "finding.raised":
        return `the record was found wrong ${at}: ${action.code}${action.at === null ? "" : ` at row ${action.at}`}`;
      case "finding.acknowledged":
        return `${this.who(action.by)} acknowledged ${action.code} ${where(action.via)} ${at}: ${quoted(row, "reason")}`;
      default:
        if (isAboutIncidents(action)) return incidentSentence(action, row, at, this);
        if (isAboutChannels(action)) return channelSentence(action, row, at, this);
        if (isAboutBudgets(action)) return budgetSentence(action, at, this);
        return isAboutPeople(action) ? peopleSentence(action, row, at, this) : keepingSentence(action, row, at, this);
    }
  }

  #decided(
    { decision, scope, by, via, under }: Extract<CommittedRow["action"], { kind: "approval.decided" }>,
    at: string,
  ): string {
    if (by === null) return `nobody approved this: it was ${decision} ${at}`;
    const who = `${this.who(by)} ${decision} this${via === null ? "" : ` ${where(via)}`} ${at}`;
    if (decision !== "approved") return who;
    const there = under === undefined ? "" : `, on the channel that asked, which row ${under} allows them`;
    return `${who} ${SCOPE[scope]}${there}`;
  }
}

/** Who acted: the agent that a person talks with, or one below it, with the calls that started those. */
function agentOf({ agent, chain }: { readonly agent: string; readonly chain?: string }): string {
  if (chain === undefined) return `agent ${agent}`;
  const calls = chain.split(",");
  return `${calls.length === 1 ? "a sub-agent" : "a sub-agent of a sub-agent"} of agent ${agent} (started by ${calls.join(", then ")})`;
}

const SCOPE: Readonly<Record<"once" | "session" | "always", string>> = {
  once: "for this once",
  session: "for this session",
  always: "from then on",
};

const AUTHORITY: Readonly<Record<"free" | "grant" | "approval" | "policy", string>> = {
  policy: "the configuration allows",
  free: "the policy allows without asking",
  grant: "a remembered approval allowed",
  approval: "that approval allowed",
};

const SOURCE: Readonly<Record<ReachSource, string>> = {
  channel: "is shipped with its channel",
  provider: "is shipped with its provider",
  config: "config.json names",
  credential: "its credentials name",
  anchor: "is its anchor's address",
  action: "the decided action names",
};

/** @param whose null: everybody's who uses the agent. */
function labelled(label: "untrusted" | "private", whose: string | null): string {
  if (label === "untrusted") return "nobody typed whom the agent knows (untrusted)";
  return whose === null ? "is private to those who use this agent" : `is private to ${whose}`;
}

function port(number: number | null): string {
  return number === null ? "" : `, port ${number},`;
}

function short(digest: string): string {
  return digest.slice(0, 16);
}

function day(time: Date): string {
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

const ATTESTED = {
  holds: "it showed what it is",
  refused: "it did not show what it is",
  unreachable: "it could not be asked what it is",
} as const;

function insteadOf({ instead, because }: ActionOf<"model.called">): string {
  return instead === undefined ? "" : `, instead of ${instead} (${because ?? "unreachable"})`;
}
