import type { AuditLog } from "../../audit/log.ts";
import { readVkey } from "../../skills/signed.ts";
import { SkillError } from "../../skills/skill-error.ts";
import type { Trust } from "../../skills/trust.ts";
import { mint } from "../ipc/ids.ts";
import type { AnswerTo, OperatorCall } from "../ipc/operator.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";
import type { Placed } from "./standing.ts";

type View = AnswerTo<"skill.trust">;

interface KeyRecord extends Trust {
  readonly id: string;
  readonly seq: number;
}

export interface SkillKeysParts {
  readonly log: Pick<AuditLog, "row" | "append">;
  readonly placed: (what: Placed) => readonly number[];
  /** Those that came with this build. */
  readonly shipped: readonly Trust[];
  readonly now: () => number;
}

/** Whose skills are used. The rows are what counts. */
export class SkillKeys {
  readonly #parts: SkillKeysParts;
  #records: Map<string, KeyRecord> | null = null;

  constructor(parts: SkillKeysParts) {
    this.#parts = parts;
  }

  #all(): Map<string, KeyRecord> {
    if (this.#records !== null) return this.#records;
    this.#records = new Map();
    for (const what of ["skill-key-revoked", "skill-key"] as const)
      for (const row of this.#parts.placed(what)) {
        const found = this.#parts.log.row(row);
        if (found?.action.kind !== "skill.trusted") continue;
        const { key, vkey, names, until, own } = found.action;
        const revoked = what === "skill-key-revoked";
        // Trusted again, by a later row, it is no longer revoked.
        if (!revoked)
          for (const [id, one] of this.#records) if (one.vkey === vkey && one.revoked) this.#records.delete(id);
        this.#records.set(key, {
          id: key,
          seq: found.seq,
          vkey,
          names,
          until: until === null ? null : Date.parse(until),
          own: own === "yes",
          revoked,
        });
      }
    return this.#records;
  }

  /** Everybody who is trusted, or was. */
  get trusted(): readonly Trust[] {
    return [...this.#parts.shipped, ...this.#all().values()];
  }

  list(): View[] {
    return [
      ...this.#parts.shipped.map((one): View => ({ ...viewOf(one, 0), state: "shipped" })),
      ...Array.from(this.#all().values(), (one) => viewOf(one, this.#parts.now())),
    ];
  }

  /** @throws {OperatorError} for what is no key, or a time that is past. */
  async trust({ vkey, names, until, own }: Extract<OperatorCall, { call: "skill.trust" }>, who: By): Promise<View> {
    try {
      readVkey(vkey);
    } catch (error) {
      if (error instanceof SkillError) throw new OperatorError("usage", error.message, error.hint, { cause: error });
      throw error;
    }
    const end = until === null ? null : Date.parse(until);
    if (end !== null && !(end > this.#parts.now()))
      throw new OperatorError(
        "usage",
        "until that day it would be trusted for no time at all",
        "write a day to come, as 2030-12-31",
      );
    const key = mint("skillKey");
    const time = end === null ? null : new Date(end).toISOString();
    const row = await this.#parts.log.append(
      { kind: "skill.trusted", key, vkey, names, until: time, own: own ? "yes" : "no", ...who },
      { cause: null },
    );
    const all = this.#all();
    for (const [id, one] of all) if (one.vkey === vkey && one.revoked) all.delete(id);
    const made = { id: key, seq: row.seq, vkey, names, until: end, own, revoked: false };
    all.set(key, made);
    return viewOf(made, this.#parts.now());
  }

  /** What it signed is refused from now on. It is done first, and recorded when it can be. @throws {OperatorError}. */
  async untrust(which: string, who: By): Promise<View> {
    const all = this.#all();
    const found = [...all.values()].filter(
      (one) => !one.revoked && (one.vkey === which || readVkey(one.vkey).name === which),
    );
    const [first] = found;
    if (first === undefined)
      throw new OperatorError("not-found", "no key of that name is trusted", "wirken skills list names those that are");
    if (found.some(({ vkey }) => vkey !== first.vkey))
      throw new OperatorError(
        "usage",
        `several keys are called ${which}`,
        "give the whole key, as wirken skills list --json prints it",
      );
    for (const one of found) {
      all.set(one.id, { ...one, revoked: true });
      await this.#parts.log.append({ kind: "skill.untrusted", key: one.id, ...who }, { cause: one.seq });
    }
    return viewOf({ ...first, revoked: true }, this.#parts.now());
  }
}

function viewOf({ vkey, names, until, own, revoked }: Trust, now: number): View {
  const state = revoked ? "revoked" : until !== null && until <= now ? "expired" : "trusted";
  return {
    vkey,
    name: readVkey(vkey).name,
    names,
    until: until === null ? null : new Date(until).toISOString(),
    own,
    state,
  };
}
