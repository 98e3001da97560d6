import { chmodSync, mkdirSync, realpathSync } from "node:fs";
import { isSea } from "node:sea";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { AuditLog } from "../../audit/log.ts";
import { systemClock } from "../../audit/ports.ts";
import { Refusals } from "../../audit/refused.ts";
import type { VerifyOptions } from "../../audit/verify.ts";
import type { Keepers } from "../../vault/protector.ts";
import { expiredSentence } from "../../vault/vault.ts";
import { FACTS } from "../broker/action.ts";
import { Broker } from "../broker/broker.ts";
import { Budget } from "../broker/budget.ts";
import { Grants } from "../broker/grants.ts";
import { MAX_DENIALS } from "../broker/policy.ts";
import { toolDescriptions } from "../broker/tools/catalogue.ts";
import { Effects } from "../effect/effects.ts";
import type { Home } from "../config/home.ts";
import { AdapterChannel, platformOf, talks } from "../ipc/channel.ts";
import type { NamedBytes } from "../ipc/named-bytes.ts";
import type { AnswerTo } from "../ipc/operator.ts";
import { KNOWN_PROVIDERS } from "../ipc/provider.ts";
import { Sandbox } from "../sandbox/sandbox.ts";
import { AgentPool } from "./agent-pool.ts";
import { disksOf, findingsOnDisks } from "./anchor-disks.ts";
import { AnchorHistory } from "./anchor-history.ts";
import { Anchors } from "./anchors.ts";
import { ApprovalDesk } from "./approval-desk.ts";
import type { Booted } from "./boot.ts";
import { Channels, type Withheld } from "./channels.ts";
import type { TalkParts } from "./channel-talk.ts";
import { contentKeys } from "./content-keys.ts";
import { ConfigFile } from "./config-file.ts";
import { ContinuousVerification } from "./continuous.ts";
import { placeNotes } from "./data-place.ts";
import { CredentialDates } from "./credential-dates.ts";
import { CredentialChecks } from "./credential-checks.ts";
import { CredentialRenewal } from "./credential-renewal.ts";
import { CredentialRotation } from "./credential-rotation.ts";
import { type Checked, Credentials, plainOf, secretOf } from "./credentials.ts";
import { Egress } from "./egress.ts";
import { EgressRecord } from "./egress-record.ts";
import { EgressView } from "./egress-view.ts";
import { EvidenceExport } from "./evidence-export.ts";
import { roomOf } from "./disk.ts";
import { Erasure, type ErasureSteps } from "./erasure.ts";
import { Findings } from "./findings.ts";
import { Halts } from "./halts.ts";
import { Holds } from "./holds.ts";
import { configOf, InForce, knowsAgent } from "./in-force.ts";
import { chooseModel, isLocalProvider, OFFLINE, pickModel } from "./model-choice.ts";
import { LogKeys } from "./log-keys.ts";
import { Keeping } from "./keeping.ts";
import { Models } from "./models.ts";
import { Operator } from "./operator.ts";
import { OperatorError } from "./operator-error.ts";
import { type Network, networkOf, PROXY_SCOPE } from "./network.ts";
import { type By, People } from "./people.ts";
import { Confined } from "./confinement.ts";
import { ResolverWatch } from "./resolver-watch.ts";
import { Processes, type SecretOf } from "./processes.ts";
import { Remembered } from "./remembered.ts";
import { Retention } from "./retention.ts";
import { RecordView } from "./record-view.ts";
import { recoverySheet } from "./recovery-sheet.ts";
import type { AgentInForce, RunParts } from "./session-run.ts";
import { State } from "./state.ts";
import { Storage } from "./storage.ts";
import { type Greeting, statusOf } from "./status.ts";
import type { Origin } from "./conversation.ts";
import { transcriptBefore } from "./transcript.ts";
import { type KeychainState, VaultKeeper } from "./vault-keeper.ts";
import { VaultRecovery } from "./vault-recovery.ts";
import { WebDoor } from "./web-door.ts";
import { WebLogin } from "./web-login.ts";

/** What platforms redeliver is days old at most. */
const SEEN_DAYS = 30;
const DAY_MS = 24 * 3_600_000;
const SWEEP_MS = 60_000;

