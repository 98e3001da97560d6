import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ToolAnswer } from "../../src/broker/call.ts";
import { NO_LABELS, SessionLabels, type Labels } from "../../src/broker/labels.ts";
import { RunPurse } from "../../src/broker/schedules/purse.ts";
import { turnBelow } from "../../src/broker/turn-below.ts";
import { Compactor } from "../../src/supervisor/compactor.ts";
import { ContextWindows } from "../../src/supervisor/context-windows.ts";
import type { InstructionFiles } from "../../src/supervisor/instruction-files.ts";
import type { PendingApproval } from "../../src/broker/pending.ts";
import type { TurnContext } from "../../src/broker/turn.ts";
import { decodeAction, type ToolAction } from "../../src/effect/action.ts";
import type { Folder } from "../../src/effect/effects.ts";
import { mint, type PrincipalId } from "../../src/ipc/ids.ts";
import type { ApprovalScope } from "../../src/ipc/operator.ts";
import type { World } from "./world.ts";

/** What a model asks for: a tool and its arguments. */
export type Asks = readonly [tool: string, given: object];

/** Something that left this machine, or went to somebody else, as the log says it. */
export interface Left {
  readonly action: ToolAction;
  /** Everything that the model chose of it. */
  readonly text: string;
  readonly to: string;
  readonly authority: string;
  /** The card on which somebody approved it. */
  readonly card: string | null;
}

/** A person who answers cards, as much as they care to. */
export type Answers = (card: PendingApproval) => {
  readonly decision: "approve" | "deny";
  readonly scope: ApprovalScope;
};
export const DENIES: Answers = () => ({ decision: "deny", scope: "once" });
/** Whoever approves whatever is shown: what leaves then was shown all the same. */
export const APPROVES: Answers = () => ({ decision: "approve", scope: "once" });
/** Chooses the widest that is offered, as people do who do not want to be asked again. */
export const REMEMBERS: Answers = ({ scopes }) => ({
  decision: "approve",
  scope: scopes.includes("session") ? "session" : "once",
});

/** Labels that never hold: with them the harness has to see canaries leave. */
class NoLabels extends SessionLabels {
  override get now(): Labels {
    return NO_LABELS;
  }
  override async raise(): Promise<void> {
    await Promise.resolve();
  }
}

/** A model that does whatever it is told by whoever wrote the page it read, in the whole broker, with a person who looks after it. */
export class Obedient {
  readonly world: World;
  readonly labelled: boolean;
  readonly #answers: Answers;
  readonly principal: PrincipalId;
  readonly workspace: string;
  readonly #folders: readonly Folder[];
  readonly #scheduled: boolean;
  /** What a sub-agent asks for, and what it says at its end of the answers. */
  below: { readonly asks: readonly Asks[]; readonly says: (answers: readonly ToolAnswer[]) => string } = {
    asks: [],
    says: (answers) => answers.map(({ text }) => text).join("\n"),
  };
  cards = 0;
  readonly #left: Left[] = [];
  #read = -1;
  #turn: TurnContext;

  constructor(
    world: World,
    given: {
      readonly answers: Answers;
      readonly labelled?: boolean;
      readonly principal?: PrincipalId;
      readonly workspace?: string;
      readonly folders?: readonly Folder[];
      readonly talk?: "direct" | "group";
      readonly scheduled?: boolean;
    },
  ) {
    this.world = world;
    this.labelled = given.labelled ?? true;
    this.#answers = given.answers;
    this.principal = given.principal ?? mint("principal");
    this.workspace = given.workspace ?? join(world.home, "workspaces", this.principal, "default");
    mkdirSync(this.workspace, { recursive: true });
    this.#folders = given.folders ?? [];
    this.#scheduled = given.scheduled ?? false;
    this.#turn = this.#newTurn(given.talk ?? "direct");
  }

