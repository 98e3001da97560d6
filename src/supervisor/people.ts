import { randomInt } from "node:crypto";
import type { AuditLog } from "../../audit/log.ts";
import type { z } from "zod/mini";
import { mint, PairingId, PrincipalId } from "../ipc/ids.ts";
import type { PairView, Role } from "../ipc/operator.ts";
import { OperatorError } from "./operator-error.ts";
import type { Pairing, Person, State } from "./state.ts";
import { PAIRING_MINUTES } from "./state-database.ts";

/** Strangers who wait at once; the next one gets silence. */
const MAX_PENDING = 20;
/** A stranger gets one code a day. */
const ONCE_MS = 24 * 3_600_000;
/** The link or code printed after enrolling a bot. */
const INVITATION_MINUTES = 10;
const CODE_LENGTH = 8;
/** Crockford's base 32: what is read aloud is not misheard. */
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** By whom something was decided, and by which of their ways. */
export interface By {
  readonly by: string;
  readonly via: string;
}

/** Who the principals are, and how a stranger becomes one. */
export class People {
  readonly #log: AuditLog;
  readonly #state: State;
  readonly #now: () => number;
  readonly #contentKey: (scope: string) => Promise<void>;

  /** @param contentKey makes the key under which what says who somebody is is sealed, theirs alone: they can be erased alone. */
  constructor(log: AuditLog, state: State, now: () => number, contentKey: (scope: string) => Promise<void>) {
    this.#log = log;
    this.#state = state;
    this.#now = now;
    this.#contentKey = contentKey;
  }