export interface CompositionParts {
  readonly home: Home;
  readonly booted: Booted;
  readonly keepers: Keepers;
  /** @param maxAgeMs how old an answer may be. */
  readonly probe: (maxAgeMs: number) => Promise<KeychainState>;
  readonly pin: () => Promise<NonNullable<VerifyOptions["pin"]>>;
  /** That of `wirken start`, or of a command that runs without the daemon. */
  readonly environment: NodeJS.ProcessEnv;
  /** The operating system's name for the account. */
  readonly owner: string;
  /** False for a command that runs without the daemon: no channel, no page. */
  readonly serve: boolean;
  readonly port: number | null;
  readonly since: string;
  readonly line: (role: string, line: string) => void;
  readonly stop: () => void;
}

/** Everything that a daemon is made of, once log and vault are open: the one place where the parts meet. */
export class Composition {
  readonly operator: Operator;
  readonly channels: Channels;
  readonly models: Models;
  readonly web: WebDoor | null;
  readonly sandbox: Sandbox;
  readonly confined: Confined;
  readonly config: ConfigFile;
  readonly findings: Findings;
  readonly storage: Storage;
  readonly anchors: Anchors;
  /** Null for a command that runs without the daemon. */
  readonly verification: ContinuousVerification | null;
  readonly inForce: InForce;
  /** How this machine's network is left. */
  network: Network;
  readonly status: () => Promise<AnswerTo<"status">>;
  /** What a start says: the status without a question to the keychain, which takes a process. */
  readonly greeting: () => Greeting;
  readonly #egressRecord: EgressRecord;
  readonly #egress: Egress;
  #resolver: ResolverWatch | null = null;
  readonly #parts: CompositionParts;
  readonly #state: State;
  readonly #pool: AgentPool;
  readonly #desk: ApprovalDesk;
  readonly #people: People;
  readonly #halts: Halts;
  readonly #refusals: Refusals;
  readonly #keeper: VaultKeeper;
  readonly #keeping: Keeping;
  readonly #dates: CredentialDates;
  readonly #placeNotes: readonly string[];
  readonly #checks: CredentialChecks;
  readonly #renewals: CredentialRenewal;
  readonly #sweep: NodeJS.Timeout;
  #ollama: string | null = null;

  /** Opens the projection, brings it up to the log, and puts the parts together. Nothing is started yet. */
  static async open(parts: CompositionParts): Promise<Composition> {
    const { booted, home } = parts;
    const { log, starting } = booted;
    let composed: Composition | null = null;
    const state = State.open(home.state);
    state.follow(log);
    const keeper = new VaultKeeper({
      vault: booted.vault,
      keepers: parts.keepers,
      log,
      probe: parts.probe,
      locking: async () => {
        await composed?.channels.lock();
        await composed?.models.lock();
        await composed?.proxyLocked();
      },
      unlocked: async () => await composed?.credentialsBack(),
    });
    const holds = new Holds(log, state);
    const steps = stepsOf(log, state, keeper);
    const erasure = new Erasure({
      log,
      state,
      holds,
      steps,
      endSession: async (session, who) => await composed?.endSession(session, who),
    });
    const completed = await erasure.complete();
    if (completed > 0) parts.line("audit", `${completed} erasures that a crash cut short were completed`);
    const interrupted = await log.interrupted();
    if (interrupted.length > 0)
      parts.line(
        "audit",
        `${interrupted.length} actions were interrupted by a crash: their effect is unknown, and none is repeated`,
      );
    state.forgetSeen(new Date(Date.now() - SEEN_DAYS * DAY_MS).toISOString());
    const config = await ConfigFile.open(home.config, log, starting, async () => {
      await composed?.configChanged();
    });
    await keeper.finishStart(starting);
    const people = new People(
      log,
      state,
      () => Date.now(),
      async (scope) => await keeper.contentKey(scope),
    );
    await people.ensureOwner(parts.owner, log.genesis.by ?? null);
    const history = new AnchorHistory(log);
    const untold = (error: unknown): void =>
      parts.line("audit", `after a finding: ${error instanceof Error ? error.message : String(error)}`);
    const findings = new Findings({
      log,
      path: home.audit,
      line: (sentence) => parts.line("audit", sentence),
      stop: () => void composed?.halt().catch(untold),
      lifted: () => void composed?.goOn().catch(untold),
      now: () => Date.now(),
    });
    await findings.begin([...booted.findings, ...(await findingsOnDisks(history, log))], starting);
    const retention = new Retention({
      log,
      state,
      holds,
      erasure,
      steps,
      hasKey: (scope) => keeper.vault.hasContentKey(scope),
      days: () => config.config.retention,
      owner: () => people.owner().principal,
      now: () => Date.now(),
      line: parts.line,
    });
    const keeping = new Keeping({ erasure, holds, retention });
    composed = new Composition(parts, { state, config, keeper, people, findings, history, keeping });
    return composed;
  }

