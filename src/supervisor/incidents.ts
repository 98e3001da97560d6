import type { AuditLog } from "../../audit/log.ts";
import type { Vault } from "../../vault/vault.ts";
import type { IncidentView } from "../ipc/incident-calls.ts";
import { IncidentId, mint } from "../ipc/ids.ts";
import type { AnswerTo, OperatorCall } from "../ipc/operator.ts";
import type { EvidenceExport } from "./evidence-export.ts";
import type { Halts } from "./halts.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";
import { revokeAt } from "./recovery-sheet.ts";
import type { IncidentRecord, State } from "./state.ts";

type Call<N extends OperatorCall["call"]> = Extract<OperatorCall, { call: N }>;
type View = IncidentView["credentials"][number];

const LOOKED_AT = 1_000;

export interface IncidentParts {
  readonly log: AuditLog;
  readonly state: State;
  readonly vault: () => Vault;
  readonly halts: Halts;
  readonly evidence: EvidenceExport;
  /** Has every anchor take the newest checkpoint. */
  readonly anchor: () => void;
}

/** What a credential was when the incident began. */
interface Before {
  readonly scope: string;
  readonly account: string | null;
}

/** A time in which nobody knows who has what: everything is halted and the record secured, and nothing goes on before every credential is another one.
 *  It is a state on the log, so a restart changes nothing about it. */
export class Incidents {
  readonly #parts: IncidentParts;

  constructor(parts: IncidentParts) {
    this.#parts = parts;
  }

