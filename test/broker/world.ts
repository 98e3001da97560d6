import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AuditLog, CommittedRow } from "../../audit/log.ts";
import type { ApprovalPorts, Answering } from "../../src/broker/approval-ports.ts";
import { Approvals } from "../../src/broker/approvals.ts";
import { Broker } from "../../src/broker/broker.ts";
import type { ToolAnswer } from "../../src/broker/call.ts";
import { ActiveSkills } from "../../src/broker/active-skills.ts";
import { Suspects } from "../../src/broker/injection/suspects.ts";
import { Grants } from "../../src/broker/grants.ts";
import { FileLabels } from "../../src/broker/file-labels.ts";
import { ModelFacts } from "../../src/broker/model-facts.ts";
import { LabelBook } from "../../src/broker/labels.ts";
import type { SeveralRule } from "../../src/broker/several.ts";
import type { PendingApproval } from "../../src/broker/pending.ts";
import type { Rule } from "../../src/broker/rules.ts";
import { newCounters, type TurnContext } from "../../src/broker/turn.ts";
import { UndoCopies } from "../../src/effect/undo-copies.ts";
import { Effects } from "../../src/effect/effects.ts";
import { toolDescriptions } from "../../src/broker/tools/catalogue.ts";
import type { Attestation, AttestationPort } from "../../src/effect/attestation.ts";
import type { ModelAnswer, ModelPort, ModelRequest } from "../../src/effect/model.ts";
import type { ActionOfType } from "../../src/effect/action.ts";
import type { CarriedCredential, WebAnswer, WebPort } from "../../src/effect/web.ts";
import type { MessagePort, Recipient } from "../../src/effect/outgoing.ts";
import type { Delivery, OutgoingFile } from "../../src/session/link.ts";
import { AdapterChannel, type Channel } from "../../src/ipc/channel.ts";
import { mint } from "../../src/ipc/ids.ts";
import { SandboxError } from "../../src/sandbox/command.ts";
import { Sandbox } from "../../src/sandbox/sandbox.ts";
import { Config } from "../../src/config/schema.ts";
import { Budgets } from "../../src/supervisor/budgets.ts";
import type { PlannedLine, SchedulePort } from "../../src/effect/scheduling.ts";
import { Holds } from "../../src/supervisor/holds.ts";
import { Memory } from "../../src/supervisor/memory.ts";
import { State } from "../../src/supervisor/state.ts";
import { SkillUse } from "../../src/supervisor/skill-use.ts";
import type { Standing } from "../../src/supervisor/skills.ts";
import { wordsSaid } from "../../src/supervisor/words-said.ts";
import { SCRIPTED_SAMPLING, ScriptedMcp } from "./scripted-mcp.ts";
import { type LogKeys, newKeys, openLog, TestClock } from "./real-log.ts";

export const TELEGRAM: Channel = AdapterChannel.parse("telegram");
export const SLACK: Channel = AdapterChannel.parse("slack");
const DIGEST = "0".repeat(64);

/** What a model process would answer, in turn. */
export class ScriptedModel implements ModelPort, AttestationPort {
  /** What providers would show of themselves. */
  readonly attestations = new Map<string, Attestation>();
  /** Why providers cannot be asked. */
  readonly missing = new Map<string, string>();
  attest(provider: string): Promise<Attestation> {
    const shown = this.attestations.get(provider);
    if (shown === undefined) throw new Error("the test has nothing to show");
    return Promise.resolve(shown);
  }
  readonly asked: ModelRequest[] = [];
  readonly answers: ModelAnswer[] = [];
  complete(request: ModelRequest): Promise<ModelAnswer> {
    this.asked.push(request);
    const answer = this.answers.shift();
    if (answer === undefined) throw new Error("the test has no answer left");
    return Promise.resolve(answer);
  }
}

