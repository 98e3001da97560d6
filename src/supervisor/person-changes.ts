import type { AuditLog, FactOf } from "../../audit/log.ts";
import type { Grants } from "../broker/grants.ts";
import type { AdapterChannel } from "../ipc/channel.ts";
import type { AnswerTo } from "../ipc/operator.ts";
import type { LinkWay, Role } from "../ipc/people-calls.ts";
import { OperatorError } from "./operator-error.ts";
import type { By, People } from "./people.ts";
import type { Person, State } from "./state.ts";

export interface PersonChangeParts {
  readonly log: AuditLog;
  readonly state: State;
  readonly people: People;
  readonly grants: Grants;
  /** Ends what runs for somebody on one channel at once. @returns the rows that say so. */
  readonly cut: (principal: string, who: By, channel: string) => FactOf[];
  /** Makes the key under which what says who somebody is is sealed. */
  readonly contentKey: (scope: string) => Promise<void>;
}

type View = AnswerTo<"people.role">;

/** What somebody may do, and where they are known. */
export class PersonChanges {
  readonly #parts: PersonChangeParts;

  constructor(parts: PersonChangeParts) {
    this.#parts = parts;
  }

  view(principal: string): View {
    const { people, state } = this.#parts;
    return { ...people.get(principal), identities: state.identities(principal) };
  }

  /** @throws {OperatorError} if nobody would be the owner then. */
  async role(principal: string, role: Role, who: By): Promise<View> {
    const { people, log } = this.#parts;
    const person = people.get(principal);
    if (person.role === role) return this.view(principal);
    if (person.role === "owner") people.mustStayOwned(person, `made ${role}`);
    await log.append({ kind: "person.changed", principal: person.principal, role, ...who }, { cause: null });
    return this.view(principal);
  }

  /** One more channel that somebody is known on. @throws {OperatorError} if another person is known by it. */
  async link(principal: string, to: LinkWay, who: By): Promise<AnswerTo<"people.link">> {
    const { people } = this.#parts;
    const person = people.get(principal);
    switch (to.way) {
      case "id":
        this.#free(person, to.channel, to.id);
        await this.#linked(person, to.channel, to.id, "", who);
        return { ...this.view(principal), code: null };
      case "code":
        await people.link(to.code, person, who);
        return { ...this.view(principal), code: null };
      case "invite": {
        const { code, until } = await people.invite(to.channel, who, person.principal);
        return { ...this.view(principal), code: { code, channel: to.channel, until } };
      }
    }
  }

  #free(person: Person, channel: string, id: string): void {
    const known = this.#parts.state.personOf(channel, id);
    if (known === null) return;
    if (known.principal === person.principal)
      throw new OperatorError("usage", `${person.name} is known there already`, "wirken people show says where");
    throw new OperatorError(
      "refused",
      `that is ${known.name} there, and nobody is two people`,
      `first: wirken people unlink ${known.principal} ${channel}`,
    );
  }

  async #linked(person: Person, channel: string, sender: string, name: string, who: By): Promise<void> {
    const { principal } = person;
    // It is there unless they were erased since.
    await this.#parts.contentKey(principal);
    await this.#parts.log.append(
      { kind: "identity.linked", principal, channel, ...who },
      { cause: null, seal: principal, content: { sender, name } },
    );
  }

  /** Lets somebody decide on the channel that asked, or takes that back.
   *  @throws {OperatorError} for somebody who is known on another channel as well, or on none: they decide there, or nowhere. */
  async sameChannel(principal: string, allowed: boolean, who: By): Promise<AnswerTo<"people.same-channel">> {
    const { people, state, log } = this.#parts;
    const person = people.get(principal);
    const [channel = null, ...others] = [...new Set(state.identities(principal).map((one) => one.channel))];
    if (allowed && channel === null)
      throw new OperatorError("refused", `${person.name} is known on no channel`, "wirken people link gives them one");
    if (allowed && others.length > 0)
      throw new OperatorError(
        "refused",
        `${person.name} is known on ${[channel, ...others].join(" and ")}: what they ask on one is decided on another`,
        "wirken people unlink takes one away",
      );
    if ((state.sameChannel(principal) !== null) !== allowed)
      await log.append(
        { kind: "person.same-channel", principal: person.principal, allowed: allowed ? "yes" : "no", ...who },
        { cause: null },
      );
    return { principal, name: person.name, channel, allowed };
  }

  /** They are a stranger there from now on; what ran for them there ends, and what was remembered for them there with it.
   *  @throws {OperatorError} if they are not known there. */
  async unlink(principal: string, channel: AdapterChannel, id: string | null, who: By): Promise<View> {
    const { people, state, grants, log, cut } = this.#parts;
    const person = people.get(principal);
    const there = state
      .identities(principal)
      .filter((one) => one.channel === channel && (id === null || one.id === id));
    const [only] = there;
    if (only === undefined)
      throw new OperatorError(
        "not-found",
        `${person.name} is not known on ${channel}`,
        "wirken people show says where",
      );
    if (there.length > 1)
      throw new OperatorError(
        "usage",
        `${person.name} is known on ${channel} by ${there.length} ids`,
        `say which: ${there.map((one) => `${channel}:${one.id}`).join(", ")}`,
      );
    const last = state.identities(principal).filter((one) => one.channel === channel).length === 1;
    const remembered = last ? grants.of(principal).got.filter((grant) => grant.channel === channel) : [];
    await log.together(
      {
        action: { kind: "identity.unlinked", principal: person.principal, channel, ...who },
        given: { cause: null, seal: person.principal, content: { sender: only.id } },
      },
      [...cut(principal, who, channel), ...remembered.flatMap(({ grant }) => grants.take(grant, who))],
    );
    return this.view(principal);
  }
}