  /** Whoever holds the operating-system account. Made at the first start.
   *  @param name as the system calls them. @param known the id under which they began this log, if it took another's place. */
  async ensureOwner(name: string, known: string | null = null): Promise<Person> {
    const found = this.#state.people().find((person) => person.role === "owner");
    if (found !== undefined) return found;
    const principal = known === null ? mint("principal") : PrincipalId.parse(known);
    await this.#contentKey(principal);
    await this.#log.append(
      { kind: "person.added", principal, role: "owner", by: principal, via: "terminal" },
      { cause: null, seal: principal, content: { name } },
    );
    return this.owner();
  }

  owner(): Person {
    const owner = this.#state.people().find((person) => person.role === "owner");
    if (owner === undefined) throw new OperatorError("bug", "there is no owner yet");
    return owner;
  }

  /** Those whose press decides on tiers 2 and 3. */
  approvers(): Person[] {
    return this.#state.people().filter((person) => person.role !== "user");
  }

  list(): z.infer<typeof PairView>["people"] {
    return this.#state.people().map((person) => ({ ...person, identities: this.#state.identities(person.principal) }));
  }
  /** Somebody who was let in. @throws {OperatorError} if nobody has that id. */
  get(principal: string): Person {
    const person = this.#state.person(principal);
    if (person === null)
      throw new OperatorError("not-found", `nobody has the id ${principal}`, "run wirken pair list to see the people");
    return person;
  }
  /** Who waits for an approval. */
  pending(): z.infer<typeof PairView>["pending"] {
    return this.#state
      .pairings(iso(this.#now()))
      .flatMap(({ pairing, code, channel, sender, name, expires }) =>
        sender === null ? [] : [{ pairing: PairingId.parse(pairing), code, channel, id: sender, name, expires }],
      );
  }

  /** A stranger wrote in direct talk. @returns their new code; null when they had one today or too many wait: then there is silence. */
  async request(channel: string, sender: string, name: string): Promise<{ pairing: Pairing; seq: number } | null> {
    const now = this.#now();
    const earlier = this.#state.pairingOf(channel, sender);
    if (earlier !== null && now - Date.parse(earlier.at) < ONCE_MS) return null;
    if (this.#state.pairings(iso(now)).filter((one) => one.kind === "request").length >= MAX_PENDING) return null;
    const pairing = mint("pairing");
    const code = newCode();
    // Who they are when they are nobody yet: the pairing's own key, which goes with them or when they are not let in.
    await this.#contentKey(pairing);
    const row = await this.#log.append(
      { kind: "pair.requested", pairing, channel },
      { cause: null, seal: pairing, content: { code, sender, name } },
    );
    const made = this.#state.pairingByCode(code, iso(now));
    return made === null ? null : { pairing: made, seq: row.seq };
  }

  /** A code whose first sender is linked: to the owner, or to somebody else who is one of the people. */
  async invite(
    channel: string,
    who: By,
    principal: PrincipalId | null = null,
  ): Promise<{ code: string; until: string }> {
    const until = iso(this.#now() + INVITATION_MINUTES * 60_000);
    const code = newCode();
    await this.#log.append(
      {
        kind: "pair.invited",
        pairing: mint("pairing"),
        channel,
        until,
        ...who,
        ...(principal === null ? {} : { principal }),
      },
      { cause: null, content: { code } },
    );
    return { code, until };
  }

  /** The first sender of an invitation's code becomes one more identity of whom it was made for. @returns null when the text is no such code. */
  async claim(channel: string, sender: string, name: string, text: string): Promise<Person | null> {
    const code = invitationCode(text);
    if (code === null) return null;
    const pairing = this.#state.pairingByCode(code, iso(this.#now()));
    if (pairing === null || pairing.kind !== "invitation" || pairing.channel !== channel) return null;
    const person = this.#invited(pairing);
    // Whoever it was made for is out since.
    if (person === null) return null;
    await this.#link(pairing, person, sender, name, { by: person.principal, via: channel });
    return person;
  }

  #invited({ seq }: Pairing): Person | null {
    const action = this.#log.row(seq)?.action;
    if (action?.kind !== "pair.invited" || action.principal === undefined) return this.owner();
    return this.#state.person(action.principal);
  }

  /** Whoever waits with that code is somebody who is one of the people already, on one more channel. */
  async link(code: string, person: Person, who: By): Promise<void> {
    const { pairing, sender } = this.#waiting(code);
    await this.#link(pairing, person, sender, pairing.name, who);
  }

  async #link(pairing: Pairing, person: Person, sender: string, name: string, who: By): Promise<void> {
    const { principal, role } = person;
    await this.#log.append(
      { kind: "pair.approved", pairing: pairing.pairing, principal, role, ...who },
      { cause: pairing.seq },
    );
    // It is there unless they were erased since.
    await this.#contentKey(principal);
    await this.#log.append(
      { kind: "identity.linked", principal, channel: pairing.channel },
      { cause: pairing.seq, seal: principal, content: { sender, name } },
    );
  }

  #waiting(code: string): { pairing: Pairing; sender: string } {
    const pairing = this.#state.pairingByCode(code, iso(this.#now()));
    if (pairing !== null && pairing.sender !== null) return { pairing, sender: pairing.sender };
    throw new OperatorError(
      "not-found",
      `no one waits with the code ${code}`,
      `a code is good for ${PAIRING_MINUTES} minutes; run wirken pair list to see who waits`,
    );
  }

  /** @param as what to call them; their own name on the channel when null. @returns `asked`: the row of their request. */
  async approve(
    code: string,
    role: Role,
    as: string | null,
    who: By,
  ): Promise<{ person: Person; channel: string; asked: number }> {
    const { pairing, sender } = this.#waiting(code);
    const principal = mint("principal");
    const name = as ?? pairing.name;
    await this.#contentKey(principal);
    const row = await this.#log.append(
      { kind: "pair.approved", pairing: pairing.pairing, principal, role, ...who },
      { cause: pairing.seq },
    );
    await this.#log.append(
      { kind: "person.added", principal, role, ...who },
      { cause: row.seq, seal: principal, content: { name } },
    );
    await this.#log.append(
      { kind: "identity.linked", principal, channel: pairing.channel },
      { cause: row.seq, seal: principal, content: { sender, name: pairing.name } },
    );
    return { person: { principal, role, name }, channel: pairing.channel, asked: pairing.seq };
  }

  /** @param what is to become of them, as in `removed`. @throws {OperatorError} if nobody would be the owner then. */
  mustStayOwned(person: Person, what: string): void {
    if (this.#state.people().some(({ principal, role }) => role === "owner" && principal !== person.principal)) return;
    if (person.role !== "owner") return;
    throw new OperatorError(
      "refused",
      `${person.name} is the only owner, and cannot be ${what}`,
      "make somebody else owner first: wirken people role NAME owner",
    );
  }
}

/** `/start CODE` (Telegram's link), or the bare code. */
function invitationCode(text: string): string | null {
  const match = /^\s*(?:\/start\s+)?([0-9A-HJKMNP-TV-Z]{8})\s*$/.exec(text.toUpperCase().replace("/START", "/start"));
  return match?.[1] ?? null;
}

function newCode(): string {
  return Array.from({ length: CODE_LENGTH }, () => ALPHABET.charAt(randomInt(ALPHABET.length))).join("");
}

function iso(at: number): string {
  return new Date(at).toISOString();
}
