import type { AuditLog, CommittedRow } from "../../audit/log.ts";
import { sentences, type Verdict, verify, type VerifyOptions } from "../../audit/verify.ts";
import type { z } from "zod";
import type { Vault } from "../../vault/vault.ts";
import type { LocalChannel } from "../ipc/channel.ts";
import { SessionId } from "../ipc/ids.ts";
import type { RowFilter, RowView, VerdictView } from "../ipc/audit-calls.ts";
import type { AnswerTo } from "../ipc/operator.ts";
import type { By } from "./people.ts";
import type { State } from "./state.ts";
import { transcriptForPeople } from "./transcript.ts";
import { explained } from "./explain.ts";
import type { Findings } from "./findings.ts";

/** Reading the record for the owner. Nothing here changes it but a checkpoint and an acknowledgement. */
export class RecordView {
  readonly #log: AuditLog;
  readonly #state: State;
  readonly #path: string;
  readonly #vault: Vault;
  readonly #pin: () => Promise<NonNullable<VerifyOptions["pin"]>>;
  readonly #findings: Findings;

  constructor(parts: {
    log: AuditLog;
    state: State;
    path: string;
    vault: Vault;
    pin: () => Promise<NonNullable<VerifyOptions["pin"]>>;
    findings: Findings;
  }) {
    this.#log = parts.log;
    this.#state = parts.state;
    this.#path = parts.path;
    this.#vault = parts.vault;
    this.#pin = parts.pin;
    this.#findings = parts.findings;
  }

  rows(filter: RowFilter): AnswerTo<"audit.rows"> {
    const { after, before, kind, session, limit } = filter;
    const rows = this.#log.rows({
      limit,
      ...(after === undefined ? {} : { after }),
      ...(before === undefined ? {} : { before }),
      ...(kind === undefined ? {} : { kind }),
      ...(session === undefined ? {} : { session }),
    });
    return { rows: rows.map((row) => viewOf(row)), size: this.#log.size };
  }

  explain(seq: number): AnswerTo<"audit.explain"> {
    const { chain, rests, outcome } = this.#log.explain(seq);
    const all = [...chain, ...(rests === null ? [] : [rests]), ...(outcome === null ? [] : [outcome])];
    return {
      chain: all.map((row) => viewOf(row)),
      sentences: explained(chain, rests, outcome, (principal) => this.#state.person(principal)?.name ?? null),
    };
  }

  /** The vault holds the log's key and the keys to its content. Behind a protector it says whose the log is; a provisional one, which whoever
   *  reads the files can open, does not. */
  async verify(): Promise<z.infer<typeof VerdictView>> {
    const verdict = await verify(this.#path, {
      live: true,
      pin: await this.#pin(),
      sealer: this.#vault.sealer(),
      ...(this.#vault.protector === "none" ? {} : { vkey: this.#log.vkey }),
    });
    return { state: verdict.state, sentences: sentences(verdict), verdict: plain(verdict) };
  }

  async checkpoint(): Promise<AnswerTo<"audit.checkpoint">> {
    const { size, note } = await this.#log.checkpoint("demand");
    return { size, note };
  }

  async acknowledge(reason: string, who: By): Promise<string[]> {
    return await this.#findings.acknowledge(reason, who);
  }

  transcript(channel: LocalChannel, agent: string): AnswerTo<"transcript"> {
    const conversation = this.#state.conversationAt(channel, agent, null);
    const session = conversation === null ? null : this.#state.openSession(conversation.conversation, agent);
    if (session === null) return { session: null, entries: [] };
    return {
      session: SessionId.parse(session.session),
      entries: transcriptForPeople(this.#log, this.#state, session.session),
    };
  }
}

/** A verdict as the plain value it is. */
function plain(verdict: Verdict): Record<string, unknown> {
  return { ...verdict };
}

export function viewOf(row: CommittedRow): RowView {
  const { kind, ...fields } = row.action;
  const content = Object.fromEntries(Object.keys(row.commitments).map((part) => [part, row.content(part)]));
  return { seq: row.seq, at: row.at, kind, cause: row.cause, fields, content };
}
