import { realpathSync } from "node:fs";
import { isSea } from "node:sea";
import type { CommittedRow } from "../../audit/log.ts";
import { systemClock } from "../../audit/ports.ts";
import { Refusals } from "../../audit/refused.ts";
import { Broker } from "../broker/broker.ts";
import { Suspects } from "../broker/injection/suspects.ts";
import { effectivePolicy } from "../broker/effective-policy.ts";
import { FileLabels } from "../broker/file-labels.ts";
import { Grants } from "../broker/grants.ts";
import { LabelBook } from "../broker/labels.ts";
import type { Rule } from "../broker/rules.ts";
import type { BackgroundCommands } from "../effect/background.ts";
import { Effects } from "../effect/effects.ts";
import { Name } from "../ipc/ids.ts";
import type { AnswerTo } from "../ipc/operator.ts";
import { Sandbox } from "../sandbox/sandbox.ts";
import { disksOf } from "./anchor-disks.ts";
import { placeParts } from "./place-parts.ts";
import { type CompositionParts, type Foundations, openFoundations } from "./foundations.ts";
import { agentDeskOf } from "./agent-parts.ts";
import { Agents } from "./agents.ts";
import { Anchors } from "./anchors.ts";
import { ApprovalDesk } from "./approval-desk.ts";
import { Budgets } from "./budgets.ts";
import { Channels } from "./channels.ts";
import type { TalkParts } from "./channel-talk.ts";
import { CommandWays } from "./command-ways.ts";
import type { ConfigFile } from "./config-file.ts";
import { ContinuousVerification } from "./continuous.ts";
import { placeNotes } from "./data-place.ts";
import { careForCredentials, type CredentialCare, enrolledProviders, withheldNow } from "./credential-parts.ts";
import { plainOf, secretOf } from "./credentials.ts";
import { EgressView } from "./egress-view.ts";
import { EvidenceExport } from "./evidence-export.ts";
import { roomOf } from "./disk.ts";
import type { McpAuthorizing } from "./mcp-authorizing.ts";
import type { McpDesk } from "./mcp-desk.ts";
import { mcpDesk, mcpInstaller } from "./mcp-desk-parts.ts";
import { skillParts } from "./skill-parts.ts";
import type { Skills } from "./skills.ts";
import type { Folders } from "./folders.ts";
import type { InstructionFiles } from "./instruction-files.ts";
import { carriedCredential, Fetches } from "./fetches.ts";
import type { Findings } from "./findings.ts";
import { Incidents } from "./incidents.ts";
import { Halts } from "./halts.ts";
import { type InForce, knowsAgent } from "./in-force.ts";
import { LabelDesk } from "./label-desk.ts";
import type { KeptRecords } from "./kept-records.ts";
import { LogKeys } from "./log-keys.ts";
import type { Keeping } from "./keeping.ts";
import { mcpParts } from "./mcp-parts.ts";
import type { McpRunning } from "./mcp-running.ts";
import { OFFLINE } from "./model-choice.ts";
import { ModelDesk } from "./model-desk.ts";
import { MessageFiles } from "./message-files.ts";
import { attestsItself } from "./model-choice.ts";
import { Models } from "./models.ts";
import { SessionDesk } from "./session-desk.ts";
import { SessionExport } from "./session-export.ts";
import { Operator } from "./operator.ts";
import { PROXY_SCOPE } from "./network.ts";
import { Outward } from "./outward.ts";
import type { People } from "./people.ts";
import { type By } from "./people.ts";
import { peopleDeskOf } from "./people-parts.ts";
import { Confined, rolesInOneWord } from "./confinement.ts";
import { Processes, type SecretOf } from "./processes.ts";
import { Recipients } from "./recipients.ts";
import { Remembered } from "./remembered.ts";
import { RecordView } from "./record-view.ts";
import { recoverySheet } from "./recovery-sheet.ts";
import { schedulesWith } from "./schedule-parts.ts";
import type { Schedules } from "./schedules.ts";
import { SearchDesk } from "./search-desk.ts";
import type { State } from "./state.ts";
import { Storage } from "./storage.ts";
import { type Greeting, statusOf } from "./status.ts";
import type { VaultKeeper } from "./vault-keeper.ts";
import { VaultRecovery } from "./vault-recovery.ts";
import { Undo } from "./undo.ts";
import { UndoCopies } from "../effect/undo-copies.ts";
import { Memory } from "./memory.ts";
import { networkNow, Wakefulness } from "./wakefulness.ts";
import { wordsSaid } from "./words-said.ts";
import { WebDoor } from "./web-door.ts";
import { WebLogin } from "./web-login.ts";

