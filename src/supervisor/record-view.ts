import { AuditError } from "../../audit/error.ts";
import type { AuditLog, CommittedRow, SearchFilter } from "../../audit/log.ts";
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
import { explained, whatHeld } from "./explain.ts";
import type { Findings } from "./findings.ts";
import { heldAt, rowAt } from "./held.ts";
import { OperatorError } from "./operator-error.ts";

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
    const unread: number[] = [];
    const rows = await this.#log.search(given(filter), signal, (seq) => unread.push(seq));
    return { ...fitting(rows), size: this.#log.size, unread: unread.slice(0, MAX_UNREAD) };
  }

  /** Gives `take` each new row that fits, in order, until the signal fires. */
  async follow(
    after: number,
    filter: Omit<RowFilter, "limit" | "after" | "before" | "since" | "until">,
    take: (row: RowView) => void,
    signal: AbortSignal,
  ): Promise<void> {
    let last = Math.min(after, this.#log.size - 1);
    let wake = Promise.withResolvers<void>();
    const end = this.#log.watch(() => wake.resolve());
    const over = (): void => wake.resolve();
    signal.addEventListener("abort", over, { once: true });
    try {
      while (!signal.aborted) {
        wake = Promise.withResolvers<void>();
        const size = this.#log.size;
        for (;;) {
          const rows = await this.#log.search(given({ ...filter, after: last, before: size, limit: FOLLOWED }), signal);
          for (const row of rows) take(smaller(viewOf(row)));
          last = rows.length < FOLLOWED ? size - 1 : (rows.at(-1)?.seq ?? size - 1);
          if (last >= size - 1 || signal.aborted) break;
        }
        if (!signal.aborted && this.#log.size === size) await wake.promise;
      }
    } finally {
      signal.removeEventListener("abort", over);
      end();
    }
  }

  async explain(seq: number, signal: AbortSignal): Promise<AnswerTo<"audit.explain">> {
    this.#there(seq);
    const { chain, rests, outcome } = this.#log.explain(seq);
    const allowed = rests === null ? [] : this.#log.chain(rests.seq).filter(({ action }) => ALLOWS.has(action.kind));
    const after = outcome === null ? this.#log.effects(seq, (kind) => FOLLOWS.has(kind), MAX_FOLLOWING) : [outcome];
    const story = { chain, rests: allowed, after };
    const held = await heldAt(this.#log, seq, chain.at(-1)?.at ?? "", signal);
    const all = new Map([...chain, ...allowed, ...after].map((row) => [row.seq, row]));
    return {
      chain: [...all.values()].toSorted((a, b) => a.seq - b.seq).map((row) => smaller(viewOf(row))),
      sentences: explained(story, held),
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
const ALLOWS: ReadonlySet<string> = new Set(["approval.requested", "approval.decided", "grant.given"]);
/** What is told of what followed from a row. */
const FOLLOWS: ReadonlySet<string> = new Set([
  "turn.started",
  "turn.stopped",
  "turn.ended",
  "approval.decided",
  "grant.given",
  "grant.revoked",
  "tool.called",
  "tool.refused",
  "tool.finished",
  "message.sent",
  "message.delivered",
  "message.failed",
  "action.failed",
  "action.interrupted",
  "process.ready",
  "process.ended",
  "finding.acknowledged",
]);
const MAX_FOLLOWING = 20;
/** Rows that are named as unreadable in one answer. */
const MAX_UNREAD = 100;
/** Rows taken at once by who follows the log. */
const FOLLOWED = 200;
/** What one answer may hold, in bytes of JSON: a frame takes a megabyte. */
const ANSWER_BYTES = 786_432;
/** Of content that is larger, a list of rows shows the beginning: characters of one part. */
const SHOWN = 16_384;

/** Without the fields that are not given: the log takes an absent one only as absent. */
function given(filter: RowFilter): SearchFilter {
  const { after, before, limit, kind, session, agent, channel, principal, tool, since, until, text } = filter;
  return {
    limit,
    ...(after === undefined ? {} : { after }),
    ...(before === undefined ? {} : { before }),
    ...(kind === undefined ? {} : { kind }),
    ...(session === undefined ? {} : { session }),
    ...(agent === undefined ? {} : { agent }),
    ...(channel === undefined ? {} : { channel }),
    ...(principal === undefined ? {} : { principal }),
    ...(tool === undefined ? {} : { tool }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(text === undefined ? {} : { text }),
  };
}

/** As many rows as one answer holds. */
function fitting(rows: readonly CommittedRow[]): Pick<AnswerTo<"audit.rows">, "rows" | "next"> {
  const shown: RowView[] = [];
  let bytes = 0;
  for (const row of rows) {
    const whole = viewOf(row);
    const one = bytesOf(whole) > ANSWER_BYTES || rows.length > 1 ? smaller(whole) : whole;
    bytes += bytesOf(one);
    if (bytes > ANSWER_BYTES && shown.length > 0) return { rows: shown, next: shown.at(-1)?.seq ?? null };
    shown.push(one);
  }
  return { rows: shown, next: null };
}

function bytesOf(row: RowView): number {
  return Buffer.byteLength(JSON.stringify(row));
}

/** The row with the beginning of each large part of its content. */
function smaller(row: RowView): RowView {
  const content = Object.entries(row.content).map(([part, text]) => [part, text === null ? null : beginningOf(text)]);
  return { ...row, content: Object.fromEntries(content) };
}

function beginningOf(text: string): string {
  return text.length <= SHOWN
    ? text
    : `${text.slice(0, SHOWN).toWellFormed()}… (${text.length - SHOWN} more characters)`;
}

/** A verdict as the plain value it is. */
function plain(verdict: Verdict): Record<string, unknown> {
  return { ...verdict };
}

function contentOf(row: CommittedRow, part: string): string | null {
  try {
    return row.content(part);
  } catch (error) {
    if (error instanceof AuditError) return "[changed: this is not what the row committed to]";
    throw error;
  }
}

export function viewOf(row: CommittedRow): RowView {
  const { kind, ...fields } = row.action;
  const content = Object.fromEntries(Object.keys(row.commitments).map((part) => [part, contentOf(row, part)]));
  return { seq: row.seq, at: row.at, kind, cause: row.cause, fields, content };
}