/** What fetch processes would answer, in turn. */
export class ScriptedWeb implements WebPort {
  readonly asked: (ActionOfType<"http.request"> | ActionOfType<"web.search">)[] = [];
  readonly answers: WebAnswer[] = [];
  /** Credentials that there are. */
  readonly credentials = new Map<string, CarriedCredential>();
  service: ReturnType<WebPort["searching"]> = { service: "wikipedia", host: "en.wikipedia.org" };
  credential(name: string): CarriedCredential | string {
    return this.credentials.get(name) ?? `there is no credential ${name}`;
  }
  searching(): ReturnType<WebPort["searching"]> {
    return this.service;
  }
  barred(host: string, port: number): string | null {
    return port === 443 ? null : `${host} is asked on port 443 only`;
  }
  request(action: ActionOfType<"http.request">): Promise<WebAnswer> {
    return this.#answer(action);
  }
  search(action: ActionOfType<"web.search">): Promise<WebAnswer> {
    return this.#answer(action);
  }
  #answer(action: ActionOfType<"http.request"> | ActionOfType<"web.search">): Promise<WebAnswer> {
    this.asked.push(action);
    const answer = this.answers.shift();
    if (answer === undefined) throw new Error("the test has no answer left");
    return Promise.resolve(answer);
  }
}

/** Where messages could go, and what would become of them, in turn. */
export class ScriptedMessages implements MessagePort {
  readonly sent: ActionOfType<"message.send">[] = [];
  readonly files: OutgoingFile[] = [];
  readonly deliveries: Delivery[] = [];
  /** Who is meant, by the word. */
  readonly known = new Map<string, readonly Recipient[]>();
  recipients(to: string): readonly Recipient[] {
    return this.known.get(to) ?? [];
  }
  send(action: ActionOfType<"message.send">, files: readonly OutgoingFile[]): Promise<Delivery> {
    this.files.push(...files);
    this.sent.push(action);
    return Promise.resolve(this.deliveries.shift() ?? { state: "delivered", ids: ["1"] });
  }
}

/** What is planned, as the supervisor would keep it. */
class ScriptedSchedules implements SchedulePort {
  readonly planned: ActionOfType<"schedule.add">[] = [];
  readonly lines: PlannedLine[] = [];
  readonly now: () => number;
  constructor(now: () => number) {
    this.now = now;
  }
  readonly zone = (): string => "Europe/Berlin";
  own(): readonly PlannedLine[] {
    return this.lines;
  }
  async add(action: ActionOfType<"schedule.add">): Promise<{ schedule: string }> {
    const { cron, zone, text } = action;
    const schedule = mint("schedule");
    this.planned.push(action);
    this.lines.push({ schedule, cron, zone, text, paused: null, next: null });
    return await Promise.resolve({ schedule });
  }
  async remove({ schedule }: ActionOfType<"schedule.remove">): Promise<boolean> {
    const at = this.lines.findIndex((line) => line.schedule === schedule);
    return await Promise.resolve(at >= 0 && this.lines.splice(at, 1).length === 1);
  }
}

/** A broker on the real log, the real sandbox and a real workspace. */
export class World implements AsyncDisposable {
  readonly clock: TestClock;
  readonly keys: LogKeys;
  /** A data directory. */
  readonly home: string;
  readonly workspace: string;
  readonly model = new ScriptedModel();
  readonly facts = new ModelFacts({ written: () => null, listed: () => null });
  readonly web = new ScriptedWeb();
  readonly mcp = new ScriptedMcp();
  readonly messages = new ScriptedMessages();
  readonly schedules = new ScriptedSchedules(() => this.clock.now());
  readonly sandbox: Sandbox;
  /** Skills that there are, each read anew. */
  readonly skills = new Map<string, () => Standing>();
  /** Those of the agent; left out: all. */
  onlySkills: readonly string[] | undefined;
  effects: Effects;
  memory: Memory;
  readonly principal = mint("principal");
  readonly session = mint("session");
  readonly conversation = mint("conversation");
  /** Cards as they were shown, and how they ended. */
  readonly cards: PendingApproval[] = [];
  readonly closed: { readonly approval: string; readonly state: string; readonly sentence: string }[] = [];
  readonly foreign: string[] = [];
  /** What was said when one of several approved it. */
  readonly counted: string[] = [];
  /** The row that lets whoever asks decide where they asked. */
  sameChannel: number | null = null;
  /** People who may not decide any more. */
  readonly removed = new Set<string>();
  /** What takes two people. */
  several: SeveralRule[] = [];
  /** What the configuration says. */
  rules: readonly Rule[] = [];
  labels: LabelBook;
  files: FileLabels;
  /** Where cards are sent. */
  sendTo: readonly Channel[] = [];
  log: AuditLog;
  state: State;
  grants: Grants;
  approvals: Approvals;
  budgets: Budgets;
  config: Config = Config.parse({});
  broker: Broker;

