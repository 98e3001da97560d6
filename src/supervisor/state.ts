import type { AuditLog, CommittedRow } from "../../audit/log.ts";
import type { StateSealer } from "../../vault/state-seal.ts";
import type { Held } from "../broker/grants.ts";
import type { HaltTarget } from "../ipc/halt-calls.ts";
import { HaltId, Name, PrincipalId, SessionId } from "../ipc/ids.ts";
import type { Role } from "../ipc/operator.ts";
import type { Labels } from "../broker/labels.ts";
import { type NewestKind, newestRows, projectNewest } from "./newest-rows.ts";
import type { FilesBefore } from "../broker/file-labels.ts";
import { forgetFileLabels, labelledFiles, labelledSessions, labelsOfSession, projectLabels } from "./label-rows.ts";
import { isSaid, project, type Said } from "./projection.ts";
import { projectSameChannel, sameChannelOf } from "./same-channel.ts";
import { projectSuspects, suspectsIn } from "./suspects.ts";
import type { Suspect } from "../broker/injection/suspects.ts";
import { budgetsSet, projectSpending, type SetBudget, spent, type Spent, told, type ToldOf } from "./spending.ts";
import { projectSchedules, scheduleOf, type ScheduleRecord, schedulesOf } from "./schedule-state.ts";
import { grantsHeld, type Placed, placedRows, projectStanding, questionsOpen } from "./standing.ts";
import { resealState } from "./state-reseal.ts";
import { forgetWritten, type HeldMessage, heldIn, projectWritten, type WrittenMessage, writtenAs } from "./written.ts";
import { type Fields, named, StateDatabase } from "./state-database.ts";

/** What stands where a name was. */
export const ERASED = "[erased]";

/** Pages of a thousand rows that one transaction takes in where the projection is made anew: what they change lies on the same pages of the file, which are written once. */
const PAGES_AT_ONCE = 64;

export interface Person {
  readonly principal: PrincipalId;
  readonly role: Role;
  readonly name: string;
}

export interface Pairing {
  readonly pairing: string;
  readonly channel: string;
  readonly code: string;
  /** Null for an invitation that nobody has used yet. */
  readonly sender: string | null;
  readonly name: string;
  readonly kind: "request" | "invitation";
  readonly at: string;
  readonly expires: string;
  readonly seq: number;
}

export interface ConversationRecord {
  readonly conversation: string;
  readonly channel: string;
  readonly place: string;
  readonly thread: string | null;
  readonly talk: "direct" | "group";
}

/** A session as it is listed. */
export interface SessionRow extends SessionRecord {
  readonly open: boolean;
}

export interface SessionRecord {
  readonly session: string;
  readonly conversation: string;
  readonly channel: string;
  readonly agent: string;
  readonly last: string;
}

/** Something that is halted. `seq` is the row that says so; null where the log did not take it. */
export interface HaltRecord {
  readonly halt: HaltId;
  readonly target: HaltTarget;
  readonly seq: number | null;
  readonly at: string;
}

/** An incident that is open; `seq` is the row that says so. */
export interface IncidentRecord {
  readonly incident: string;
  readonly seq: number;
  readonly at: string;
  /** Everything was halted when it began: it stays so when it ends. */
  readonly haltedBefore: boolean;
}

/** What follows from the log: who is who, what was said where, what waits. */
export class State {
  readonly #database: StateDatabase;

  private constructor(database: StateDatabase) {
    this.#database = database;
  }

  /** @param seal of the vault that the log's content is sealed with. @param former those of its former keys, which an erasure has not destroyed yet.
   *  @throws {StateError} STATE_NEWER if a newer build wrote it. */
  static open(path: string, seal: StateSealer, former: readonly StateSealer[] = []): State {
    return new State(StateDatabase.open(path, seal, former));
  }

  close(): void {
    this.#database.close();
  }

