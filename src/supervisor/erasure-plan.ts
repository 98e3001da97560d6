import { readHead } from "../../audit/entry.ts";
import type { AuditLog, CommittedRow } from "../../audit/log.ts";
import type { StoredPart } from "../../audit/removal.ts";
import { summariesOf } from "./derived-summaries.ts";
import type { State } from "./state.ts";

/** Whom or what an erasure is about. */
export type ErasureTarget = { readonly session: string } | { readonly principal: string };

/** Kinds whose rows say who somebody is: content sealed under the daemon's key by builds that gave nobody a key of their own. */
const WHO: ReadonlySet<string> = new Set(["person.added", "identity.linked"]);
/** Of them, the one that says as whom they wrote. */
const TELLS = "identity.linked";
const PAIRING: ReadonlySet<string> = new Set(["pair.requested", "pair.invited"]);

/** What belongs to the subject of an erasure: which keys end, and which sealed parts go. It follows from the log and its projection, so that a start after a
 *  crash finds the same. */
export class ErasurePlan {
  /** Sessions that end with their keys. */
  readonly sessions: readonly string[];
  /** Sessions that go on for others. */
  readonly shared: readonly string[];
  /** Scopes whose keys are destroyed: those sessions, the person, the pairings they came by. */
  readonly scopes: ReadonlySet<string>;
  /** No content before this row is concerned. */
  readonly from: number;
  readonly #log: AuditLog;
  readonly #principal: string | null;
  readonly #pairings: ReadonlySet<string>;
  readonly #conversations: ReadonlySet<string>;
  readonly #senders: ReadonlySet<string>;
  /** Rows of theirs in sessions that others wrote in too. */
  readonly #theirs: ReadonlySet<number>;

  private constructor(
    log: AuditLog,
    found: {
      principal: string | null;
      sessions: readonly string[];
      shared: readonly string[];
      pairings: readonly string[];
      conversations: readonly string[];
      senders: ReadonlySet<string>;
      theirs: ReadonlySet<number>;
      from: number;
    },
  ) {
    this.#log = log;
    this.#principal = found.principal;
    this.sessions = found.sessions;
    this.shared = found.shared;
    this.from = found.from;
    this.#pairings = new Set(found.pairings);
    this.#conversations = new Set(found.conversations);
    this.#senders = found.senders;
    this.#theirs = found.theirs;
    this.scopes = new Set([
      ...found.sessions,
      ...found.pairings,
      ...(found.principal === null ? [] : [found.principal]),
    ]);
  }

  static async of(target: ErasureTarget, log: AuditLog, state: State): Promise<ErasurePlan> {
    if ("session" in target) {
      const [first] = state.messagesOf(target.session);
      const nothing = {
        principal: null,
        shared: [],
        pairings: [],
        conversations: [],
        senders: new Set<string>(),
        theirs: new Set<number>(),
      };
      return new ErasurePlan(log, { ...nothing, sessions: [target.session], from: first?.seq ?? 0 });
    }
    const { principal } = target;
    const all = state.sessionsOf(principal);
    const alone = all.filter((session) => state.principalsOf(session).every((one) => one === principal));
    const shared = all.filter((session) => !alone.includes(session));
    const senders = await sendersOf(log, state, principal);
    const pairings = await pairingsOf(log, principal, senders);
    const direct = state.conversationsOf(alone).filter(({ talk }) => talk === "direct");
    return new ErasurePlan(log, {
      principal,
      sessions: alone,
      shared,
      pairings,
      conversations: direct.map(({ conversation }) => conversation),
      senders,
      theirs: await theirsIn(log, state, shared, principal),
      from: 0,
    });
  }