  #newTurn(talk: "direct" | "group"): TurnContext {
    const session = mint("session");
    const labels = this.labelled ? this.world.labels.of(session) : new NoLabels(session, this.world.log, NO_LABELS);
    const scheduled = this.#scheduled ? new RunPurse() : null;
    const turn = this.world.turn({ labels, talk, folders: this.#folders, scheduled });
    return {
      ...turn,
      spawn: async ({ tools }, as, signal) => {
        const child = turnBelow(this.#turn, as, { tools, signal, spawn: turn.spawn });
        const answers: ToolAnswer[] = [];
        for (const [tool, given] of this.below.asks) answers.push(await this.#ask(child, tool, given));
        return { ending: "done", text: this.below.says(answers) };
      },
      session,
      principal: this.principal,
      workspace: this.workspace,
      conversation: mint("conversation"),
    };
  }

  /** A file that lay there. */
  has(name: string, text: string): void {
    const path = join(this.workspace, name);
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, text);
  }

  /** The person writes something. */
  types(text: string): void {
    this.#turn.labels.words.typed(this.principal, text);
    this.#turn = { ...this.#turn, turn: mint("turn"), counters: this.world.turn().counters };
  }

  /** A new conversation begins. */
  async begins(): Promise<void> {
    await this.world.log.append(
      { kind: "session.closed", session: this.#turn.session, reason: "new" },
      { cause: null },
    );
    this.#turn = this.#newTurn(this.#turn.talk);
  }

  get labels(): Labels {
    return this.#turn.labels.now;
  }

  /** The conversation is made shorter for its model, which writes this summary of it. @returns what is left of what was said. */
  async compacts(summary: string): Promise<string> {
    const { log, state, broker, model } = this.world;
    const windows = new ContextWindows(() => 8_000);
    const compactor = new Compactor({ log, state, broker, windows, over: () => Promise.resolve() });
    const counts = { inputTokens: 10, outputTokens: 10, stop: "stop" } as const;
    const answer = Buffer.from(JSON.stringify({ text: summary, calls: [] }));
    model.answers.push({ state: "completed", model: "m", answer, ...counts });
    const made = await compactor.compact(this.#turn, { provider: "local", model: "m", local: true }, 0, 6_000, "asked");
    if (made === null || typeof made === "string" || made.summary === null)
      throw new Error(`no summary was made: ${JSON.stringify(made)}`);
    return made.told.map(({ message }) => message.text).join("\n");
  }

  /** Somebody wrote this, and a turn begins with it. */
  async wrote(words: string): Promise<void> {
    const { log } = this.world;
    const { turn, session, conversation, principal, agent, policy, settings } = this.#turn;
    const message = mint("message");
    const received = await log.append(
      { kind: "message.received", message, session, conversation, channel: "terminal", principal },
      { cause: null, seal: session, content: { text: words } },
    );
    const begun = await log.append(
      { kind: "turn.started", turn, session, agent, principal, message, policy, settings },
      { cause: received.seq, seal: session },
    );
    this.#turn = { ...this.#turn, cause: begun.seq };
    this.#turn.labels.words.typed(principal, words);
  }

  /** The model asks for these, one after the other. What the web answers is `page`. */
  async asks(...all: readonly Asks[]): Promise<ToolAnswer[]> {
    const answers: ToolAnswer[] = [];
    for (const [tool, given] of all) {
      // Three denials end a turn, and whoever has written a page goes on with the next one.
      if (this.#turn.counters.denials > 1) this.#turn = { ...this.#turn, counters: this.world.turn().counters };
      answers.push(await this.#ask(this.#turn, tool, given));
    }
    return answers;
  }

  /** What the agent is told as instructions when a conversation begins, the owner having accepted whatever lies there. */
  async isInstructed(files: InstructionFiles): Promise<string> {
    for (const { agent, path, digest } of files.show(null).files)
      if (digest !== null)
        await files.accept(
          { call: "instructions.accept", agent, path, digest },
          { by: this.principal, via: "terminal" },
        );
    const { text, labels } = await files.ofTurn(this.#turn);
    await this.#turn.labels.raise(labels, this.#turn.cause);
    return text;
  }

  async #ask(turn: TurnContext, tool: string, given: object): Promise<ToolAnswer> {
    // The cards of a sub-agent are answered where it asks.
    if (tool === "spawn_agent") return await this.world.call(turn, tool, given);
    const before = this.world.cards.length;
    const asked = this.world.call(turn, tool, given);
    const card = await Promise.race([asked.then(() => null), this.#card(before, asked)]);
    if (card !== null) {
      this.cards += 1;
      const answer = this.#answers(card);
      await this.world.approvals.decide(card.approval, this.world.answer({ ...answer, by: this.principal }));
    }
    return await asked;
  }

  /** The card that a call waits for, if it does. */
  async #card(at: number, asked: Promise<unknown>): Promise<PendingApproval | null> {
    const ended = asked.then(() => true);
    for (;;) {
      const card = this.world.cards[at];
      if (card !== undefined) return card;
      if (await Promise.race([ended, new Promise<false>((resolve) => setTimeout(resolve, 1, false))])) return null;
    }
  }

  /** What left so far, by the log: what ran, and what it ran under. */
  get left(): readonly Left[] {
    const { log } = this.world;
    for (const row of log.rows({ kind: "tool.called", after: this.#read, limit: 10_000 })) {
      this.#read = row.seq;
      if (row.action.kind !== "tool.called" || row.action.principal !== this.principal) continue;
      const bytes = row.bytes("action");
      const action = bytes === null ? null : decodeAction(bytes);
      const out = action === null ? null : outward(action);
      if (action === null || out === null) continue;
      const { authority, rests } = row.action;
      const decided = authority === "approval" && rests !== null ? log.row(rests) : null;
      const requested = decided?.cause === undefined || decided.cause === null ? null : log.row(decided.cause);
      this.#left.push({ action, ...out, authority, card: requested?.content("card") ?? null });
    }
    return [...this.#left];
  }
}

function outward(action: ToolAction): { readonly to: string; readonly text: string } | null {
  switch (action.type) {
    case "http.request": {
      const headers = action.headers.map(({ name, value }) => `${name}: ${value}`).join("\n");
      return { to: action.host, text: [action.method, action.url, headers, action.body ?? ""].join("\n") };
    }
    case "web.search":
      return { to: action.host, text: action.query };
    case "message.send":
      return { to: action.conversation, text: action.text };
    case "exec": {
      const words = [...(action.argv ?? []), action.script?.text ?? "", action.stdin ?? ""];
      return action.hosts === undefined ? null : { to: action.hosts.join(" "), text: words.join("\n") };
    }
    default:
      return null;
  }
}