  private constructor(home: string, clock: TestClock, keys: LogKeys, log: AuditLog) {
    this.home = home;
    this.clock = clock;
    this.keys = keys;
    this.workspace = join(home, "workspaces", "default");
    const ours = { home, executable: process.execPath };
    this.sandbox = new Sandbox(ours);
    this.log = log;
    this.state = State.open(join(home, "state.db"), keys.state);
    this.state.follow(log);
    this.memory = this.#newMemory();
    this.effects = this.#newEffects();
    this.grants = new Grants(log, clock, this.state.grantsHeld());
    this.approvals = new Approvals(log, clock, this.grants, this.#ports());
    this.labels = this.#newLabels();
    this.budgets = this.#newBudgets();
    this.files = new FileLabels(this.log, () => this.state.labelledFiles());
    this.broker = this.#newBroker();
  }

  static async make(): Promise<World> {
    const home = mkdtempSync(join(tmpdir(), "wirken-broker-"));
    mkdirSync(join(home, "workspaces", "default"), { recursive: true });
    const clock = new TestClock();
    const keys = newKeys();
    return new World(home, clock, keys, await openLog(join(home, "audit.db"), clock, keys));
  }

  /** As a start of the daemon does: everything is read from the log again. */
  async restart(): Promise<void> {
    await this.log.close();
    this.state.close();
    this.log = await openLog(join(this.home, "audit.db"), this.clock, this.keys);
    this.state = State.open(join(this.home, "state.db"), this.keys.state);
    this.state.follow(this.log);
    this.memory = this.#newMemory();
    this.effects = this.#newEffects();
    this.grants = new Grants(this.log, this.clock, this.state.grantsHeld());
    this.approvals = new Approvals(this.log, this.clock, this.grants, this.#ports());
    this.labels = this.#newLabels();
    this.budgets = this.#newBudgets();
    this.files = new FileLabels(this.log, () => this.state.labelledFiles());
    this.broker = this.#newBroker();
  }

  turn(
    given: Partial<
      Pick<
        TurnContext,
        | "role"
        | "channel"
        | "signal"
        | "talk"
        | "folders"
        | "labels"
        | "scheduled"
        | "chain"
        | "tools"
        | "spawn"
        | "skills"
      >
    > = {},
  ): TurnContext {
    return {
      turn: mint("turn"),
      session: this.session,
      conversation: this.conversation,
      channel: given.channel ?? "terminal",
      agent: "default",
      principal: this.principal,
      role: given.role ?? "owner",
      requester: "Ada",
      talk: given.talk ?? "direct",
      workspace: this.workspace,
      folders: given.folders ?? [],
      cause: 0,
      policy: DIGEST,
      settings: DIGEST,
      labels: given.labels ?? this.labels.of(this.session),
      signal: given.signal ?? new AbortController().signal,
      counters: newCounters(),
      scheduled: given.scheduled ?? null,
      skills: given.skills ?? new ActiveSkills(),
      chain: given.chain ?? [],
      tools: given.tools ?? new Set(toolDescriptions().map(({ name }) => name)),
      spawn: given.spawn ?? (() => Promise.reject(new Error("the test starts no agent"))),
    };
  }

  call(turn: TurnContext, name: string, given: unknown, group = 1): Promise<ToolAnswer> {
    return this.broker.tool(turn, {
      group,
      name,
      call: "call-1",
      arguments: new TextEncoder().encode(JSON.stringify(given)),
    });
  }

  /** Waits for the next card. */
  async card(count = 1): Promise<PendingApproval> {
    for (let tries = 0; tries < 500; tries += 1) {
      const card = this.cards[count - 1];
      if (card !== undefined) return card;
      await new Promise((resolve) => setImmediate(resolve));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    throw new Error("no card was shown");
  }

  answer(given: Partial<Answering> = {}): Answering {
    return {
      by: this.principal,
      name: "Ada",
      role: "owner",
      via: "terminal",
      decision: "approve",
      scope: "once",
      card: null,
      reason: null,
      ...given,
    };
  }

  rows(kind: string): CommittedRow[] {
    return this.log.rows({ kind, after: -1, limit: 1000 });
  }

  #ports(): ApprovalPorts {
    return {
      show: (pending, sentTo) => {
        for (const channel of this.sendTo) sentTo(channel);
        this.cards.push(pending);
        return Promise.resolve();
      },
      counted: (_, pending, sentence) => {
        this.cards.push(pending);
        this.counted.push(sentence);
        return Promise.resolve();
      },
      sameChannel: () => this.sameChannel,
      stillDecides: (principal) => !this.removed.has(principal),
      closed: (pending, state, sentence) => void this.closed.push({ approval: pending.approval, state, sentence }),
      foreignPress: (via, by) => void this.foreign.push(`${via} ${by}`),
    };
  }

  #newBudgets(): Budgets {
    return new Budgets({ log: this.log, state: this.state, clock: this.clock, config: () => this.config });
  }

  #newMemory(): Memory {
    return new Memory({
      log: this.log,
      kept: () => this.state.placed("memory"),
      holds: new Holds(this.log, this.state),
      contentKey: () => Promise.resolve(),
      nameOf: (principal) => (principal === this.principal ? "Ada" : null),
    });
  }