  /** Does this part belong to the subject? */
  owns(part: StoredPart): boolean {
    if (this.scopes.has(part.scope) || this.#theirs.has(part.seq)) return true;
    // What was kept for somebody lies under their own key, and comes from a session.
    if (part.kind === "memory.written")
      return [...this.scopes].some((scope) => part.body.includes(`"session":"${scope}"`));
    return part.scope === "daemon" && this.#isTheirsByItsRow(part);
  }

  /** Does it say as whom they wrote? What they left at the door is found by nothing else, so this goes after it. */
  tells({ kind }: StoredPart): boolean {
    return kind === TELLS;
  }

  /** The conversation that a part says the place of, or null. */
  conversationOf({ kind, seq }: StoredPart): string | null {
    const action = kind === "conversation.opened" ? this.#log.row(seq)?.action : undefined;
    return action?.kind === "conversation.opened" ? action.conversation : null;
  }

  #isTheirsByItsRow({ kind, seq, body }: StoredPart): boolean {
    if (kind === null) return false;
    if (kind.startsWith("message.")) return this.#isTheirMessage(seq);
    if (this.#principal === null) return false;
    if (WHO.has(kind)) return body.includes(`"principal":"${this.#principal}"`);
    if (PAIRING.has(kind)) return [...this.#pairings].some((pairing) => body.includes(`"pairing":"${pairing}"`));
    return kind === "conversation.opened" && this.#isIn(this.#conversations, body);
  }

  #isIn(conversations: ReadonlySet<string>, body: string): boolean {
    const found = /"conversation":"([^"]+)"/.exec(body)?.[1];
    return found !== undefined && conversations.has(found);
  }

  /** A message of ours, or its outcome, that no session's key sealed; or the refusal of somebody before they were let in. */
  #isTheirMessage(seq: number): boolean {
    const row = this.#log.row(seq);
    if (row?.action.kind === "message.refused") {
      const sender = senderOf(row);
      return sender !== null && this.#senders.has(sender);
    }
    const sent = row?.action.kind === "message.sent" ? row : (this.#rowOf(row?.cause ?? null) ?? row);
    if (sent?.action.kind !== "message.sent") return false;
    if (this.#conversations.has(sent.action.conversation)) return true;
    const about = this.#rowOf(sent.cause)?.action;
    return (
      about !== undefined && "session" in about && typeof about.session === "string" && this.scopes.has(about.session)
    );
  }

  #rowOf(seq: number | null) {
    return seq === null ? null : this.#log.row(seq);
  }
}

/** Rows that are asked of the log at once. */
const ROWS_AT_ONCE = 1_000;

/** As whom they wrote, wherever that was, as `channel`, a line's end and the platform's id. Of somebody who is out only rows know it, and their key opens those
 *  to the end of an erasure; of an erasure of a former build that a crash cut short the projection may. */
async function sendersOf(log: AuditLog, state: State, principal: string): Promise<ReadonlySet<string>> {
  const linked = await log.search({ kind: TELLS, principal, limit: ROWS_AT_ONCE });
  const told = linked.flatMap((row) => senderOf(row) ?? []);
  return new Set([...told, ...state.identities(principal).map(({ channel, id }) => `${channel}\n${id}`)]);
}

/** The pairings that let them in, and those that they asked for and nobody approved. */
async function pairingsOf(log: AuditLog, principal: string, senders: ReadonlySet<string>): Promise<string[]> {
  const theirs = new Set<string>();
  for (let after = -1; ; ) {
    const rows = await log.search({ kind: "pair.", after, limit: ROWS_AT_ONCE });
    for (const row of rows) {
      const { action } = row;
      if (action.kind === "pair.requested" && senders.has(senderOf(row) ?? "")) theirs.add(action.pairing);
      // Who was let in anew by it is somebody else now, and keeps the place where they are talked to.
      if (action.kind === "pair.approved" && action.principal !== principal) theirs.delete(action.pairing);
      if (action.kind === "pair.approved" && action.principal === principal) theirs.add(action.pairing);
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < ROWS_AT_ONCE) return [...theirs];
    after = last.seq;
  }
}

/** Null where its content was erased. */
function senderOf({ action, content }: CommittedRow): string | null {
  if (action.kind !== TELLS && action.kind !== "pair.requested" && action.kind !== "message.refused") return null;
  const sender = content("sender");
  return sender === null ? null : `${action.channel}\n${sender}`;
}

/** What they wrote in sessions that others wrote in too, all that it led to, and summaries that were made of any of it. */
async function theirsIn(
  log: AuditLog,
  state: State,
  sessions: readonly string[],
  principal: string,
): Promise<Set<number>> {
  const messages = sessions.map((session) => ({
    session,
    seqs: state
      .messagesOf(session)
      .filter((message) => message.principal === principal)
      .map(({ seq }) => seq),
  }));
  const theirs = await rowsCausedBy(
    log,
    messages.flatMap(({ seqs }) => seqs),
  );
  for (const { session, seqs } of messages) {
    const [first] = seqs;
    if (first !== undefined) for (const seq of await summariesOf(log, session, first)) theirs.add(seq);
  }
  return theirs;
}

/** These rows and all that they led to. */
async function rowsCausedBy(log: AuditLog, seqs: readonly number[]): Promise<Set<number>> {
  const rows = new Set(seqs);
  const first = Math.min(...seqs);
  if (seqs.length === 0) return rows;
  for await (const page of log.removal.bodies(first)) {
    for (const body of page) {
      const head = readHead(body);
      if (head !== null && head.cause !== null && rows.has(head.cause)) rows.add(head.seq);
    }
  }
  return rows;
}
