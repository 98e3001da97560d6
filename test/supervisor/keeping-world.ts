import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import type { AuditLog, CommittedRow } from "../../audit/log.ts";
import type { RetentionConfig } from "../../src/config/schema.ts";
import { contentKeys } from "../../src/supervisor/content-keys.ts";
import { Erasure, type ErasureSteps } from "../../src/supervisor/erasure.ts";
import { Holds } from "../../src/supervisor/holds.ts";
import { mint, type PrincipalId, type SessionId } from "../../src/ipc/ids.ts";
import { type By, People } from "../../src/supervisor/people.ts";
import { Retention } from "../../src/supervisor/retention.ts";
import { State } from "../../src/supervisor/state.ts";
import { contentScope } from "../../vault/credential-change.ts";
import { type DataFolder, World } from "../vault/world.ts";

/** The record of a data directory with a real vault: what is sealed under whose key, and the projection. */
export class KeepingWorld implements AsyncDisposable {
  readonly folder: DataFolder;
  readonly world: World;
  readonly state: State;
  readonly people: People;
  readonly holds: Holds;
  readonly steps: ErasureSteps;
  readonly ended: string[] = [];

  private constructor(folder: DataFolder, world: World, before: ((row: CommittedRow) => void) | null) {
    this.folder = folder;
    this.world = world;
    const { log, vault } = world;
    if (before !== null) log.follow(log.size - 1, before);
    const state = State.open(join(folder.path, "state.db"), vault.stateSealer(), vault.formerStateSealers());
    this.state = state;
    state.follow(log);
    this.people = new People(
      log,
      state,
      () => Date.now(),
      async (scope) => await this.key(scope),
    );
    this.holds = new Holds(log, state);
    this.steps = {
      ...contentKeys(
        () => vault,
        (cause) => (row) => log.record(row, { cause }),
      ),
      removal: log.removal,
      state,
    };
  }

  /** @param before is given each new row before the projection is. */
  static async open(folder: DataFolder, before: ((row: CommittedRow) => void) | null = null): Promise<KeepingWorld> {
    return new KeepingWorld(folder, await World.open(folder), before);
  }

  get log(): AuditLog {
    return this.world.log;
  }
  get owner(): By {
    return { by: this.people.owner().principal, via: "terminal" };
  }

  async key(scope: string): Promise<void> {
    const { vault, record } = this.world;
    if (!vault.hasContentKey(scope)) await vault.change({ change: "content-key", session: scope }, record);
  }

  erasure(steps: ErasureSteps = this.steps): Erasure {
    const { log, state, holds } = this;
    const endSession = async (session: string): Promise<void> => {
      this.ended.push(session);
      await Promise.resolve();
    };
    return new Erasure({ log, state, holds, steps, endSession });
  }

  /** @param days what the configuration says now.
   *  @param now the time that rows are compared with. */
  retention(days: () => RetentionConfig, now: () => number): Retention {
    const { log, state, holds, steps } = this;
    const hasKey = (scope: string): boolean => this.world.vault.hasContentKey(scope);
    return new Retention({
      log,
      state,
      holds,
      erasure: this.erasure(),
      steps,
      hasKey,
      days,
      owner: () => this.owner.by,
      now,
      line: () => undefined,
    });
  }

  /** Somebody asks on Telegram and is let in. */
  async join(name: string, sender: string): Promise<PrincipalId> {
    const asked = await this.people.request("telegram", sender, name);
    if (asked === null) throw new Error(`${name} got no code`);
    await this.#conversation("direct", `place-of-${sender}`, asked.pairing.pairing);
    const { person } = await this.people.approve(asked.pairing.code, "user", null, this.owner);
    return person.principal;
  }