const SWEEP_MS = 60_000;

/** Everything that a daemon is made of, once log and vault are open: the one place where the parts meet. */
export class Composition {
  readonly operator: Operator;
  readonly channels: Channels;
  readonly models: Models;
  readonly web: WebDoor | null;
  readonly fetches: Fetches;
  readonly sandbox: Sandbox;
  readonly confined: Confined;
  readonly config: ConfigFile;
  readonly findings: Findings;
  readonly budgets: Budgets;
  readonly incidents: Incidents;
  readonly storage: Storage;
  readonly anchors: Anchors;
  /** Null for a command that runs without the daemon. */
  readonly verification: ContinuousVerification | null;
  readonly agents: Agents;
  readonly labels: LabelBook;
  readonly fileLabels: FileLabels;
  readonly folders: Folders;
  readonly instructions: InstructionFiles;
  readonly skills: Skills;
  readonly skillsNote: string | null;
  readonly mcp: McpRunning;
  readonly mcpDesk: McpDesk;
  readonly memory: Memory;
  /** How this machine's network is left. */
  readonly outward: Outward;
  readonly status: () => Promise<AnswerTo<"status">>;
  /** What a start says: the status without a question to the keychain, which takes a process. */
  readonly greeting: () => Greeting;
  readonly #parts: CompositionParts;
  readonly #state: State;
  readonly #desk: ApprovalDesk;
  readonly #kept: KeptRecords;
  /** Messages that the daemon of before died with. */
  readonly #unsent: CommittedRow[];
  readonly #people: People;
  readonly #halts: Halts;
  readonly #schedules: Schedules;
  readonly #refusals: Refusals;
  readonly #commands: BackgroundCommands;
  readonly #authorizing: McpAuthorizing;
  readonly #keeper: VaultKeeper;
  readonly #keeping: Keeping;
  readonly #care: CredentialCare;
  readonly #placeNotes: readonly string[];
  readonly #sweep: NodeJS.Timeout;
  readonly #wakefulness: Wakefulness;

  /** Opens the projection, brings it up to the log, and puts the parts together. Nothing is started yet. */
  static async open(parts: CompositionParts): Promise<Composition> {
    let composed: Composition | null = null;
    const untold = (error: unknown): void =>
      parts.line("audit", `after a finding: ${error instanceof Error ? error.message : String(error)}`);
    const made = await openFoundations(parts, {
      locking: async () => {
        await composed?.channels.lock();
        await composed?.models.lock();
        await composed?.mcp.lock();
        await composed?.proxyLocked();
      },
      unlocked: async () => await composed?.credentialsBack(),
      contentGone: () => composed?.memory.refresh(),
      endSession: async (session, who) => await composed?.endSession(session, who),
      configChanged: async () => await composed?.configChanged(),
      stop: () => void composed?.halt().catch(untold),
      lifted: () => void composed?.goOn().catch(untold),
    });
    composed = new Composition(parts, made);
    return composed;
  }

