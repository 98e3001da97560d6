import type { AuditLog, FactOf } from "../../audit/log.ts";
import type { Grants } from "../broker/grants.ts";
import { readKey } from "../broker/keys.ts";
import { ConversationId, Name, PrincipalId } from "../ipc/ids.ts";
import type { AnswerTo } from "../ipc/operator.ts";
import type { Folders } from "./folders.ts";
import { OperatorError } from "./operator-error.ts";
import type { By, People } from "./people.ts";
import type { ScheduleRecord } from "./schedule-state.ts";
import type { Schedules } from "./schedules.ts";
import type { ConversationRecord, Person, State } from "./state.ts";

export interface PersonTransferParts {
  readonly log: AuditLog;
  readonly state: State;
  readonly people: People;
  readonly grants: Grants;
  readonly schedules: Schedules;
  readonly folders: Folders;
  readonly contentKey: (scope: string) => Promise<void>;
}

/** Hands what is somebody's to another. What was said stays whose it is. Whatever of it a crash leaves undone, the same command does. */
export class PersonTransfer {
  readonly #parts: PersonTransferParts;

  constructor(parts: PersonTransferParts) {
    this.#parts = parts;
  }

  /** @param from who may be out already. @throws {OperatorError} if there is nobody to hand it to, or nothing to hand over. */
  async transfer(from: string, to: string, who: By): Promise<AnswerTo<"people.transfer">> {
    const { log, state, people, grants, contentKey } = this.#parts;
    const taker = people.get(to);
    if (from === to) throw new OperatorError("usage", "that is the same person");
    if (!state.isKnown(from) && state.schedules().every(({ principal }) => principal !== from))
      throw new OperatorError("not-found", `nobody has the id ${from}`, "see: wirken people list");
    await contentKey(taker.principal);
    const stays: string[] = [];
    const schedules = this.#schedules(from, taker, who, stays);
    const moved = this.#grants(from, taker, stays);
    const [first, ...others] = schedules;
    const giver = state.person(from)?.name ?? from;
    if (first !== undefined)
      await log.together({ action: first.action, given: { ...first.given, cause: null } }, others);
    for (const { key: text, agent, channel, until, left, grant } of moved) {
      const key = readKey(text)?.key;
      if (key === undefined) continue;
      // Given first: a crash in between leaves one approval too many for who gives, not one too few for who takes.
      await grants.add({ key, agent, channel, principal: taker.principal, until, uses: left }, who);
      await grants.revoke(grant, who, null);
    }
    const folders = await this.#folders(from, taker, who, stays);
    return { from: giver, to: taker.name, schedules: schedules.length, grants: moved.length, folders, stays };
  }

  /** Folders that are part of the giver's workspaces alone. */
  async #folders(from: string, taker: Person, who: By, stays: string[]): Promise<number> {
    const { folders } = this.#parts;
    const theirs = folders.list(null).folders.filter((one) => one.principal === from);
    let moved = 0;
    for (const { name, path, agent, write } of theirs) {
      const place = { name, agent: Name.parse(agent) };
      // Taken first: a folder is not part of two workspaces at once.
      await folders.remove({ call: "folder.remove", ...place, principal: PrincipalId.parse(from) }, who);
      try {
        await folders.add({ call: "folder.add", ...place, path, write, principal: taker.principal }, who);
        moved += 1;
      } catch (error) {
        if (!(error instanceof OperatorError)) throw error;
        stays.push(`the folder ${name} of agent ${agent} is nobody's now: ${error.message}`);
      }
    }
    return moved;
  }

  #schedules(from: string, taker: Person, who: By, stays: string[]): ScheduleMove[] {
    const { state, schedules } = this.#parts;
    return state
      .schedules()
      .filter(({ principal }) => principal === from)
      .flatMap((record) => {
        const place = this.#placeFor(record, taker);
        const planned = schedules.planned(record);
        if (place === null || planned === null) {
          stays.push(
            `${record.schedule}: ${planned === null ? "what it was to do was erased" : `${taker.name} has not written to the bot, so there is nowhere to answer`}`,
          );
          return [];
        }
        const { cron, zone } = planned.times;
        const content = { cron, zone, text: planned.text };
        return [moveOf(record, place, taker, who, content)];
      });
  }

  /** What was answered in a group still is; what was answered to one person is answered to the other. */
  #placeFor(record: ScheduleRecord, taker: Person): ConversationRecord | null {
    const { state, people } = this.#parts;
    const now = state.conversation(record.conversation);
    if (now?.talk === "group") return now;
    if (now !== null && (now.channel === "terminal" || now.channel === "web") && isLocal(people, taker)) return now;
    const theirs = state.directOf(taker.principal);
    return theirs.find(({ channel }) => channel === record.channel) ?? theirs[0] ?? null;
  }

  /** Approvals that are remembered for longer than a conversation, where who takes them writes as well. */
  #grants(from: string, taker: Person, stays: string[]) {
    const { state, grants, people } = this.#parts;
    const channels = new Set(state.identities(taker.principal).map(({ channel }) => channel));
    if (isLocal(people, taker)) for (const own of ["terminal", "web"]) channels.add(own);
    return grants.of(from).got.filter((grant) => {
      const why =
        grant.session !== null
          ? "it holds for one conversation only"
          : channels.has(grant.channel)
            ? null
            : `${taker.name} does not write on ${grant.channel}`;
      if (why !== null) stays.push(`${grant.key} by agent ${grant.agent} on ${grant.channel}: ${why}`);
      return why === null;
    });
  }
}

type ScheduleMove = FactOf & { readonly action: { readonly kind: "schedule.transferred" } };

function moveOf(
  { schedule }: ScheduleRecord,
  place: ConversationRecord,
  { principal }: Person,
  who: By,
  content: { cron: string; zone: string; text: string },
): ScheduleMove {
  const conversation = ConversationId.parse(place.conversation);
  return {
    action: { kind: "schedule.transferred", schedule, principal, conversation, channel: place.channel, ...who },
    given: { seal: principal, content },
  };
}

function isLocal(people: People, { principal }: Person): boolean {
  return people.owner().principal === principal;
}