  async #conversation(talk: "direct" | "group", place: string, seal: string): Promise<string> {
    const conversation = mint("conversation");
    await this.log.append(
      { kind: "conversation.opened", conversation, channel: "telegram", talk },
      { cause: null, ...(talk === "direct" ? { seal } : {}), content: { place: `${place}\n` } },
    );
    return conversation;
  }

  /** A session in a place that was seen before, or in a new one. */
  async session(talk: "direct" | "group", place: string, principal: string): Promise<SessionId> {
    const known = this.state.conversationAt("telegram", place, null);
    const conversation = known?.conversation ?? (await this.#conversation(talk, place, principal));
    const session = mint("session");
    await this.key(session);
    await this.log.append(
      { kind: "session.opened", session, conversation, channel: "telegram", agent: "default" },
      { cause: null, seal: session },
    );
    return session;
  }

  /** A message and its answer. */
  /** A summary of all that was said in a session so far, made in a turn of somebody. @returns its rows. */
  async summarise(session: SessionId, principal: string, text: string): Promise<readonly number[]> {
    const { log } = this;
    const digest = "0".repeat(64);
    const under = { agent: "default", principal, policy: digest, settings: digest };
    const turn = mint("turn");
    const started = await log.append(
      { kind: "turn.started", turn, session, message: mint("message"), ...under },
      { cause: null, seal: session },
    );
    const called = await log.record<"model.called">(
      { kind: "model.called", turn, session, ...under, provider: "local", model: "m", purpose: "summary" },
      { cause: started.seq, seal: session, content: { items: "{}" } },
    );
    called.redeem();
    const counts = { inputTokens: 1, outputTokens: 1, microDollars: 0 };
    const answered = await called.finish<"model.answered">(
      { kind: "model.answered", model: "m", ...counts, stop: "stop" },
      { answer: JSON.stringify({ text, calls: [] }) },
    );
    const plan = { version: 1, results: [], from: started.seq, kept: [], summarised: 1 };
    const of = { results: 0, messages: 1, summary: answered.seq, before: 2, after: 1 };
    const compacted = await log.append(
      { kind: "context.compacted", turn, session, reason: "window", ...of },
      { cause: answered.seq, seal: session, content: { plan: JSON.stringify(plan) } },
    );
    return [called.seq, answered.seq, compacted.seq];
  }

  async say(session: SessionId, principal: string, text: string): Promise<void> {
    const { log, state } = this;
    const conversation = state.session(session)?.conversation ?? "";
    const message = mint("message");
    const received = await log.append(
      { kind: "message.received", message, session, conversation, channel: "telegram", principal },
      { cause: null, seal: session, content: { text, platform: `update-${text}` } },
    );
    const digest = "0".repeat(64);
    const turn = mint("turn");
    const under = { agent: "default", principal, policy: digest, settings: digest };
    const started = await log.append(
      { kind: "turn.started", turn, session, message, ...under },
      { cause: received.seq, seal: session },
    );
    const sent = await log.record<"message.sent">(
      { kind: "message.sent", message: mint("message"), session, conversation, channel: "telegram", purpose: "reply" },
      { cause: started.seq, seal: session, content: { text: `you said ${text}` } },
    );
    sent.redeem();
    await sent.finish<"message.delivered">({ kind: "message.delivered", parts: 1, bytes: 1 }, { text: `sent ${text}` });
    await log.append(
      { kind: "turn.ended", turn, session, reason: "done", rounds: 0 },
      { cause: started.seq, seal: session },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]();
    this.state.close();
  }
}

/** Bytes that are to be gone, with a name for each. */
export type Canaries = ReadonlyMap<string, Uint8Array>;

/** What is stored for some scopes: the middle of every sealed part, and each wrapped key. */
export function sealedCanaries(folder: DataFolder, scopes: readonly string[]): Map<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  const audit = new Database(folder.log, { readonly: true });
  for (const { id, sealed } of audit
    .prepare<[], { id: number; sealed: Buffer }>("SELECT id, sealed FROM content")
    .all()) {
    const scope = sealed.subarray(1, 1 + (sealed[0] ?? 0)).toString();
    // The scope stands before it; a nonce and a tag are random as well.
    if (scopes.includes(scope)) found.set(`content ${id}`, sealed.subarray(1 + scope.length, 1 + scope.length + 40));
  }
  audit.close();
  const vault = new Database(folder.vault, { readonly: true });
  for (const scope of scopes) {
    const wrapped: unknown = vault.prepare("SELECT wrapped FROM key WHERE scope = ?").pluck().get(contentScope(scope));
    if (wrapped instanceof Uint8Array) found.set(`key ${scope}`, wrapped);
  }
  vault.close();
  return found;
}

/** What the projection keeps of somebody, sealed: their name, who they are on a channel, the places where they alone are talked to, and the
 *  platform's numbers of what they wrote there. */
export function projectedCanaries({ path }: DataFolder, principal: string): Map<string, Uint8Array> {
  const state = new Database(join(path, "state.db"), { readonly: true });
  const theirs = `SELECT message.seq FROM message WHERE message.principal = @principal`;
  const rows = [
    `SELECT 'name' AS what, name AS value FROM person WHERE principal = @principal`,
    `SELECT 'who', who FROM identity WHERE principal = @principal`,
    `SELECT 'found', found FROM identity WHERE principal = @principal`,
    `SELECT DISTINCT 'place ' || c.conversation, c.place FROM conversation c JOIN session USING (conversation) JOIN message USING (session)
      WHERE message.principal = @principal AND c.talk = 'direct'`,
    `SELECT 'seen ' || seq, found FROM seen WHERE seq IN (${theirs})`,
  ];
  const found = new Map<string, Uint8Array>();
  for (const { what, value } of state
    .prepare<[{ principal: string }], { what: string; value: string | Buffer }>(rows.join(" UNION ALL "))
    .all({ principal }))
    found.set(`projected ${what}`, Buffer.from(value));
  state.close();
  return found;
}

/** Looks at the raw bytes of every file of a data directory. @returns the names of what is found in any. */
export function foundIn(folder: string, canaries: Canaries): string[] {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const bytes = files.map((file) => readFileSync(join(file.parentPath, file.name)));
  return [...canaries].filter(([, canary]) => bytes.some((file) => file.includes(canary))).map(([name]) => name);
}