  private constructor(parts: CompositionParts, made: Foundations) {
    const { booted, home } = parts;
    const { log } = booted;
    this.#parts = parts;
    this.#state = made.state;
    this.#people = made.people;
    this.#kept = made.kept;
    this.#unsent = made.unsent;
    this.#keeper = made.keeper;
    this.config = made.config;
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
      stop: async (target, who) => {
        const commands = effects.background.endWhere(
          target.subject === "all"
            ? {}
            : target.subject === "agent"
              ? { agent: target.agent }
              : { session: target.session },
        );
        const turns = await this.channels.stopWhere(target, who);
        await commands;
        return turns;
      },
      knowsAgent: (agent) => knowsAgent(made.config.config, agent),
    });
    this.outward = new Outward({
      log,
      config: () => made.config.config,
      environment: parts.environment,
      processes: () => processes,
      cause: booted.starting,
      secret: (scope) => (this.#withheld(scope) === null ? this.#secretOf(scope) : null),
      line: parts.line,
    });
    const processes: Processes = new Processes({
      log,
      vault: () => made.keeper.vault,
      line: parts.line,
      lanes: this.outward.egress,
      certificates: () => this.outward.network.certificates,
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
      toolchains: () => made.config.config.toolchains,
      groups: parts.groups,
      ...(isSea() ? { launcher: [process.execPath] } : {}),
    });
    this.confined = new Confined({
      processes,
      sandbox: this.sandbox,
      commands: () => effects.running.list(),
      tried: async ({ roles, landlockAbi: landlock, missing }) => {
        await log.append(
          { kind: "confinement.tried", roles: rolesInOneWord(roles), landlock, missing: missing.length },
          {
            cause: booted.starting,
            ...(missing.length === 0 ? {} : { content: { missing: missing.map(({ layer }) => layer).join("\n") } }),
          },
        );
      },
      cause: booted.starting,
    });
    this.models = new Models({
      processes,
      config: () => made.config.config,
      key: (provider) => this.#secretOf(`provider/${provider}`),
      withheld: (provider) => this.#withheld(`provider/${provider}`)?.note ?? null,
    });
    const installer = mcpInstaller({
      log,
      home,
      sandbox: this.sandbox,
      lanes: this.outward.egress,
      config: () => made.config.config,
      certificates: () => this.outward.network.certificates,
    });
    const ways = new CommandWays({
      lanes: this.outward.egress,
      executable: isSea() ? process.execPath : null,
      local: () => made.config.config.network.local,
    });
    this.memory = new Memory({
      log,
      kept: () => made.state.placed("memory"),
      holds: made.holds,
      contentKey: async (scope) => await made.keeper.contentKey(scope),
      nameOf: (principal) => made.state.person(principal)?.name ?? null,
    });
    const skills = skillParts({
      log,
      state: made.state,
      processes,
      home,
      config: () => made.config.config,
      fetches: () => this.fetches,
      cause: booted.starting,
      changed: async () => await this.agents.skillsChanged(),
    });
    this.skills = skills.skills;
    this.skillsNote = skills.note;
    this.fetches = new Fetches({
      processes,
      config: () => made.config.config,
      credential: (scope) => carriedCredential(made.keeper.vault, scope),
    });
    const mcp = mcpParts({
      tree: async (server, digest) => await installer.open(server, digest),
      log,
      state: made.state,
      keeper: made.keeper,
      processes,
      sandbox: this.sandbox,
      ways,
      models: this.models,
      home,
      config: () => made.config.config,
      choice: (agent) => this.inForce.of(agent)?.choice ?? OFFLINE,
      credentials: () => this.#care.credentials,
      owner: () => ({ by: made.people.owner().principal, via: "terminal" }),
      line: parts.line,
      cause: booted.starting,
      changed: async () => await this.agents.skillsChanged(),
    });
    this.mcp = mcp.servers;
    const ours = { home: home.root, executable: process.execPath };
    const recipients = new Recipients(made.state);
    const planned = schedulesWith({
      log,
      state: made.state,
      people: made.people,
      halts: this.#halts,
      channels: () => this.channels,
      knowsAgent: (agent) => knowsAgent(made.config.config, agent),
      contentKey: async (scope) => await made.keeper.contentKey(scope),
      line: (sentence) => parts.line("schedules", sentence),
      serve: parts.serve,
    });
    this.#schedules = planned.schedules;
    const effects = new Effects(this.sandbox, ours, {
      models: this.models,
      attestations: this.models,
      ways,
      web: this.fetches,
      schedules: planned.desk.port,
      copies: new UndoCopies(log),
      memory: this.memory,
      skills: skills.use,
      mcp: mcp.use,
      messages: {
        recipients: (to, asking) => recipients.meant(to, asking),
        send: async ({ conversation, text }, files, session, cause) =>
          await this.channels.pass(conversation, session, text, cause, files),
      },
    });
    this.#commands = effects.background;
    const clock = systemClock;
    const grants = new Grants(log, clock, made.state.grantsHeld());
    const desk = new ApprovalDesk({
      log,
      clock,
      grants,
      state: made.state,
      people: made.people,
      line: parts.line,
      repeats: () => repeats,
      channels: () => this.channels,
    });
    this.#desk = desk;
    this.budgets = new Budgets({ log, state: made.state, clock, config: () => made.config.config });
    this.fileLabels = new FileLabels(log, () => made.state.labelledFiles());
    const rules = (): readonly Rule[] => made.config.config.policy.rules;
    const broker = new Broker({
      log,
      effects,
      approvals: desk.approvals,
      grants,
      budget: this.budgets.budget,
      sampling: mcp.sampling,
      clock,
      facts: this.models.facts,
      attested: () => made.config.config.policy.attested ?? null,
      unusable: (provider) => this.models.unusable(provider),
      attests: (provider) => attestsItself(made.config.config, provider),
      suspects: new Suspects(log, (session) => made.state.suspects(session)),
      rules,
      several: () => made.config.config.policy.twoPeople,
      files: this.fileLabels,
    });
    const { workspaces, folders, instructions } = placeParts({
      log,
      state: made.state,
      keeper: made.keeper,
      grants,
      files: this.fileLabels,
      home,
      ours,
      config: () => made.config.config,
      agents: () => this.agents,
    });
    this.folders = folders;
    this.instructions = instructions;
    const repeats = broker.repeats;
    this.labels = new LabelBook(log, (session) => ({
      labels: made.state.labelsOf(session),
      words: wordsSaid(log, made.state, session),
    }));
    this.agents = new Agents({
      labels: this.labels,
      log,
      state: made.state,
      processes,
      models: this.models,
      config: () => made.config.config,
      set: async (path, value) => await made.config.set(path, value),
      enrolled: () => enrolledProviders(made.keeper.vault),
      workspaces,
      folders,
      instructions: this.instructions,
      files: new MessageFiles({ log, ours, labels: this.fileLabels }),
      skills: (agent) => skills.use.listed(agent),
      mcp: mcp.inForce,
      halted: (agent, session) => this.#halts.over(agent, session),
      starting: booted.starting,
    });
    this.channels = new Channels({
      log,
      state: made.state,
      kept: made.kept,
      processes,
      config: made.config,
      secrets: (channel) => {
        const secret = this.#secretOf(`channel/${channel}`);
        if (secret === null) return { state: "no-credentials", note: `run wirken vault add ${channel}` };
        return this.#withheld(`channel/${channel}`) ?? [secret];
      },
      plain: (secret, name) => plainOf(made.keeper.vault, secret, name),
      worked: async (secret, account) => await this.#care.credentials.worked(secret, account),
      failed: async (secret) => await this.#care.credentials.failed(secret),
      renewals: () => this.#care.renewals,
      talk: (channel, agent): TalkParts => ({
        log,
        state: made.state,
        people: made.people,
        refusals: this.#refusals,
        agent,
        contentKey: async (scope) => await made.keeper.contentKey(scope),
        decide: async (ask) => await desk.decide(ask),
        waitingFor: (principal) => desk.approvals.list().filter(({ turn }) => turn.principal === principal).length,
        schedules: (principal) => planned.desk.of(principal),
        again: async (ask) => await desk.again(ask),
        now: () => Date.now(),
        run: (name, place) =>
          this.agents.runParts(name, broker, (event, payload) => {
            if (channel === "terminal" || channel === "web") this.channels.local(channel).emit(place, event, payload);
          }),
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
          back: async (id, query) => await managed.authorizing.back(id, query),
        })
      : null;
    this.#care = careForCredentials({
      log,
      keeper: made.keeper,
      people: made.people,
      state: made.state,
      config: made.config,
      outward: this.outward,
      models: this.models,
      channels: () => this.channels,
      agents: () => this.agents,
      kept: made.kept,
      serve: parts.serve,
      line: parts.line,
    });
    const { credentials, rotation, checks } = this.#care;
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
    const evidence = new EvidenceExport({ log, home, vault: booted.vault, now: () => Date.now() });
    this.incidents = new Incidents({
      log,
      state: made.state,
      vault: () => made.keeper.vault,
      halts: this.#halts,
      evidence,
      anchor: () => this.anchors.now(),
    });
    const managed = mcpDesk({
      log,
      home,
      config: () => made.config.config,
      set: async (path, value) => await made.config.set(path, value),
      servers: mcp.servers,
      installer,
      grants,
      hasCredential: (scope) => made.keeper.vault.credentials(scope).length > 0,
      dropCredential: async (scope, who) => await credentials.remove(scope, who),
      origin: () => this.web?.origin ?? null,
    });
    this.mcpDesk = managed.desk;
    this.#authorizing = managed.authorizing;
    this.operator = new Operator({
      mcp: managed.desk,
      labels: new LabelDesk({ log, state: made.state, labels: this.labels, files: this.fileLabels }),
      people: made.people,
      schedules: planned.desk,
      peopleDesk: peopleDeskOf({
        log,
        state: made.state,
        people: made.people,
        grants,
        approvals: desk,
        keeper: made.keeper,
        schedules: planned.schedules,
        folders,
        home: home.root,
        channels: () => this.channels,
        commands: effects.background,
        web: () => this.web,
      }),
      channels: this.channels,
      credentials,
      rotation,
      checks,
      approvals: desk,
      vault: made.keeper,
      record,
      findings: made.findings,
      evidence,
      incidents: this.incidents,
      anchors: this.anchors,
      keys: new LogKeys(log, made.keeper, made.history),
      recovery: new VaultRecovery({ keeper: made.keeper, log, home: home.root, now: () => Date.now() }),
      sheet: async () => recoverySheet({ log, vault: booted.vault, ...(await this.anchors.list()) }),
      keeping: made.keeping,
      halts: this.#halts,
      budgets: this.budgets,
      folders,
      agentDesk: agentDeskOf({
        log,
        state: made.state,
        agents: this.agents,
        config: made.config,
        grants,
        folders,
        memory: this.memory,
        instructions: this.instructions,
        workspaces,
        schedules: planned.desk,
        skills: () => skills.skills.names,
        channels: () => this.channels,
        halts: this.#halts,
        endSession: async (session, who) => await this.endSession(session, who),
      }),
      agentNames: () => this.agents.names.map((name) => Name.parse(name)),
      instructions: this.instructions,
      skills: skills.desk,
      memory: this.memory,
      sessions: new SessionDesk({
        log,
        state: made.state,
        end: async (session, who) => await this.endSession(session, who),
        exports: new SessionExport({ log, state: made.state, home: home.root }),
      }),
      undo: new Undo({ log, sandbox: this.sandbox }),
      confined: this.confined,
      egress: new EgressView({
        config: () => made.config.config,
        scopes: () => made.keeper.vault.credentials().map(({ scope }) => scope),
        provider: (agent) => this.inForce.of(agent)?.choice.provider ?? null,
        anchors: () => made.history.promised,
        channelReach: (channel) => this.channels.reachOf(channel),
        providerReach: (provider) => this.models.reachOf(provider),
        mcp: (server) => ({
          reach: this.mcp.reachOf(server),
          running: this.mcp.state(server)?.state === "up",
        }),
        holders: () => this.outward.egress.holders,
        commands: () => effects.running.list(),
        search: () => this.fetches.searchPlace,
        proxy: () => {
          const { proxy } = this.outward.network;
          if (proxy === null) return null;
          return { place: proxy.place, from: proxy.from, credential: this.outward.proxyCredential !== null };
        },
      }),
      searchDesk: new SearchDesk({ log, web: this.fetches, now: () => performance.now() }),
      modelDesk: new ModelDesk({
        log,
        models: this.models,
        agents: this.agents,
        config: () => made.config.config,
        set: async (path, value) => await made.config.set(path, value),
        enrolled: () => enrolledProviders(made.keeper.vault),
        now: () => performance.now(),
        today: () => new Date().toISOString().slice(0, 10),
      }),
      remembered: new Remembered({
        several: () => made.config.config.policy.twoPeople,
        rules,
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
    const statusParts = { ...parts, composition: this, processes, desk };
    this.status = async () => statusOf(statusParts, await made.keeper.status());
    this.greeting = () => statusOf(statusParts, { sentence: made.keeper.sentence });
    this.#wakefulness = new Wakefulness({
      wall: () => Date.now(),
      monotonic: () => performance.now(),
      network: networkNow,
      woke: (how) => {
        this.channels.wake();
        // Whoever could answer was not asked while the machine slept, and what it was about may be another thing now.
        if (how === "slept") void desk.approvals.expireAll();
      },
    });
    this.#sweep = setInterval(() => void this.#refusals.sweep().catch(() => undefined), SWEEP_MS);
    this.#sweep.unref();
  }

  get inForce(): InForce {
    return this.agents.inForce;
  }

  /** Everything that runs: the page, the channels, and what a crash left waiting. Nothing starts while a finding is open. */
  async serve(): Promise<void> {
    const { booted, serve } = this.#parts;
    const cause = booted.starting;
    if (serve) this.storage.start();
    if (!serve || this.findings.stopped !== null) return;
    // From here on what is before this start: the terminal and the page are answered already.
    await this.#desk.approvals.expireInterrupted(this.#state.questionsOpen().filter((row) => row < cause));
    await this.channels.align(cause);
    const told = await this.channels.recover(cause);
    // It waits for the channels to be connected: nothing else does.
    void this.channels.trace(this.#unsent.splice(0), told).catch(() => undefined);
    this.#schedules.start();
    this.#alignMcp();
    this.anchors.start(cause);
    // It waits for the channels to be connected: nothing else does.
    void this.#desk
      .closeLeft()
      .catch((error: unknown) =>
        this.#parts.line("approvals", `a card could not be updated: ${error instanceof Error ? error.name : "error"}`),
      );
    this.config.follow();
    this.outward.watch();
    this.#wakefulness.start();
    this.#keeping.retention.start();
    this.#care.dates.start();
    this.#care.checks.settle();
  }

  /** A finding: whatever runs ends. The log refuses every intent already; looking and stopping still work. */
  async halt(): Promise<void> {
    if (!this.#parts.serve) return;
    const commands = this.#commands.endWhere({});
    await this.#schedules.stop();
    await this.channels.halt({ by: this.#people.owner().principal, via: "terminal" });
    await this.mcp.close();
    await commands;
  }

  /** The finding is acknowledged. */
  async goOn(): Promise<void> {
    this.channels.reopen();
    await this.serve();
  }

  /** Puts the policy and every agent's settings in force. */
  async configure(cause: number | null): Promise<void> {
    const { rules, attested } = this.config.config.policy;
    await this.inForce.loadPolicy(
      { version: 2, ...effectivePolicy(), rules, ...(attested === undefined ? {} : { attested }) },
      cause,
    );
    await this.agents.configure(cause);
  }

  /** Starts the egress process where something is about to need it: it takes as long to start as whoever gets its lanes.
   *  @param when a channel connects at the start; a model is asked with the first message. */
  beginEgress(when: "at the start" | "when ready"): void {
    if (!this.#parts.serve || this.findings.stopped !== null) return;
    const talking = Object.entries(this.config.config.channels).some(
      ([name, { enabled }]) => enabled && this.#secretOf(`channel/${name}`) !== null,
    );
    if (talking || (when === "when ready" && (this.agents.reachOut || this.anchors.remote)))
      this.outward.egress.begin();
  }

  async configChanged(): Promise<void> {
    const moved = this.outward.reconfigure();
    await this.models.settingsChanged();
    await this.configure(null);
    await this.outward.egress.rebind();
    if (moved) await this.outward.egress.replace();
    this.#alignMcp();
    if (this.#parts.serve && this.findings.stopped === null) await this.channels.align(null);
  }

  /** Nobody waits for servers: some take long to end. */
  #alignMcp(): void {
    if (!this.#parts.serve || this.findings.stopped !== null) return;
    void this.mcp
      .align()
      .catch((error: unknown) => this.#parts.line("mcp", error instanceof Error ? error.message : "error"));
  }

  #secretOf(scope: string): SecretOf | null {
    return secretOf(this.#keeper.vault, scope);
  }

  /** Why a credential that is enrolled is not handed over. */
  #withheld(scope: string): ReturnType<typeof withheldNow> {
    return withheldNow(this.#keeper.vault, scope);
  }

  /** The vault is open again. */
  async credentialsBack(): Promise<void> {
    if (!this.#parts.serve || this.findings.stopped !== null) return;
    if (this.outward.proxyCredential !== null) await this.outward.egress.replace();
    this.#alignMcp();
    await this.channels.align(null);
    this.#care.checks.settle();
  }

  #recordingNotice(): string {
    const { content } = this.config.config.retention;
    const retention =
      this.config.config.retentionNote ??
      (content === null ? "until the owner erases it" : `and erased after ${content} days`);
    return `What you write here is recorded by ${this.#people.owner().name}, ${retention}.`;
  }

  /** The vault is locked now: nor does the egress process keep what it was given before. */
  async proxyLocked(): Promise<void> {
    if (this.#keeper.vault.locked && this.#secretOf(PROXY_SCOPE) !== null) await this.outward.proxyChanged();
  }

  get settings(): { people: People; state: State } {
    return { people: this.#people, state: this.#state };
  }

  /** What is halted, a sentence each. */
  haltNotes(): string[] {
    return this.#halts.notes();
  }

  /** What wants doing about the vault, a sentence each. */
  vaultNotes(): string[] {
    const { vault } = this.#keeper;
    const notes = [...this.#care.dates.notes(), ...this.#care.renewals.notes(), ...this.#placeNotes];
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
    await this.agents.forget(session);
  }

  /** Ends turns and children, in that order; what waits stays on the log for the next start. */
  async close(): Promise<void> {
    clearInterval(this.#sweep);
    this.#wakefulness.close();
    this.#care.dates.close();
    this.#care.checks.close();
    await this.verification?.close();
    await this.#keeping.retention.close();
    await this.storage.close();
    this.config[Symbol.dispose]();
    this.outward.shut();
    await this.#schedules.stop();
    await this.channels.close({ by: this.#people.owner().principal, via: "terminal" });
    await this.#kept.close();
    await this.#commands.endWhere({});
    await this.agents.close();
    await this.#authorizing.close();
    await this.mcp.close();
    await this.models.close();
    await this.anchors.close();
    await this.web?.close();
    await this.outward.close();
    await this.#refusals.close();
    this.memory.close();
  }

  /** After the log: its last rows are taken in too. */
  closeState(): void {
    this.#state.close();
  }
}
