import type { AuditLog } from "../../audit/log.ts";
import { readVkey } from "../../skills/signed.ts";
import { SkillError } from "../../skills/skill-error.ts";
import type { Trust } from "../../skills/trust.ts";
import { digestOf } from "../../skills/verify.ts";
import { mint } from "../ipc/ids.ts";
import type { OperatorCall } from "../ipc/operator.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";
import { endOf, type Vouched, type VouchedView, vouchedRows, viewOf } from "./skill-vouched.ts";
import type { Placed } from "./standing.ts";

interface KeyRecord extends Vouched, Trust {}

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
    const records = new Map<string, KeyRecord>();
    for (const { row, vouched } of vouchedRows(this.#parts.log, this.#parts.placed)) {
      const vkey = row.action.vkey ?? row.content("vkey");
      if (row.action.of === "root" || vkey === null) continue;
      forget(records, vkey, vouched.revoked);
      records.set(vouched.id, { ...vouched, vkey });
    }
    this.#records = records;
    return records;
  }

  /** Everybody who is trusted, or was. */
  get trusted(): readonly Trust[] {
    return [...this.#parts.shipped, ...this.#all().values()];
  }

  list(): VouchedView[] {
    return [
      ...this.#parts.shipped.map((one): VouchedView => ({ ...keyView(one, 0), state: "shipped" })),
      ...Array.from(this.#all().values(), (one) => keyView(one, this.#parts.now())),
    ];
  }

  /** @throws {OperatorError} for what is no key, or a time that is past. */
  async trust(
    { vkey, names, until, own }: Extract<OperatorCall, { call: "skill.trust" }>,
    who: By,
  ): Promise<VouchedView> {
    try {
      readVkey(vkey);
    } catch (error) {
      if (error instanceof SkillError) throw new OperatorError("usage", error.message, error.hint, { cause: error });
      throw error;
    }
    const end = endOf(until, this.#parts.now());
    const key = mint("skillKey");
    const time = end === null ? null : new Date(end).toISOString();
    const row = await this.#parts.log.append(
      {
        kind: "skill.trusted",
        of: "key",
        key,
        fingerprint: digestOf(vkey),
        names,
        until: time,
        own: own ? "yes" : "no",
        ...who,
      },
      { cause: null, content: { vkey } },
    );
    const all = this.#all();
    forget(all, vkey, false);
    const made = { id: key, seq: row.seq, vkey, names, until: end, own, revoked: false };
    all.set(key, made);
    return keyView(made, this.#parts.now());
  }

  /** What it signed is refused from now on. It is done first, and recorded when it can be. @returns null: no key is called that. @throws {OperatorError}. */
  async untrust(which: string, who: By): Promise<VouchedView | null> {
    const all = this.#all();
    const found = [...all.values()].filter(
      (one) => !one.revoked && (one.vkey === which || readVkey(one.vkey).name === which),
    );
    const [first] = found;
    if (first === undefined) return null;
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
    return keyView({ ...first, revoked: true }, this.#parts.now());
  }
}

/** Trusted again, by a later row, it is no longer revoked. */
function forget(records: Map<string, KeyRecord>, vkey: string, revoked: boolean): void {
  if (revoked) return;
  for (const [id, one] of records) if (one.vkey === vkey && one.revoked) records.delete(id);
}

function keyView(one: Trust, now: number): VouchedView {
  return viewOf(one, { vkey: one.vkey, name: readVkey(one.vkey).name, of: "key", identity: null }, now);
}