  private constructor(
    parts: CompositionParts,
    made: {
      state: State;
      config: ConfigFile;
      keeper: VaultKeeper;
      people: People;
      findings: Findings;
      history: AnchorHistory;
      keeping: Keeping;
    },
  ) {
    const { booted, home } = parts;
    const { log } = booted;
    this.#parts = parts;
    this.#state = made.state;
    this.#people = made.people;
    this.#keeper = made.keeper;
    this.config = made.config;
    this.network = networkOf(made.config.config, parts.environment);
    this.#keeping = made.keeping;
    this.storage = new Storage({ log, root: home.root, room: roomOf, line: parts.line });
    this.findings = made.findings;
    this.verification = parts.serve
      ? new ContinuousVerification({
          log,
          path: home.audit,
          findings: made.findings,
          line: (sentence) => parts.line("audit", sentence),
          waits: (finding) => made.history.waits(finding),
          now: () => Date.now(),
        })
      : null;
    this.#refusals = new Refusals(log, systemClock);
    this.#halts = new Halts({
      log,
      state: made.state,
      stop: async (target, who) => await this.channels.stopWhere(target, who),
      knowsAgent: (agent) => knowsAgent(made.config.config, agent),
    });
    this.#egressRecord = new EgressRecord({
      log,
      clock: systemClock,
      line: (text) => parts.line("egress", text),
    });
    this.#egress = new Egress({
      processes: () => processes,
      cause: booted.starting,
      upstream: () => ({ proxy: this.network.proxy?.proxy ?? null, credential: this.#proxyCredential }),
      asked: (asked) => this.#egressRecord.take(asked),
    });
    const processes: Processes = new Processes({
      log,
      vault: () => made.keeper.vault,
      line: parts.line,
      lanes: this.#egress,
      certificates: () => this.network.certificates,
    });
    this.anchors = new Anchors({
      log,
      history: made.history,
      processes,
      home: home.root,
      probe: parts.probe,
      line: parts.line,
    });
    this.sandbox = new Sandbox({
      home: home.root,
      executable: process.execPath,
      ...(isSea() ? { launcher: [process.execPath] } : {}),
    });
    this.confined = new Confined({
      processes,
      sandbox: async () => await this.sandbox.probe(),
      cause: booted.starting,
    });
    this.models = new Models({
      processes,
      config: () => made.config.config,
      key: (provider) => this.#secretOf(`provider/${provider}`),
      withheld: (provider) => this.#withheld(`provider/${provider}`)?.note ?? null,
    });
    const effects = new Effects(this.sandbox, { home: home.root, executable: process.execPath }, this.models);
    const clock = systemClock;
    const grants = new Grants(log, clock, made.state.grantsHeld());
    const desk = new ApprovalDesk({
      log,
      clock,
      grants,
      state: made.state,
      people: made.people,
      line: parts.line,
      channels: () => this.channels,
    });
    this.#desk = desk;
    const dollarsOf = (agent: string): number => configOf(made.config.config, agent).budgetUsdPerDay;
    const budget = new Budget(
      log,
      clock,
      {
        agentDollars: dollarsOf,
        // One person's share is at most what the most generous agent may spend.
        principalDollars: () =>
          Math.max(...["default", ...Object.keys(made.config.config.agents)].map((agent) => dollarsOf(agent))),
      },
      (provider) => isLocalProvider(made.config.config, provider),
    );
    const broker = new Broker({ log, effects, approvals: desk.approvals, grants, budget, clock });
    this.inForce = new InForce(log, toolDescriptions());
    this.#pool = new AgentPool(
      processes,
      async (session, turnSeq, from) => this.#agentStart(session, turnSeq, from),
      async (conversation) => await this.models.forget(conversation),
    );
    this.channels = new Channels({
      log,
      state: made.state,
      processes,
      config: made.config,
      secrets: (channel) => {
        const secret = this.#secretOf(`channel/${channel}`);
        if (secret === null) return { state: "no-credentials", note: `run wirken vault add ${channel}` };
        return this.#withheld(`channel/${channel}`) ?? [secret];
      },
      plain: (secret, name) => plainOf(made.keeper.vault, secret, name),
      worked: async (secret, account) => await credentials.worked(secret, account),
      failed: async (secret) => await credentials.failed(secret),
      renewals: () => this.#renewals,
      talk: (channel, agent): TalkParts => ({
        log,
        state: made.state,
        people: made.people,
        refusals: this.#refusals,
        agent,
        contentKey: async (scope) => await made.keeper.contentKey(scope),
        decide: async (ask) => await desk.decide(ask),
        now: () => Date.now(),
        run: (name, place) => this.#runParts(channel, name, place, broker),
        notice: () => this.#recordingNotice(),
      }),
    });
    const login = new WebLogin(
      log,
      () => Date.now(),
      (digest) => this.web?.sessionEnded(digest),
    );
    this.web = parts.serve
      ? new WebDoor({
          processes,
          login,
          port: parts.port ?? made.config.config.web.port,
          answer: async (call, payload, caller, emit, signal) =>
            await this.operator.answer(call, payload, caller, emit, signal),
        })
      : null;
    const credentials = new Credentials({
      log,
      keeper: made.keeper,
      people: made.people,
      now: () => Date.now(),
      lastUses: () => made.state.lastUses(),
      check: async (scope, candidate) => await check(scope, candidate),
      channelAdded: async (channel, who) => {
        if (!talks(platformOf(channel))) return [`this version does not talk on ${platformOf(channel)} yet`];
        const before = made.config.config.channels[channel];
        if (before?.enabled !== true) {
          await made.config.set(["channels", channel, "enabled"], true);
          await log.append({ kind: "channel.enabled", channel, ...who }, { cause: null });
        } else if (parts.serve) await this.channels.credentialsChanged(channel);
        return [`${channel} is enabled`];
      },
      channelRemoved: async (channel) => await this.channels.release(channel),
      providerAdded: async (provider) => await this.#providerAdded(provider),
      proxyChanged: async () => await this.proxyChanged(),
      providerRemoved: async (provider) => await this.models.end(provider),
      knowsProvider: (provider) =>
        Object.hasOwn(KNOWN_PROVIDERS, provider) || Object.hasOwn(made.config.config.providers, provider),
    });
    const check = async (scope: string, candidate: readonly NamedBytes[] | SecretOf): Promise<Checked> => {
      const [kind, name = ""] = scope.split("/");
      if (kind === "provider") return await this.models.check(name, candidate, null);
      return await this.channels.check(AdapterChannel.parse(name), candidate, null);
    };
    const rotation = new CredentialRotation({
      proxyChanged: async () => await this.proxyChanged(),
      log,
      keeper: made.keeper,
      credentials,
      check,
      now: () => Date.now(),
      handOver: async (secret) => {
        const [kind, name = ""] = secret.scope.split("/");
        if (kind === "provider") return await this.models.handOver(name, secret);
        // Where its server is may be among what is new.
        await this.#egress.rebind();
        const verdict = await this.channels.handOver(AdapterChannel.parse(name), secret);
        // One that waited for a credential (it had expired, say) begins now.
        if (verdict === null && parts.serve) await this.channels.align(null);
        return verdict;
      },
      line: (sentence) => parts.line("vault", sentence),
    });
    this.#renewals = new CredentialRenewal({
      log,
      keeper: made.keeper,
      credentials,
      rotation,
      now: () => Date.now(),
      line: (sentence) => parts.line("vault", sentence),
    });
    const checks = new CredentialChecks({
      log,
      keeper: made.keeper,
      credentials,
      rotation,
      check: async (secret) => await check(secret.scope, secret),
      triedByItself: (scope) =>
        scope.startsWith("channel/") && this.channels.runs(AdapterChannel.parse(scope.slice(8))),
      now: () => Date.now(),
      line: (sentence) => parts.line("vault", sentence),
    });
    this.#checks = checks;
    const record = new RecordView({
      log,
      state: made.state,
      path: home.audit,
      vault: booted.vault,
      pin: parts.pin,
      disks: async () => await disksOf(made.history),
      anchored: () => this.anchors.now(),
      findings: made.findings,
    });
    this.operator = new Operator({
      people: made.people,
      channels: this.channels,
      credentials,
      rotation,
      checks,
      approvals: desk,
      vault: made.keeper,
      record,
      findings: made.findings,
      evidence: new EvidenceExport({ log, home, vault: booted.vault, now: () => Date.now() }),
      anchors: this.anchors,
      keys: new LogKeys(log, made.keeper, made.history),
      recovery: new VaultRecovery({ keeper: made.keeper, log, home: home.root, now: () => Date.now() }),
      sheet: async () => recoverySheet({ log, vault: booted.vault, ...(await this.anchors.list()) }),
      keeping: made.keeping,
      halts: this.#halts,
      confined: this.confined,
      egress: new EgressView({
        config: () => made.config.config,
        scopes: () => made.keeper.vault.credentials().map(({ scope }) => scope),
        provider: (agent) => this.inForce.of(agent)?.choice.provider ?? null,
        anchors: () => made.history.promised,
        channelReach: (channel) => this.channels.reachOf(channel),
        providerReach: (provider) => this.models.reachOf(provider),
        holders: () => this.#egress.holders,
        proxy: () => {
          const { proxy } = this.network;
          if (proxy === null) return null;
          return { place: proxy.place, from: proxy.from, credential: this.#proxyCredential !== null };
        },
      }),
      remembered: new Remembered({
        grants,
        people: made.people,
        knowsAgent: (agent) => knowsAgent(made.config.config, agent),
        sandbox: () => this.sandbox.state.state,
        now: () => Date.now(),
      }),
      web: this.web,
      stop: parts.stop,
      status: async () => await this.status(),
    });
    // Looked at once: a disk is not encrypted under a running daemon.
    this.#placeNotes = parts.serve ? placeNotes(realpathSync(home.root)) : [];
    this.#dates = new CredentialDates({
      vault: () => made.keeper.vault,
      log,
      now: () => Date.now(),
      line: parts.line,
    });
    const statusParts = { ...parts, composition: this, processes, desk };
    this.status = async () => statusOf(statusParts, await made.keeper.status());
    this.greeting = () => statusOf(statusParts, { sentence: made.keeper.sentence });
    this.#sweep = setInterval(() => void this.#refusals.sweep().catch(() => undefined), SWEEP_MS);
    this.#sweep.unref();
  }

  /** Everything that runs: the page, the channels, and what a crash left waiting. Nothing starts while a finding is open. */
  async serve(): Promise<void> {
    const { booted, serve } = this.#parts;
    const cause = booted.starting;
    if (serve) this.storage.start();
    if (!serve || this.findings.stopped !== null) return;
    await this.#desk.approvals.expireInterrupted(this.#state.questionsOpen());
    await this.channels.align(cause);
    await this.channels.recover();
    this.anchors.start(cause);
    // It waits for the channels to be connected: nothing else does.
    void this.#desk
      .closeLeft()
      .catch((error: unknown) =>
        this.#parts.line("approvals", `a card could not be updated: ${error instanceof Error ? error.name : "error"}`),
      );
    this.config.follow();
    if (process.platform === "linux") this.#resolver ??= new ResolverWatch(() => void this.#egress.replace());
    this.#keeping.retention.start();
    this.#dates.start();
    this.#checks.settle();
  }

  /** A finding: whatever runs ends. The log refuses every intent already; looking and stopping still work. */
  async halt(): Promise<void> {
    if (!this.#parts.serve) return;
    await this.channels.halt({ by: this.#people.owner().principal, via: "terminal" });
  }

  /** The finding is acknowledged. */
  async goOn(): Promise<void> {
    this.channels.reopen();
    await this.serve();
  }

  /** Puts the policy and every agent's settings in force. */
  async configure(cause: number | null): Promise<void> {
    const { config } = this.config;
    if (this.inForce.policy === "")
      await this.inForce.loadPolicy({ version: 1, keys: FACTS, denialsThatEndATurn: MAX_DENIALS }, cause);
    const enrolled = this.#keeper.vault
      .credentials()
      .filter((one) => one.scope.startsWith("provider/"))
      .toSorted((a, b) => a.created.localeCompare(b.created))
      .map((one) => one.scope.slice("provider/".length));
    for (const agent of new Set(["default", ...Object.keys(config.agents)])) {
      await this.inForce.configure(agent, config, chooseModel(configOf(config, agent), enrolled, this.#ollama), cause);
    }
  }

  /** Starts the egress process where something is about to need it: it takes as long to start as whoever gets its lanes.
   *  @param when a channel connects at the start; a model is asked with the first message. */
  beginEgress(when: "at the start" | "when ready"): void {
    if (!this.#parts.serve || this.findings.stopped !== null) return;
    const { channels, agents } = this.config.config;
    const talking = Object.entries(channels).some(
      ([name, { enabled }]) => enabled && this.#secretOf(`channel/${name}`) !== null,
    );
    const thinking = ["default", ...Object.keys(agents)].some((agent) => {
      const provider = this.inForce.of(agent)?.choice.provider;
      return provider !== undefined && this.models.reachOf(provider).length > 0;
    });
    if (talking || (when === "when ready" && (thinking || this.anchors.remote))) this.#egress.begin();
  }

  /** Looks for an Ollama on its default port, where nothing better is set up. */
  async findOllama(): Promise<void> {
    const current = this.inForce.of("default")?.choice;
    if (current !== undefined && current.provider !== OFFLINE.provider) return;
    this.#ollama = await this.models.findOllama(this.#parts.booted.starting);
    if (this.#ollama !== null) await this.configure(this.#parts.booted.starting);
  }

  async configChanged(): Promise<void> {
    const network = this.#networkNow();
    const moved = !isDeepStrictEqual(network, this.network);
    this.network = network;
    await this.models.settingsChanged();
    await this.configure(null);
    await this.#egress.rebind();
    if (moved) await this.#egress.replace();
    if (this.#parts.serve && this.findings.stopped === null) await this.channels.align(null);
  }

  async #providerAdded(provider: string): Promise<string[]> {
    await this.models.end(provider);
    const { config } = this.config;
    const chosen = config.agents["default"]?.model;
    if (chosen !== undefined) {
      await this.configure(null);
      return [`agent default goes on with ${chosen}`];
    }
    const model = pickModel(provider, await this.models.offered(provider, null));
    if (model === null) return [`say which model to use in config.json: agents.default.model, such as ${provider}/…`];
    await this.config.set(["agents", "default", "model"], `${provider}/${model}`);
    return [`agent default now uses ${provider}/${model}`];
  }

  #secretOf(scope: string): SecretOf | null {
    return secretOf(this.#keeper.vault, scope);
  }

  /** Why a credential that is enrolled is not handed over. */
  #withheld(scope: string): Withheld | null {
    const { vault } = this.#keeper;
    if (vault.locked) return { state: "locked", note: "the vault is locked: run wirken vault unlock" };
    const expires = vault.credentials(scope)[0]?.expires ?? null;
    if (expires === null || Date.parse(expires) > Date.now()) return null;
    return { state: "refused", note: expiredSentence(scope, expires) };
  }

  /** The vault is open again. */
  async credentialsBack(): Promise<void> {
    if (!this.#parts.serve || this.findings.stopped !== null) return;
    if (this.#proxyCredential !== null) await this.#egress.replace();
    await this.channels.align(null);
    this.#checks.settle();
  }

  #agentStart(session: string, turnSeq: number, from: (bytes: Uint8Array, origin: Origin) => void): Uint8Array {
    const agent = this.#state.session(session)?.agent ?? "default";
    const settings = this.inForce.of(agent);
    if (settings === null) throw new OperatorError("not-found", `there is no agent ${agent}`);
    const transcript = transcriptBefore(this.#parts.booted.log, this.#state, session, turnSeq, from);
    return Buffer.from(JSON.stringify({ instructions: settings.instructions, tools: settings.tools, transcript }));
  }

  #runParts(channel: string, agent: string, place: string, broker: Broker): RunParts {
    return {
      log: this.#parts.booted.log,
      state: this.#state,
      broker,
      pool: this.#pool,
      workspace: () => this.#workspace(agent),
      inForce: () => this.#agentInForce(agent),
      halted: (session) => this.#halts.over(agent, session),
      tell: (event, payload) => {
        if (channel === "terminal" || channel === "web") this.channels.local(channel).emit(place, event, payload);
      },
    };
  }

  #agentInForce(agent: string): AgentInForce {
    const settings = this.inForce.of(agent);
    if (settings === null) throw new OperatorError("not-found", `there is no agent ${agent}`);
    const { choice, config, digest } = settings;
    return {
      agent,
      provider: choice.provider,
      model: choice.model,
      rounds: config.rounds,
      turnMs: config.turnMinutes * 60_000,
      policy: this.inForce.policy,
      settings: digest,
      local: isLocalProvider(this.config.config, choice.provider),
    };
  }

  #workspace(agent: string): string {
    const path = join(this.#parts.home.workspaces, agent);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    chmodSync(path, 0o700);
    return path;
  }

  #recordingNotice(): string {
    const { content } = this.config.config.retention;
    const retention =
      this.config.config.retentionNote ??
      (content === null ? "until the owner erases it" : `and erased after ${content} days`);
    return `What you write here is recorded by ${this.#people.owner().name}, ${retention}.`;
  }

  #networkNow(): Network {
    return networkOf(this.config.config, this.#parts.environment);
  }

  /** What opens the proxy, where it may be handed over. */
  get #proxyCredential(): SecretOf | null {
    return this.network.proxy === null || this.#withheld(PROXY_SCOPE) !== null ? null : this.#secretOf(PROXY_SCOPE);
  }

  /** What opens the proxy is another, or may not be held: whoever held it before ends. */
  async proxyChanged(): Promise<void> {
    if (this.network.proxy !== null) await this.#egress.replace();
  }

  /** The vault is locked now: nor does the egress process keep what it was given before. */
  async proxyLocked(): Promise<void> {
    if (this.#keeper.vault.locked && this.#secretOf(PROXY_SCOPE) !== null) await this.proxyChanged();
  }

  get settings(): { people: People; state: State } {
    return { people: this.#people, state: this.#state };
  }

  /** What is halted, a sentence each. */
  haltNotes(): string[] {
    return this.#halts.notes();
  }

  /** What was refused to whom, a sentence each. */
  egressNotes(): string[] {
    return this.#egressRecord.refused.map(({ role, subject, times }) => {
      const process = subject === null ? role : `${role}:${subject}`;
      const often = times === 1 ? "1 connection was" : `${times} connections were`;
      return `${often} refused to ${process}, because its list does not allow them: wirken egress log --refused --process ${process}`;
    });
  }

  /** What wants doing about the vault, a sentence each. */
  vaultNotes(): string[] {
    const { vault } = this.#keeper;
    const notes = [...this.#dates.notes(), ...this.#renewals.notes(), ...this.#placeNotes];
    if (vault.locked)
      notes.unshift("the vault is locked: channels and models that need a credential wait for wirken vault unlock");
    else if (!vault.recoverable && vault.credentials().length > 0)
      notes.push(
        "no recovery phrase was made: if the keychain or the passphrase is lost, so is every credential; wirken vault recovery create",
      );
    return notes;
  }

  /** Ends a session for good: what runs and waits in it, and the process that remembers it. */
  async endSession(session: string, who: By): Promise<void> {
    await this.channels.endSession(session, who);
    await this.#pool.forget(session);
  }

  /** Ends turns and children, in that order; what waits stays on the log for the next start. */
  async close(): Promise<void> {
    clearInterval(this.#sweep);
    this.#resolver?.[Symbol.dispose]();
    this.#dates.close();
    this.#checks.close();
    await this.verification?.close();
    await this.#keeping.retention.close();
    await this.storage.close();
    this.config[Symbol.dispose]();
    // Who waits for a lane does not hold the end up.
    this.#egress.shut();
    await this.channels.close({ by: this.#people.owner().principal, via: "terminal" });
    await this.#pool.close();
    await this.models.close();
    await this.anchors.close();
    await this.web?.close();
    await this.#egress.close();
    await this.#egressRecord.close();
    await this.#refusals.close();
  }

  /** After the log: its last rows are taken in too. */
  closeState(): void {
    this.#state.close();
  }
}

function stepsOf(log: AuditLog, state: State, keeper: VaultKeeper): ErasureSteps {
  return {
    ...contentKeys(
      () => keeper.vault,
      (cause) => keeper.recorder(cause),
    ),
    removal: log.removal,
    state,
  };
}