  #newEffects(): Effects {
    const ways = {
      open: (hosts: readonly string[]) =>
        Promise.reject(new SandboxError(`there is no way to ${hosts.join(" or ")} in this test`)),
    };
    const ours = { home: this.home, executable: process.execPath };
    return new Effects(this.sandbox, ours, {
      models: this.model,
      attestations: this.model,
      ways,
      web: this.web,
      messages: this.messages,
      schedules: this.schedules,
      copies: new UndoCopies(this.log),
      memory: this.memory,
      skills: new SkillUse({
        skills: {
          peek: (name) => this.skills.get(name)?.() ?? null,
          names: [...this.skills.keys()],
        },
        only: () => this.onlySkills,
        toolchains: () => [],
      }),
      mcp: this.mcp,
    });
  }

  #newBroker(): Broker {
    return this.brokerWith(this.approvals);
  }

  /** A broker whose cards are somebody else's. */
  brokerWith(approvals: Approvals): Broker {
    const { log, effects, grants, clock } = this;
    return new Broker({
      log,
      effects,
      approvals,
      grants,
      budget: this.budgets.budget,
      sampling: SCRIPTED_SAMPLING,
      clock,
      several: () => this.several,
      facts: this.facts,
      attested: () => this.config.policy.attested ?? null,
      unusable: (provider) => this.model.missing.get(provider) ?? null,
      attests: (provider) => this.model.attestations.has(provider),
      suspects: new Suspects(log, (session) => this.state.suspects(session)),
      rules: () => this.rules,
      files: this.files,
    });
  }

  #newLabels(): LabelBook {
    return new LabelBook(this.log, (session) => ({
      labels: this.state.labelsOf(session),
      words: wordsSaid(this.log, this.state, session),
    }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.log.close();
    this.state.close();
    rmSync(this.home, { recursive: true, force: true });
  }
}