  /** The newest row that this projection has taken in, or -1. */
  get applied(): number {
    return Number(this.#database.one("SELECT seq FROM applied")?.["seq"] ?? -1);
  }

  /** Takes in the rows that came since, and from now on each one as it is written.
   *  @param caughtUp told of the newest row that was taken in, page by page. */
  follow(log: Pick<AuditLog, "follow">, caughtUp: (seq: number) => void = () => undefined): void {
    using many = this.#database.inBulk(PAGES_AT_ONCE);
    log.follow(
      this.applied,
      (row) => this.apply(row),
      (page) => {
        many.next(() => this.#take(page));
        caughtUp(page.at(-1)?.seq ?? this.applied);
      },
    );
    many.done();
  }

  /** Takes in one row, and that it did, in one transaction. A row that was taken in before changes nothing. */
  apply(row: CommittedRow): void {
    this.#take([row]);
  }

  /** Rows in their order, all of them or none. */
  #take(rows: readonly CommittedRow[]): void {
    const { applied } = this;
    const last = rows.at(-1);
    if (last === undefined || last.seq <= applied) return;
    const database = this.#database;
    database.transaction(() => {
      for (const row of rows) {
        if (row.seq <= applied) continue;
        project(database, row);
        projectStanding(database, row);
        projectSpending(database, row);
        projectSchedules(database, row);
        projectSuspects(database, row);
        projectSameChannel(database, row);
        projectLabels(database, row);
        projectNewest(database, row);
        projectWritten(database, row);
      }
      database.run("UPDATE applied SET seq = ?", last.seq);
    });
  }

  /** When each scope's credential was last handed to a child, by scope. */
  lastUses(): ReadonlyMap<string, string> {
    return new Map(
      this.#database.many("SELECT scope, at FROM used").map((row) => [String(row["scope"]), String(row["at"])]),
    );
  }

  /** Which rows gave the grants that hold. */
  grantsHeld(): Held[] {
    return grantsHeld(this.#database);
  }
  /** The newest row of each of these kinds about each thing, oldest first. */
  newest(log: Pick<AuditLog, "row">, kinds: readonly NewestKind[]): CommittedRow[] {
    return newestRows(this.#database, log, kinds);
  }
  /** Which rows asked for approvals that were neither given nor refused. */
  questionsOpen(): number[] {
    return questionsOpen(this.#database);
  }
  /** What was found in the texts of a session that goes on, newest last. */
  suspects(session: string): Suspect[] {
    return suspectsIn(this.#database, session);
  }
  /** What the context of a session holds, if it goes on. */
  labelsOf(session: string): Labels {
    return labelsOfSession(this.#database, session);
  }
  /** Budgets that the owner set. */
  budgetsSet(): SetBudget[] {
    return budgetsSet(this.#database);
  }
  /** What models used, by hour, agent, person and model. @param from, to as an hour is named, such as `2026-11` or `2026-11-29T13`; `to` is left out. */
  spent(from: string, to: string): Spent[] {
    return spent(this.#database, from, to);
  }
  /** Was it said of this budget, in the time that began then? */
  budgetTold(kind: "budget.warned" | "budget.exhausted", of: ToldOf): boolean {
    return told(this.#database, kind, of);
  }
  /** What is to be done at certain times, the oldest first. */
  schedules(): ScheduleRecord[] {
    return schedulesOf(this.#database);
  }
  schedule(schedule: string): ScheduleRecord | null {
    return scheduleOf(this.#database, schedule);
  }
  labelledSessions(): string[] {
    return labelledSessions(this.#database);
  }
  /** Of the files that agents wrote. */
  labelledFiles(): FilesBefore {
    return labelledFiles(this.#database);
  }
  /** The row that lets somebody decide on the channel that asked; null: none does. */
  sameChannel(principal: string): number | null {
    return sameChannelOf(this.#database, principal);
  }
  /** Which rows added the folders, or wrote what is kept in memory, that are there. */
  placed(what: Placed): number[] {
    return placedRows(this.#database, what);
  }
  /** What the owner has halted. */
  halts(): HaltRecord[] {
    return this.#database.many("SELECT * FROM halt ORDER BY seq").map((row) => ({
      halt: HaltId.parse(row["halt"]),
      target: targetOf(text(row["agent"]), text(row["session"])),
      seq: Number(row["seq"]),
      at: text(row["at"]),
    }));
  }

  /** The incident that is open, or null. */
  incident(): IncidentRecord | null {
    const row = this.#database.one("SELECT * FROM incident ORDER BY seq DESC LIMIT 1");
    if (row === null) return null;
    return {
      incident: text(row["incident"]),
      seq: Number(row["seq"]),
      at: text(row["at"]),
      haltedBefore: row["halted"] === "before",
    };
  }

  person(principal: string): Person | null {
    return this.#asPerson(
      this.#database.one("SELECT principal, role, name FROM person WHERE principal = ?", principal),
    );
  }
  people(): Person[] {
    return this.#database
      .many("SELECT principal, role, name FROM person ORDER BY since")
      .flatMap((row) => this.#asPerson(row) ?? []);
  }
  identities(principal: string): { channel: string; id: string; name: string }[] {
    return this.#database
      .many("SELECT found, channel, who FROM identity WHERE principal = ? ORDER BY rowid", principal)
      .map((row) => {
        const [id, name] = named(this.#database.opened(`identity/${text(row["found"])}`, row["who"]));
        return { channel: text(row["channel"]), id: id ?? "", name: name ?? "" };
      });
  }
  /** Who speaks, by the platform's stable id; null for a stranger. */
  personOf(channel: string, sender: string): Person | null {
    return this.#asPerson(
      this.#database.one(
        "SELECT p.principal, p.role, p.name FROM identity i JOIN person p USING (principal) WHERE i.found = ?",
        this.#database.index("identity", channel, sender),
      ),
    );
  }

  pairings(now: string): Pairing[] {
    return this.#database
      .many("SELECT * FROM pairing WHERE expires > ? ORDER BY at", now)
      .map((row) => this.#asPairing(row));
  }
  pairingByCode(code: string, now: string): Pairing | null {
    const row = this.#database.one(
      "SELECT * FROM pairing WHERE found_code = ? AND expires > ?",
      this.#database.index("code", code),
      now,
    );
    return row === null ? null : this.#asPairing(row);
  }
  /** The newest request of that stranger, expired ones included: one a day is enough. */
  pairingOf(channel: string, sender: string): Pairing | null {
    const row = this.#database.one(
      "SELECT * FROM pairing WHERE found_sender = ? ORDER BY seq DESC LIMIT 1",
      this.#database.index("identity", channel, sender),
    );
    return row === null ? null : this.#asPairing(row);
  }

  conversationAt(channel: string, place: string, thread: string | null): ConversationRecord | null {
    return this.#asConversation(
      this.#database.one(
        "SELECT * FROM conversation WHERE found = ?",
        this.#database.index("conversation", channel, place, thread ?? ""),
      ),
    );
  }
  conversation(conversation: string): ConversationRecord | null {
    return this.#asConversation(this.#database.one("SELECT * FROM conversation WHERE conversation = ?", conversation));
  }
  /** The newest direct conversation of a person on a channel: where a card for them can go. */
  directOf(principal: string): ConversationRecord[] {
    return this.#database
      .many(
        `SELECT DISTINCT c.* FROM conversation c JOIN session s USING (conversation) JOIN message m USING (session)
       WHERE m.principal = ? AND c.talk = 'direct' ORDER BY m.seq DESC`,
        principal,
      )
      .flatMap((row) => this.#asConversation(row) ?? []);
  }

  /** Where an agent talks, the newest first. */
  conversationsWith(agent: string): ConversationRecord[] {
    return this.#database
      .many(
        `SELECT c.* FROM conversation c JOIN session s USING (conversation) WHERE s.agent = ?
       GROUP BY conversation ORDER BY max(s.rowid) DESC`,
        agent,
      )
      .flatMap((row) => this.#asConversation(row) ?? []);
  }
  /** Everybody who has written in a conversation. */
  writersIn(conversation: string): string[] {
    return this.#database
      .many(
        "SELECT DISTINCT m.principal FROM message m JOIN session s USING (session) WHERE s.conversation = ?",
        conversation,
      )
      .map((row) => text(row["principal"]));
  }

  openSession(conversation: string, agent: string): SessionRecord | null {
    return asSession(
      this.#database.one(
        "SELECT * FROM session WHERE conversation = ? AND agent = ? AND closed = 0 ORDER BY rowid DESC LIMIT 1",
        conversation,
        agent,
      ),
    );
  }
  /** Those of an agent that are open, the oldest first. */
  openSessionsOf(agent: string): SessionRecord[] {
    return this.#database
      .many("SELECT * FROM session WHERE agent = ? AND closed = 0 ORDER BY rowid", agent)
      .flatMap((row) => asSession(row) ?? []);
  }
  session(session: string): SessionRecord | null {
    return asSession(this.#database.one("SELECT * FROM session WHERE session = ?", session));
  }

  /** All of them, the newest first. */
  sessionRows(): SessionRow[] {
    return this.#database
      .many("SELECT * FROM session ORDER BY last DESC, rowid DESC")
      .flatMap((row) => sessionRow(row) ?? []);
  }
  sessionRow(session: string): SessionRow | null {
    return sessionRow(this.#database.one("SELECT * FROM session WHERE session = ?", session));
  }
  turnCount(session: string): number {
    return Number(this.#database.one("SELECT count(*) AS n FROM turn WHERE session = ?", session)?.["n"] ?? 0);
  }

  wasSeen(channel: string, dedupe: string): boolean {
    return (
      this.#database.one("SELECT seq FROM seen WHERE found = ?", this.#database.index("seen", channel, dedupe)) !== null
    );
  }
  /** What the platforms redeliver is at most days old: older ids are let go. @param before an ISO time. */
  forgetSeen(before: string): void {
    this.#database.run("DELETE FROM seen WHERE at < ?", before);
    forgetWritten(this.#database, before);
    this.#database.run("DELETE FROM pairing WHERE expires < ?", before);
  }

  cursor(channel: string): string | null {
    const row = this.#database.one("SELECT cursor FROM cursor WHERE channel = ?", channel);
    return row === null ? null : this.#database.opened(`cursor/${channel}`, row["cursor"]);
  }
  /** Saved after the row it stands for: an older one only causes a redelivery. */
  saveCursor(channel: string, cursor: string): void {
    this.#database.run(
      "INSERT INTO cursor VALUES (?, ?) ON CONFLICT (channel) DO UPDATE SET cursor = excluded.cursor",
      channel,
      this.#database.seal(`cursor/${channel}`, cursor),
    );
  }

  /** Messages that were received and never answered: oldest first. */
  waiting(): { message: string; session: string; principal: string; seq: number; origin: number }[] {
    return this.#database
      .many(
        `SELECT m.message, m.session, m.principal, m.seq AS origin, coalesce(a.seq, m.seq) AS seq FROM message m LEFT JOIN anew a USING (message)
         WHERE m.state = 'received' ORDER BY m.seq`,
      )
      .map((row) => ({
        message: text(row["message"]),
        session: text(row["session"]),
        principal: text(row["principal"]),
        seq: Number(row["seq"]),
        origin: Number(row["origin"]),
      }));
  }
  /** The message of a person that a platform knows by that id; null: none of the last weeks. */
  written(channel: string, id: string): WrittenMessage | null {
    return writtenAs(this.#database, channel, id);
  }
  /** Messages of a session that were written so long ago that nothing is done about them before that is asked for. */
  heldIn(session: string): HeldMessage[] {
    return heldIn(this.#database, session);
  }
  /** Turns that began and did not end: a crash was in between. */
  openTurns(): { turn: string; session: string; seq: number }[] {
    return this.#database.many("SELECT turn, session, seq FROM turn WHERE ended = 0 ORDER BY seq").map((row) => ({
      turn: text(row["turn"]),
      session: text(row["session"]),
      seq: Number(row["seq"]),
    }));
  }

  /** The rows a session's transcript is made of, oldest first: from one row on, up to another that is left out. */
  said(session: string, from: number, before: number): { seq: number; turn: string | null; what: Said }[] {
    return this.#database
      .many(
        "SELECT seq, turn, what FROM said WHERE session = ? AND seq >= ? AND seq < ? ORDER BY seq",
        session,
        from,
        before,
      )
      .flatMap(saidRow);
  }
  /** The newest of them, oldest first. */
  lastSaid(session: string, limit: number): { seq: number; turn: string | null; what: Said }[] {
    return this.#database
      .many(
        "SELECT seq, turn, what FROM (SELECT * FROM said WHERE session = ? ORDER BY seq DESC LIMIT ?) ORDER BY seq",
        session,
        limit,
      )
      .flatMap(saidRow);
  }
  /** Where its transcript was made shorter, the newest first. */
  compactions(session: string, before: number): number[] {
    return this.#database
      .many(
        "SELECT seq FROM said WHERE session = ? AND seq < ? AND what = 'compacted' ORDER BY seq DESC",
        session,
        before,
      )
      .map((row) => Number(row["seq"]));
  }

  /** Somebody who is, or was, one of the people. */
  isKnown(principal: string): boolean {
    return (
      this.person(principal) !== null ||
      this.#database.one("SELECT 1 FROM message WHERE principal = ? LIMIT 1", principal) !== null
    );
  }
  /** Sessions that this person wrote in. */
  sessionsOf(principal: string): string[] {
    return this.#database
      .many("SELECT DISTINCT session FROM message WHERE principal = ?", principal)
      .map((row) => text(row["session"]));
  }
  /** Everybody who wrote in a session. */
  principalsOf(session: string): string[] {
    return this.#database
      .many("SELECT DISTINCT principal FROM message WHERE session = ?", session)
      .map((row) => text(row["principal"]));
  }
  /** Row and person of every message of a session, oldest first. */
  messagesOf(session: string): { seq: number; principal: string }[] {
    return this.#database
      .many("SELECT seq, principal FROM message WHERE session = ? ORDER BY seq", session)
      .map((row) => ({ seq: Number(row["seq"]), principal: text(row["principal"]) }));
  }
  isOpen(session: string): boolean {
    return this.#database.one("SELECT 1 FROM session WHERE session = ? AND closed = 0", session) !== null;
  }
  /** Sessions in which nothing happened since. @param before an ISO time. */
  quietSince(before: string): string[] {
    return this.#database
      .many("SELECT session FROM session WHERE last < ? ORDER BY last", before)
      .map((row) => text(row["session"]));
  }
  conversationsOf(sessions: readonly string[]): ConversationRecord[] {
    return sessions.flatMap((session) => {
      const record = this.session(session);
      const conversation = record === null ? null : this.conversation(record.conversation);
      return conversation === null ? [] : [conversation];
    });
  }

  /** Forgets what rows said that are erased: where somebody is reached, and the platform's ids of what they wrote. */
  forgetRows(seqs: readonly number[], conversations: readonly string[]): void {
    this.#database.transaction(() => {
      for (const conversation of conversations)
        this.#database.run("DELETE FROM conversation WHERE conversation = ?", conversation);
      for (const seq of seqs) {
        forgetFileLabels(this.#database, seq);
        this.#database.run("DELETE FROM seen WHERE seq = ?", seq);
        this.#database.run("DELETE FROM written WHERE seq = ?", seq);
        this.#database.run("DELETE FROM pairing WHERE seq = ?", seq);
      }
    });
  }
  /** Forgets who somebody is. They stay a person without a name, whom nobody can write as. */
  forgetPerson(principal: string): void {
    this.#database.transaction(() => {
      this.#database.run("DELETE FROM identity WHERE principal = ?", principal);
      this.#database.run(
        "UPDATE person SET name = ? WHERE principal = ?",
        this.#database.seal(`person/${principal}`, ERASED),
        principal,
      );
    });
  }
  /** Seals all of it anew: the key so far is about to be destroyed. */
  reseal(seal: StateSealer, log: Pick<AuditLog, "row">): void {
    resealState(this.#database, seal, log);
  }
  /** What was forgotten is not to be found in the file either: it is written anew, and its write-ahead log emptied.
   *  @returns false while another program reads it. */
  compact(): boolean {
    return this.#database.compact();
  }

  cards(approval: string): { channel: string; conversation: string; ids: string[] }[] {
    return this.#database.many("SELECT * FROM card WHERE approval = ?", approval).map((row) => ({
      channel: text(row["channel"]),
      conversation: text(row["conversation"]),
      ids: this.#database.opened(`card/${approval}/${text(row["conversation"])}`, row["ids"]).split("\n"),
    }));
  }
  /** Requests whose cards were never said to be over. */
  cardsLeft(): string[] {
    return this.#database.many("SELECT DISTINCT approval FROM card").map((row) => text(row["approval"]));
  }
  saveCard(approval: string, channel: string, conversation: string, ids: readonly string[]): void {
    this.#database.run(
      "INSERT INTO card VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET ids = excluded.ids",
      approval,
      channel,
      conversation,
      this.#database.seal(`card/${approval}/${conversation}`, ids.join("\n")),
    );
  }
  forgetCard(approval: string): void {
    this.#database.run("DELETE FROM card WHERE approval = ?", approval);
  }

  #asPerson(row: Fields | null): Person | null {
    if (row === null) return null;
    const role = row["role"];
    if (role !== "user" && role !== "approver" && role !== "owner") return null;
    const principal = PrincipalId.parse(row["principal"]);
    return { principal, role, name: this.#database.opened(`person/${principal}`, row["name"]) };
  }

  #asPairing(row: Fields): Pairing {
    const pairing = text(row["pairing"]);
    const [code, sender, name] = named(this.#database.opened(`pairing/${pairing}`, row["who"]));
    return {
      pairing,
      channel: text(row["channel"]),
      code: code ?? "",
      sender: sender ?? null,
      name: name ?? "",
      kind: row["kind"] === "invitation" ? "invitation" : "request",
      at: text(row["at"]),
      expires: text(row["expires"]),
      seq: Number(row["seq"]),
    };
  }

  #asConversation(row: Fields | null): ConversationRecord | null {
    if (row === null) return null;
    const conversation = text(row["conversation"]);
    const [place = "", thread = ""] = this.#database.opened(`conversation/${conversation}`, row["place"]).split("\n");
    return {
      conversation,
      channel: text(row["channel"]),
      place,
      thread: thread === "" ? null : thread,
      talk: row["talk"] === "direct" ? "direct" : "group",
    };
  }
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function saidRow(row: Fields): { seq: number; turn: string | null; what: Said }[] {
  const what = text(row["what"]);
  if (!isSaid(what)) return [];
  return [{ seq: Number(row["seq"]), turn: row["turn"] === null ? null : text(row["turn"]), what }];
}

function asSession(row: Record<string, unknown> | null): SessionRecord | null {
  if (row === null) return null;
  return {
    session: text(row["session"]),
    conversation: text(row["conversation"]),
    channel: text(row["channel"]),
    agent: text(row["agent"]),
    last: text(row["last"]),
  };
}

function sessionRow(row: Record<string, unknown> | null): SessionRow | null {
  const record = asSession(row);
  return record === null ? null : { ...record, open: row?.["closed"] === 0 };
}

function targetOf(agent: string, session: string): HaltTarget {
  if (session !== "") return { subject: "session", session: SessionId.parse(session) };
  return agent === "" ? { subject: "all" } : { subject: "agent", agent: Name.parse(agent) };
}