  /** Halts first; then records, signs, anchors and hands the record over. What of that fails is told, and the incident is open all the same.
   *  @throws {OperatorError} if one is open. */
  async open({ reason, out }: Call<"incident.open">, who: By, signal: AbortSignal): Promise<AnswerTo<"incident.open">> {
    const { log, state, halts, vault } = this.#parts;
    const before = state.incident();
    if (before !== null)
      throw new OperatorError("usage", `an incident is open since ${before.at}`, "see it: wirken incident show");
    const halted = halts.everything;
    const { ended } = await halts.begin({ subject: "all" }, reason, who);
    const incident = mint("incident");
    const credentials = vault()
      .credentials()
      .map(({ scope, account }): Before => ({ scope, account }));
    await log.append(
      { kind: "incident.opened", incident, halted: halted ? "before" : "now", credentials: credentials.length, ...who },
      { cause: null, content: { reason, credentials: JSON.stringify(credentials), path: out } },
    );
    const problems: string[] = [];
    const tried = async <T>(what: string, work: () => Promise<T>): Promise<T | null> => {
      try {
        return await work();
      } catch (error) {
        problems.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
        return null;
      }
    };
    const checkpoint = await tried("no checkpoint was signed", async () => (await log.checkpoint("demand")).size);
    this.#parts.anchor();
    const call = {
      call: "audit.export",
      out,
      session: null,
      since: null,
      until: null,
      content: "commitments",
    } as const;
    const exported = await tried("the record was not exported", async () => {
      const { rows, digest, vkey } = await this.#parts.evidence.export(call, who, () => undefined, signal);
      return { out, rows, digest, vkey };
    });
    return { ...(await this.#view(this.#needed())), ended, checkpoint, exported, problems };
  }

  async show(): Promise<AnswerTo<"incident.show">> {
    const record = this.#parts.state.incident();
    return { open: record === null ? null : await this.#view(record) };
  }

  /** @throws {OperatorError} while a credential is the one of before and nobody says why that may stay so; then nothing is recorded. */
  async close({ waive }: Call<"incident.close">, who: By): Promise<AnswerTo<"incident.close">> {
    const { log, halts } = this.#parts;
    const record = this.#needed();
    const view = await this.#view(record);
    for (const { scope } of waive)
      if (!view.credentials.some((one) => one.scope === scope))
        throw new OperatorError("usage", `there was no credential ${scope} when it began`, "see: wirken incident show");
    const left = view.credentials.filter(
      ({ scope, state }) =>
        (state === "to rotate" || state === "unconfirmed") && !waive.some((one) => one.scope === scope),
    );
    if (left.length > 0) throw stillOpen(left);
    for (const { scope, reason } of waive)
      await log.append(
        { kind: "incident.waived", incident: record.incident, scope, ...who },
        { cause: record.seq, content: { reason } },
      );
    const count = (...states: View["state"][]): number =>
      view.credentials.filter(({ state }) => states.includes(state)).length;
    await log.append(
      {
        kind: "incident.closed",
        incident: record.incident,
        rotated: count("rotated", "removed"),
        waived: waive.length,
        ...who,
      },
      { cause: record.seq },
    );
    const resumed = !record.haltedBefore && halts.everything;
    if (resumed) await halts.end({ subject: "all" }, null, who);
    const credentials = view.credentials.map((one) =>
      waive.some(({ scope }) => scope === one.scope) ? { ...one, state: "waived" as const } : one,
    );
    return { ...view, credentials, resumed };
  }

  /** A sentence while one is open. */
  notes(): string[] {
    const record = this.#parts.state.incident();
    return record === null
      ? []
      : [
          `an incident is open since ${record.at}: nothing runs before every credential is rotated or waived; wirken incident show`,
        ];
  }

  #needed(): IncidentRecord {
    const record = this.#parts.state.incident();
    if (record === null)
      throw new OperatorError(
        "not-found",
        "no incident is open",
        "one is opened with: wirken incident open --reason …",
      );
    return record;
  }

  async #view({ incident, seq, at }: IncidentRecord): Promise<IncidentView> {
    const row = this.#parts.log.row(seq);
    const enrolled = await this.#enrolledSince(seq);
    const credentials = listed(row?.content("credentials") ?? null).map(({ scope, account }): View => {
      const subject = scope.replace(/^(?:channel|provider)\//, "");
      return {
        scope,
        account,
        revoke: revokeAt(scope),
        rotate: `wirken vault rotate ${subject}`,
        state: this.#stateOf(scope, enrolled),
      };
    });
    return { incident: IncidentId.parse(incident), at, reason: row?.content("reason") ?? null, credentials };
  }

  /** Another one counts once it was enrolled by a person: what a platform renews by itself, whoever has the old one may have renewed too. */
  #stateOf(scope: string, enrolled: ReadonlySet<string>): View["state"] {
    const now = this.#parts.vault().credentials(scope)[0];
    if (now === undefined) return "removed";
    if (!enrolled.has(scope)) return "to rotate";
    return now.fallback === null ? "rotated" : "unconfirmed";
  }

  async #enrolledSince(seq: number): Promise<Set<string>> {
    const found = new Set<string>();
    for (let after = seq; ; ) {
      const rows = await this.#parts.log.search({ kind: "credential.", after, limit: LOOKED_AT });
      for (const { action } of rows) {
        if (action.kind === "credential.added") found.add(action.scope);
        // It was put back: the one of before is in force again.
        if (action.kind === "credential.rolledback") found.delete(action.scope);
      }
      const last = rows.at(-1);
      if (last === undefined || rows.length < LOOKED_AT) return found;
      after = last.seq;
    }
  }
}

function stillOpen(left: readonly View[]): OperatorError {
  const named = left.map(
    ({ scope, state }) => `${scope} (${state === "unconfirmed" ? "the new one was not seen to work" : state})`,
  );
  return new OperatorError(
    "refused",
    `the incident stays open: ${named.join(", ")}`,
    `rotate each (${left[0]?.rotate ?? "wirken vault rotate"}), or say why it may stay: wirken incident close --waive ${left[0]?.scope ?? "WHAT"}=REASON`,
  );
}

function listed(text: string | null): Before[] {
  const values: unknown = text === null ? [] : JSON.parse(text);
  if (!Array.isArray(values)) return [];
  return values.flatMap((value: unknown) => {
    if (typeof value !== "object" || value === null || !("scope" in value) || typeof value.scope !== "string")
      return [];
    const account = "account" in value && typeof value.account === "string" ? value.account : null;
    return [{ scope: value.scope, account }];
  });
}
