import * as z from "zod/mini";
import type { AuditLog } from "../../audit/log.ts";
import { type RootTrust, shownIdentity } from "../../skills/foreign.ts";
import { SkillError } from "../../skills/skill-error.ts";
import { digestOf } from "../../skills/verify.ts";
import { mint } from "../ipc/ids.ts";
import type { OperatorCall } from "../ipc/operator.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";
import { endOf, type Vouched, type VouchedView, vouchedRows, viewOf } from "./skill-vouched.ts";
import type { Placed } from "./standing.ts";
import { MAX_ROOTS, type ReadRoot, type Unpacks } from "./unpacks.ts";

/** What a row keeps of one, as one piece: whom it is trusted for is not lost alone. */
const Kept = z.strictObject({ name: z.string(), identity: z.nullable(z.string()), der: z.string() });

interface RootRecord extends Vouched, RootTrust {
  /** In DER. */
  readonly certificate: Uint8Array;
  readonly name: string;
}

export interface SkillRootsParts {
  readonly log: Pick<AuditLog, "row" | "append">;
  readonly placed: (what: Placed) => readonly number[];
  readonly unpacks: Pick<Unpacks, "root">;
  readonly now: () => number;
}

/** Under whose certificates skills are used. The rows are what counts. */
export class SkillRoots {
  readonly #parts: SkillRootsParts;
  #records: Map<string, RootRecord> | null = null;

  constructor(parts: SkillRootsParts) {
    this.#parts = parts;
  }

  #all(): Map<string, RootRecord> {
    if (this.#records !== null) return this.#records;
    const records = new Map<string, RootRecord>();
    for (const { row, vouched } of vouchedRows(this.#parts.log, this.#parts.placed)) {
      const kept = row.content("root");
      // What was taken out of the record is trusted no more.
      if (row.action.of !== "root" || kept === null) continue;
      const { name, identity, der } = Kept.parse(JSON.parse(kept));
      const certificate = Buffer.from(der, "base64");
      const fingerprint = digestOf(certificate);
      if (fingerprint !== row.action.fingerprint) continue;
      forget(records, fingerprint, vouched.revoked);
      records.set(vouched.id, { ...vouched, name, fingerprint, identity, certificate });
    }
    this.#records = records;
    return records;
  }

  /** Each that is trusted, or was. */
  get trusted(): readonly RootTrust[] {
    return [...this.#all().values()];
  }

  /** Each once, in DER. */
  get certificates(): Uint8Array[] {
    return [...new Map(Array.from(this.#all().values(), (one) => [one.fingerprint, one.certificate])).values()];
  }

  list(): VouchedView[] {
    return Array.from(this.#all().values(), (one) => rootView(one, this.#parts.now()));
  }

  /** @param pem a file with one certificate. @throws {OperatorError}. */
  async trust(
    { names, identity, until, own }: Extract<OperatorCall, { call: "skill.trust-root" }>,
    pem: Uint8Array,
    who: By,
  ): Promise<VouchedView> {
    const { log, now } = this.#parts;
    const { certificate, identities, until: good } = await this.#read(pem);
    if (good <= now())
      throw new OperatorError(
        "usage",
        `this certificate was good until ${new Date(good).toISOString().slice(0, 10)}`,
        "get the one that took its place from whoever it belongs to",
      );
    const end = endOf(until, now());
    const all = this.#all();
    if (all.size >= MAX_ROOTS)
      throw new OperatorError("usage", `${MAX_ROOTS} roots are trusted already`, "wirken skills untrust one of them");
    const id = mint("skillKey");
    const fingerprint = digestOf(certificate);
    const name = shownIdentity(identities);
    const der = Buffer.from(certificate).toString("base64");
    const row = await log.append(
      {
        kind: "skill.trusted",
        of: "root",
        key: id,
        fingerprint,
        names,
        until: end === null ? null : new Date(end).toISOString(),
        own: own ? "yes" : "no",
        ...who,
      },
      { cause: null, content: { root: JSON.stringify({ name, identity, der }) } },
    );
    forget(all, fingerprint, false);
    const made = { id, seq: row.seq, name, fingerprint, certificate, names, identity, until: end, own, revoked: false };
    all.set(id, made);
    return rootView(made, now());
  }

  /** What was signed under it is refused from now on. It is done first, and recorded when it can be.
   *  @param which its name, or 16 digits or more of its fingerprint. @returns null: none is called that. @throws {OperatorError}. */
  async untrust(which: string, who: By): Promise<VouchedView | null> {
    const all = this.#all();
    const digits = which.toLowerCase().replaceAll(":", "");
    const found = [...all.values()].filter(
      (one) =>
        !one.revoked && (one.name === which || (digits.length >= MIN_DIGITS && one.fingerprint.startsWith(digits))),
    );
    const [first] = found;
    if (first === undefined) return null;
    if (found.some(({ fingerprint }) => fingerprint !== first.fingerprint))
      throw new OperatorError(
        "usage",
        `several roots are called ${which}`,
        "give the fingerprint of one, as wirken skills list --json prints it",
      );
    for (const one of found) {
      all.set(one.id, { ...one, revoked: true });
      await this.#parts.log.append({ kind: "skill.untrusted", key: one.id, ...who }, { cause: one.seq });
    }
    return rootView({ ...first, revoked: true }, this.#parts.now());
  }

  async #read(pem: Uint8Array): Promise<ReadRoot> {
    try {
      return await this.#parts.unpacks.root(pem);
    } catch (error) {
      if (error instanceof SkillError) throw new OperatorError("usage", error.message, error.hint, { cause: error });
      throw error;
    }
  }
}

/** Of a fingerprint, in hex digits. */
const MIN_DIGITS = 16;

/** Trusted again, by a later row, it is no longer revoked. */
function forget(records: Map<string, RootRecord>, fingerprint: string, revoked: boolean): void {
  if (revoked) return;
  for (const [id, one] of records) if (one.fingerprint === fingerprint && one.revoked) records.delete(id);
}

function rootView(one: RootRecord, now: number): VouchedView {
  return viewOf(one, { vkey: one.fingerprint, name: one.name, of: "root", identity: one.identity }, now);
}
