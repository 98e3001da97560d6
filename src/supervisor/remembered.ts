import { type Facts, factsOfKey } from "../broker/action.ts";
import type { Grants } from "../broker/grants.ts";
import { isActionKey, KEYS, meaningOf } from "../broker/keys.ts";
import type { DecisionContext, Grant } from "../broker/policy.ts";
import { severalFor, type SeveralRule } from "../broker/several.ts";
import { decided, whyNot } from "../broker/why-not.ts";
import type { Rule } from "../broker/rules.ts";
import type { SandboxState } from "../effect/effects.ts";
import type { GrantView } from "../ipc/grant-calls.ts";
import { mint } from "../ipc/ids.ts";
import type { AnswerTo, OperatorCall } from "../ipc/operator.ts";
import { OperatorError } from "./operator-error.ts";
import type { By, People } from "./people.ts";

/** A grant that the owner gives without being asked holds for so long at the most, in days: who needs it longer gives it again. */
const MOST_DAYS = 366;
const DAY_MS = 24 * 3_600_000;

type Call<N extends OperatorCall["call"]> = Extract<OperatorCall, { call: N }>;

export interface RememberedParts {
  readonly grants: Grants;
  readonly people: People;
  readonly knowsAgent: (agent: string) => boolean;
  readonly sandbox: () => SandboxState["state"];
  readonly now: () => number;
  readonly rules: () => readonly Rule[];
  readonly several: () => readonly SeveralRule[];
}

/** Approvals that are remembered, as the owner sees and changes them. */
export class Remembered {
  readonly #parts: RememberedParts;

  constructor(parts: RememberedParts) {
    this.#parts = parts;
  }

  list(): AnswerTo<"grant.list"> {
    return { grants: this.#parts.grants.list().map((grant) => this.#view(grant)) };
  }

  /** @throws {OperatorError} if it does not hold. */
  show(grant: string): AnswerTo<"grant.show"> {
    const found = this.#parts.grants.list().find((one) => one.grant === grant);
    if (found === undefined)
      throw new OperatorError("not-found", `no grant ${grant} holds`, "wirken grants list shows those that do");
    return this.#view(found);
  }

  /** @throws {OperatorError} for an action that nothing is remembered for, a time out of bounds, or somebody who is not there. */
  async add(call: Call<"grant.add">, who: By): Promise<AnswerTo<"grant.add">> {
    const { agent, principal, channel, uses } = call;
    const facts = this.#factsOf(call.key);
    const [key] = facts.keys;
    if (facts.tier === 1) throw new OperatorError("usage", `${meaningOf(key)} is free: there is nothing to remember`);
    if (facts.tier === 3)
      throw new OperatorError("refused", `${meaningOf(key)} is asked for every time: no approval of it is remembered`);
    this.#checkWho(agent, principal);
    const until = Date.parse(call.until);
    const now = this.#parts.now();
    if (until <= now || until > now + MOST_DAYS * DAY_MS)
      throw new OperatorError("usage", `a grant ends in the future, and within ${MOST_DAYS} days`, "such as --for 30d");
    const grant = await this.#parts.grants.add({ key, agent, principal, channel, until, uses }, who);
    return this.#view(grant);
  }

  async revoke(grant: string, who: By): Promise<AnswerTo<"grant.revoke">> {
    const found = this.#parts.grants.list().find((one) => one.grant === grant);
    if (found === undefined)
      throw new OperatorError("not-found", `no grant ${grant} holds`, "wirken grants list shows those that do");
    await this.#parts.grants.revoke(grant, who, null);
    return this.#view(found);
  }

  /** What the rules would say, asked afresh: in a conversation of its own, with nothing in it. */
  test({ key, agent, principal, channel, whyNot: asked }: Call<"policy.test">): AnswerTo<"policy.test"> {
    const facts = this.#factsOf(key);
    this.#checkWho(agent, principal);
    const several = this.#parts.several();
    const context: DecisionContext = {
      agent,
      principal,
      role: this.#parts.people.get(principal).role,
      channel,
      session: mint("session"),
      now: this.#parts.now(),
      talk: "direct",
      grants: this.#parts.grants,
      rules: this.#parts.rules(),
      sandbox: this.#parts.sandbox(),
      labels: { untrusted: false, private: false },
      exemption: null,
      deniedBefore: false,
      denials: 0,
      stopped: false,
    };
    const decision = decided(facts, context, several);
    const theirs = this.#parts.people.list().find((one) => one.principal === principal)?.identities ?? [];
    const others = [...new Set(theirs.map((one) => one.channel))].filter((one) => one !== channel);
    return {
      verdict: decision.verdict,
      tier: decision.verdict === "ask" ? decision.tier : facts.tier,
      reason: decision.reason,
      rests: decision.verdict === "allow" ? (decision.rests[0]?.row ?? null) : null,
      scopes: decision.verdict === "ask" ? [...decision.scopes] : [],
      people: severalFor(facts.keys, several)?.needs ?? 1,
      changes: asked === true ? whyNot(facts, context, several, others) : [],
    };
  }

  #factsOf(key: string): Facts {
    const facts = factsOfKey(key);
    if (facts !== null) return facts;
    const forms = KEYS.map(({ form }) => form).join(", ");
    throw new OperatorError("usage", `there is no action ${key}`, `one of: ${forms}`);
  }

  #checkWho(agent: string, principal: string): void {
    if (!this.#parts.knowsAgent(agent))
      throw new OperatorError("not-found", `there is no agent ${agent}`, "see: wirken agents list");
    this.#parts.people.get(principal);
  }

  #view({ grant, key, agent, principal, channel, session, until, left, row }: Grant): GrantView {
    const person = this.#parts.people.list().find((one) => one.principal === principal);
    return {
      grant,
      key,
      means: isActionKey(key) ? meaningOf(key) : key,
      agent,
      principal,
      name: person?.name ?? null,
      channel,
      session,
      until: new Date(until).toISOString(),
      left,
      row,
    };
  }
}
