import type { AuditLog } from "../../audit/log.ts";
import { sentences, type Verdict, verify, type VerifyOptions } from "../../audit/verify.ts";
import type { z } from "zod/mini";
import type { Vault } from "../../vault/vault.ts";
import type { LocalChannel } from "../ipc/channel.ts";
import { SessionId } from "../ipc/ids.ts";
import type { RowFilter, RowView, VerdictView } from "../ipc/audit-calls.ts";
import type { AnswerTo } from "../ipc/operator.ts";
import type { By } from "./people.ts";
import type { State } from "./state.ts";
import { transcriptForPeople } from "./transcript-for-people.ts";
import { doubted, explained, whatHeld } from "./explain.ts";
import type { Findings } from "./findings.ts";
import { heldAt, rowAt } from "./held.ts";
import { OperatorError } from "./operator-error.ts";
import { bounded, followRows, type RowsAbout, searchRows } from "./row-search.ts";

/** Reading the record for the owner. Nothing here changes it but a checkpoint and an acknowledgement. */
export class RecordView {
  readonly #log: AuditLog;
  readonly #state: State;
  readonly #path: string;
  readonly #vault: Vault;
  readonly #pin: () => Promise<NonNullable<VerifyOptions["pin"]>>;
  readonly #disks: () => Promise<NonNullable<VerifyOptions["disks"]>>;
  readonly #anchored: () => void;
  readonly #findings: Findings;

  constructor(parts: {
    log: AuditLog;
    state: State;
    path: string;
    vault: Vault;
    pin: () => Promise<NonNullable<VerifyOptions["pin"]>>;
    disks: () => Promise<NonNullable<VerifyOptions["disks"]>>;
    /** Gives the newest checkpoint to every anchor now; nothing waits for it. */
    anchored: () => void;
    findings: Findings;
  }) {
    this.#log = parts.log;
    this.#state = parts.state;
    this.#path = parts.path;
    this.#vault = parts.vault;
    this.#pin = parts.pin;
    this.#disks = parts.disks;
    this.#anchored = parts.anchored;
    this.#findings = parts.findings;
  }

  async rows(filter: RowFilter, signal: AbortSignal): Promise<AnswerTo<"audit.rows">> {
    return await searchRows(this.#log, filter, signal);
  }

  async follow(after: number, about: RowsAbout, take: (row: RowView) => void, signal: AbortSignal): Promise<void> {
    await followRows(this.#log, after, about, take, signal);
  }

  async explain(seq: number, signal: AbortSignal): Promise<AnswerTo<"audit.explain">> {
    this.#there(seq);
    if (this.#log.row(seq) === null)
      throw new OperatorError(
        "not-found",
        `row #${seq} was pruned: only its hash is kept`,
        "what it said is in an export that was made before, if there is one",
      );
    const { chain, rests, outcome } = this.#log.explain(seq);
    const allowed = rests === null ? [] : this.#log.chain(rests.seq).filter(({ action }) => ALLOWS.has(action.kind));
    const after =
      outcome === null
        ? this.#log.effects(seq, (kind) => FOLLOWS.has(kind), MAX_FOLLOWING)
        : [outcome, ...this.#log.effects(outcome.seq, (kind) => kind === "injection.found", MAX_FOLLOWING)];
    const story = { chain, rests: allowed, after };
    const held = await heldAt(this.#log, seq, chain.at(-1)?.at ?? "", signal);
    const raised = await this.#log.search({ kind: "finding.raised", limit: MAX_RAISED }, signal);
    const all = new Map([...chain, ...allowed, ...after].map((row) => [row.seq, row]));
    return {
      chain: bounded([...all.values()].toSorted((a, b) => a.seq - b.seq)),
      sentences: [...explained(story, held), ...doubted(story, raised)],
      held: whatHeld(story, held),
    };
  }

  #there(seq: number): void {
    const { size } = this.#log;
    if (seq >= size)
      throw new OperatorError("not-found", `there is no row #${seq}`, `the log has ${size} rows, from #0`);
  }

  async policy(seq: number | null, signal: AbortSignal): Promise<AnswerTo<"policy.show">> {
    const asked = seq ?? this.#log.size - 1;
    this.#there(asked);
    const { policy, agents, at } = await heldAt(this.#log, asked, this.#log.row(asked)?.at ?? "", signal);
    return { seq: asked, at, policy, agents: [...agents] };
  }

  async people(at: string | null, signal: AbortSignal): Promise<AnswerTo<"people.report">> {
    const time = at ?? new Date().toISOString();
    const seq = await rowAt(this.#log, time);
    const { people, grants } = await heldAt(this.#log, seq, time, signal);
    return {
      seq,
      at: time,
      people: people.map((person) => ({ ...person, channels: [...person.channels] })),
      grants: [...grants],
    };
  }

  /** The vault holds the log's key and the keys to its content. Behind a protector it says whose the log is; a provisional one, which whoever
   *  reads the files can open, does not. */
  async verify(): Promise<z.infer<typeof VerdictView>> {
    const verdict = await verify(this.#path, {
      live: true,
      pin: await this.#pin(),
      disks: await this.#disks(),
      sealer: this.#vault.sealer(),
      ...(this.#vault.protector === "none" ? {} : { vkey: this.#log.vkey }),
    });
    return { state: verdict.state, sentences: sentences(verdict), verdict: plain(verdict) };
  }

  async checkpoint(): Promise<AnswerTo<"audit.checkpoint">> {
    const { size, note } = await this.#log.checkpoint("demand");
    this.#anchored();
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

/** What allowed an action. */
const ALLOWS: ReadonlySet<string> = new Set([
  "approval.requested",
  "approval.counted",
  "approval.decided",
  "grant.given",
]);
/** What is told of what followed from a row. */
const FOLLOWS: ReadonlySet<string> = new Set([
  "turn.started",
  "turn.stopped",
  "turn.ended",
  "approval.decided",
  "approval.counted",
  "approval.repeated",
  "grant.given",
  "grant.revoked",
  "injection.found",
  "web.session.ended",
  "identity.unlinked",
  "schedule.paused",
  "schedule.started",
  "tool.called",
  "tool.refused",
  "tool.finished",
  "command.started",
  "command.ended",
  "message.sent",
  "message.delivered",
  "message.failed",
  "message.changed",
  "message.told",
  "message.traced",
  "file.fetched",
  "file.missed",
  "action.failed",
  "action.interrupted",
  "process.ready",
  "process.ended",
  "finding.acknowledged",
]);
const MAX_FOLLOWING = 20;
/** Findings that are looked through for what is told, the newest. */
const MAX_RAISED = 1_000;
/** A verdict as the plain value it is. */
function plain(verdict: Verdict): Record<string, unknown> {
  return { ...verdict };
}
