import { decodeNamedBytes } from "../ipc/named-bytes.ts";
import type { AnswerTo, OperatorCall, OperatorEvent } from "../ipc/operator.ts";
import { isOfThePage } from "../ipc/page-calls.ts";
import type { LocalChannel } from "../ipc/channel.ts";
import type { AgentDesk } from "./agent-desk.ts";
import type { Anchors } from "./anchors.ts";
import type { Budgets } from "./budgets.ts";
import type { ApprovalDesk } from "./approval-desk.ts";
import type { Channels } from "./channels.ts";
import type { CredentialChecks } from "./credential-checks.ts";
import type { CredentialRotation } from "./credential-rotation.ts";
import type { Confined } from "./confinement.ts";
import type { Credentials } from "./credentials.ts";
import type { EgressView } from "./egress-view.ts";
import type { EvidenceExport } from "./evidence-export.ts";
import type { Folders } from "./folders.ts";
import type { InstructionFiles } from "./instruction-files.ts";
import type { Halts } from "./halts.ts";
import type { LabelDesk } from "./label-desk.ts";
import type { Incidents } from "./incidents.ts";
import type { Findings } from "./findings.ts";
import type { LogKeys } from "./log-keys.ts";
import type { Name } from "../ipc/ids.ts";
import type { McpDesk } from "./mcp-desk.ts";
import { OperatorError } from "./operator-error.ts";
import type { Keeping } from "./keeping.ts";
import type { ModelDesk } from "./model-desk.ts";
import type { By, People } from "./people.ts";
import type { PeopleDesk } from "./people-desk.ts";
import type { RecordView } from "./record-view.ts";
import type { Remembered } from "./remembered.ts";
import type { ScheduleDesk } from "./schedule-desk.ts";
import type { SkillDesk } from "./skill-desk.ts";
import type { Memory } from "./memory.ts";
import type { SessionDesk } from "./session-desk.ts";
import type { SearchDesk } from "./search-desk.ts";
import type { Undo } from "./undo.ts";
import type { VaultKeeper } from "./vault-keeper.ts";
import type { VaultRecovery } from "./vault-recovery.ts";
import type { WebDoor } from "./web-door.ts";

/** By which of their ways the owner calls; on the page, from which browser. */
export interface Caller {
  readonly via: LocalChannel;
  /** SHA-256 of the browser's session secret, hex. */
  readonly browser: string | null;
}

export type Emit = (event: OperatorEvent, payload?: Uint8Array) => void;

/** What acts, or gives somebody more than they had: none of it while a finding is open. Looking, stopping and taking away always work. */
const ACTS: ReadonlySet<OperatorCall["call"]> = new Set([
  "say",
  "approvals.decide",
  "approvals.again",
  "vault.add",
  "vault.rotate",
  "vault.check",
  "vault.remove",
  "vault.protect",
  "vault.rekey",
  "vault.recovery.create",
  "channel.enable",
  "channel.test",
  "grant.add",
  "budget.set",
  "incident.close",
  "folder.add",
  "instructions.accept",
  "skill.install",
  "skill.trust",
  "skill.trust-root",
  "mcp.install",
  "mcp.add",
  "mcp.enable",
  "mcp.test",
  "mcp.accept",
  "mcp.update",
  "mcp.update.take",
  "mcp.authorize",
  "models.test",
  "search.test",
  "models.use",
  "models.fall-back",
  "models.price.set",
  "agents.add",
  "agents.set",
  "agents.bind",
  "undo",
  "pair.approve",
  "people.role",
  "people.link",
  "people.transfer",
  "schedule.add",
  "schedule.resume",
  "schedule.run",
  "people.same-channel",
  "audit.checkpoint",
  "audit.anchor.add",
  "audit.key.rotate",
  // What is in question is not thrown away.
  "audit.erase",
  "audit.prune",
]);

/** Text of one message, UTF-8. */
const MAX_SAY_BYTES = 262_144;

export interface OperatorParts {
  readonly people: People;
  readonly peopleDesk: PeopleDesk;
  readonly schedules: ScheduleDesk;
  readonly channels: Channels;
  readonly credentials: Credentials;
  readonly rotation: CredentialRotation;
  readonly checks: CredentialChecks;
  readonly approvals: ApprovalDesk;
  readonly vault: VaultKeeper;
  readonly recovery: VaultRecovery;
  readonly sheet: () => Promise<AnswerTo<"recovery.sheet">>;
  readonly record: RecordView;
  readonly findings: Findings;
  readonly evidence: EvidenceExport;
  readonly anchors: Anchors;
  readonly keys: LogKeys;
  readonly keeping: Keeping;
  readonly egress: EgressView;
  readonly confined: Confined;
  readonly halts: Halts;
  readonly labels: LabelDesk;
  readonly incidents: Incidents;
  readonly budgets: Budgets;
  readonly folders: Folders;
  readonly agentDesk: AgentDesk;
  readonly agentNames: () => Name[];
  readonly instructions: InstructionFiles;
  readonly skills: SkillDesk;
  readonly mcp: McpDesk;
  readonly memory: Memory;
  readonly modelDesk: ModelDesk;
  readonly searchDesk: SearchDesk;
  readonly sessions: SessionDesk;
  readonly undo: Undo;
  readonly remembered: Remembered;
  /** Null where no page is served: a command that runs without the daemon. */
  readonly web: WebDoor | null;
  readonly status: () => Promise<AnswerTo<"status">>;
  readonly stop: () => void;
}

type Answers = { [C in OperatorCall["call"]]: AnswerTo<C> }[OperatorCall["call"]];

/** Does what the owner asks, whichever way they ask it. */
export class Operator {
  readonly #parts: OperatorParts;

  constructor(parts: OperatorParts) {
    this.#parts = parts;
  }

  /** @throws {OperatorError} with a sentence for the caller. */
  async answer(
    call: OperatorCall,
    payload: Uint8Array,
    caller: Caller,
    emit: Emit,
    signal: AbortSignal,
  ): Promise<Answers> {
    const { people, channels, credentials, approvals, vault, record } = this.#parts;
    const who: By = { by: people.owner().principal, via: caller.via };
    const { stopped } = this.#parts.findings;
    if (stopped !== null && ACTS.has(call.call))
      throw new OperatorError("not-ready", stopped, this.#parts.findings.hint);
    // A page that was taken over has no say in who can open the vault, in what is let out of it, or in what is kept.
    if (caller.via !== "terminal" && !isOfThePage(call.call))
      throw new OperatorError("refused", "this is done on the terminal only", "run it as a wirken command there");
    switch (call.call) {
      case "status":
        return await this.#parts.status();
      case "confinement":
        return await this.#parts.confined.look();
      case "daemon.stop":
        this.#parts.stop();
        return {};
      case "say": {
        if (payload.length === 0)
          throw new OperatorError("usage", "there is nothing to say", 'write it behind the command: wirken ask "…"');
        if (payload.length > MAX_SAY_BYTES)
          throw new OperatorError(
            "usage",
            `a message has at most ${MAX_SAY_BYTES} bytes; this one has ${payload.length}`,
          );
        return await channels.say(
          caller.via,
          call.agent,
          payload,
          call.fresh,
          caller.via === "terminal" ? emit : null,
          signal,
        );
      }
      case "grant.list":
        return this.#parts.remembered.list();
      case "grant.show":
        return this.#parts.remembered.show(call.grant);
      case "grant.add":
        return await this.#parts.remembered.add(call, who);
      case "grant.revoke":
        return await this.#parts.remembered.revoke(call.grant, who);
      case "policy.test":
        return this.#parts.remembered.test(call);
      case "search.test":
        return await this.#parts.searchDesk.test(who, signal);
      case "agents.list":
      case "agents.show":
      case "agents.add":
      case "agents.set":
      case "agents.bind":
      case "agents.leaving":
      case "agents.remove":
        return await this.#parts.agentDesk.answer(call, who);
      case "models.list":
      case "models.test":
      case "models.use":
      case "models.fall-back":
      case "models.price":
      case "models.price.set":
        return await this.#parts.modelDesk.answer(call, who, signal);
      case "session.list":
      case "session.show":
      case "session.replay":
      case "session.close":
      case "session.export":
        return await this.#parts.sessions.answer(call, who, signal);
      case "label.show":
        return this.#parts.labels.show();
      case "label.clear":
        return await this.#parts.labels.clear(call, who);
      case "halt.begin":
        return await this.#parts.halts.begin(call.target, call.reason, who);
      case "halt.end":
        return await this.#parts.halts.end(call.target, call.reason, who);
      case "undo":
        return await this.#parts.undo.undo(call, who);
      case "undo.list":
        return await this.#parts.undo.list();
      case "memory.list":
        return this.#parts.memory.list(call);
      case "memory.show":
        return this.#parts.memory.show(call.memory);
      case "memory.remove":
        return await this.#parts.memory.remove(call.memory, who);
      case "skill.list":
      case "skill.show":
      case "skill.verify":
      case "skill.look":
      case "skill.install":
      case "skill.remove":
      case "skill.trust":
      case "skill.trust-root":
      case "skill.untrust":
      case "skill.index":
      case "skill.read":
        return await this.#parts.skills.answer(call, payload, who);
      case "mcp.list":
      case "mcp.show":
      case "mcp.install":
      case "mcp.add":
      case "mcp.remove":
      case "mcp.enable":
      case "mcp.disable":
      case "mcp.test":
      case "mcp.tools":
      case "mcp.accept":
      case "mcp.update":
      case "mcp.update.take":
      case "mcp.update.leave":
      case "mcp.authorize":
      case "mcp.authorize.wait":
      case "mcp.authorize.back":
        return await this.#parts.mcp.answer(call, payload, who, signal);
      case "folder.add":
        return await this.#parts.folders.add(call, who);
      case "folder.list":
        return { ...this.#parts.folders.list(call.agent), agents: this.#parts.agentNames() };
      case "instructions.show":
        return this.#parts.instructions.show(call.agent);
      case "instructions.accept":
        return await this.#parts.instructions.accept(call, who);
      case "folder.remove":
        return await this.#parts.folders.remove(call, who);
      case "incident.open":
        return await this.#parts.incidents.open(call, who, signal);
      case "incident.show":
        return await this.#parts.incidents.show();
      case "incident.close":
        return await this.#parts.incidents.close(call, who);
      case "budget.show":
        return this.#parts.budgets.show();
      case "budget.set":
        return await this.#parts.budgets.set(call, who);
      case "usage.show":
        return this.#parts.budgets.usage(call);
      case "transcript":
        return record.transcript(caller.via, call.agent);
      case "session.stop":
        if (call.agent !== undefined)
          return { stopped: (await channels.stopWhere({ subject: "agent", agent: call.agent }, who)) > 0 };
        return { stopped: await channels.stopSession(call.session ?? channels.localSession(caller.via), who) };
      case "watch":
        await channels.watch(caller.via, emit, signal);
        return {};
      case "approvals.list":
        return { approvals: approvals.list(caller.via) };
      case "approvals.show":
        return approvals.show(call.approval, caller.via);
      case "approvals.again":
        return await approvals.again({ which: call.which, person: people.owner(), via: caller.via });
      case "approvals.decide": {
        const verdict = await approvals.decide({
          approval: call.approval,
          decision: call.decision,
          scope: call.scope,
          digest: call.card,
          reason: call.reason,
          person: people.owner(),
          via: caller.via,
        });
        if (verdict.state === "foreign" || verdict.state === "refused")
          throw new OperatorError("refused", verdict.sentence);
        return { state: verdict.state, sentence: verdict.sentence };
      }
      case "vault.add": {
        const candidate = decodeNamedBytes(payload);
        const given = {
          scope: call.scope,
          check: call.check,
          hosts: call.hosts ?? [],
          header: call.header ?? null,
          expires: call.expires ?? null,
          rotationDue: call.rotationDue ?? null,
        };
        try {
          // Not beside a rotation or a check of the same credential.
          return await this.#parts.rotation.alone(call.scope, async () => await credentials.add(given, candidate, who));
        } finally {
          for (const { bytes } of candidate) bytes.fill(0);
        }
      }
      case "vault.rotate":
        return await this.#parts.rotation.rotate(
          {
            scope: call.scope,
            check: call.check,
            hosts: call.hosts ?? null,
            header: call.header ?? null,
            expires: call.expires ?? null,
            rotationDue: call.rotationDue ?? null,
          },
          decodeNamedBytes(payload),
          who,
        );
      case "vault.check":
        return await this.#parts.checks.check(call.scope);
      case "vault.list":
        return { status: await vault.status(), ...credentials.list(call.after ?? null) };
      case "vault.remove":
        return { removed: await credentials.remove(call.scope, who) };
      case "vault.status":
        return await vault.status();
      case "vault.protect":
        return await vault.protect(call.protector, payload, who);
      case "vault.unlock":
        return await vault.unlock(payload);
      case "vault.lock":
        return await vault.lock(who);
      case "vault.rekey":
        return call.scope === null ? await vault.rekey(payload, who) : await vault.rekeyScope(call.scope, who);
      case "vault.recovery.create":
        return await this.#parts.recovery.create(payload, who);
      case "vault.backup":
        return await this.#parts.recovery.backup(call.out, payload, who);
      case "recovery.sheet":
        return await this.#parts.sheet();
      case "channel.list":
        return { channels: channels.list() };
      case "channel.status":
        return { channels: channels.status() };
      case "channel.test":
        return await channels.test(call.channel, signal);
      case "channel.enable":
        return await channels.enable(call.channel, who);
      case "channel.disable":
        return await channels.disable(call.channel, who);
      case "pair.list":
        return {
          people: people.list(),
          pending: people.pending(),
        };
      case "pair.approve": {
        if (caller.via === "web" && call.role === "owner") {
          throw new OperatorError(
            "refused",
            "an owner is made on the terminal only",
            `run: wirken pair approve ${call.code} --role owner`,
          );
        }
        const { person, channel, asked } = await people.approve(call.code, call.role, call.as, who);
        // They are in, whether or not they can be told.
        void channels.welcome(person, channel, asked).catch(() => undefined);
        return { principal: person.principal, name: person.name, role: person.role, channel };
      }
      case "pair.revoke":
      case "people.show":
      case "people.role":
      case "people.link":
      case "people.unlink":
      case "people.same-channel":
      case "people.remove":
      case "people.transfer":
      case "people.export":
        return await this.#parts.peopleDesk.answer(call, who);
      case "schedule.list":
      case "schedule.show":
      case "schedule.add":
      case "schedule.pause":
      case "schedule.resume":
      case "schedule.remove":
      case "schedule.run":
        return await this.#parts.schedules.answer(call, who);
      case "web.link":
        return await this.#web().link(caller.via);
      case "web.sessions":
        return { sessions: this.#web().sessions(caller.browser) };
      case "web.sessions.end":
        return { ended: await this.#web().end(call.session) };
      case "audit.rows":
        return await record.rows(call.filter, signal);
      case "audit.follow":
        await record.follow(
          call.after,
          call.filter,
          (row) => emit({ event: "row" }, Buffer.from(JSON.stringify(row))),
          signal,
        );
        return {};
      case "audit.explain":
        return await record.explain(call.seq, signal);
      case "policy.show":
        return await record.policy(call.seq, signal);
      case "people.report":
        return await record.people(call.at, signal);
      case "audit.verify":
        return await record.verify();
      case "audit.export":
        return await this.#parts.evidence.export(call, who, emit, signal);
      case "audit.checkpoint":
        return await record.checkpoint();
      case "audit.anchor.add":
        return await this.#parts.anchors.add(call, who);
      case "audit.anchor.list":
        return await this.#parts.anchors.list();
      case "audit.anchor.remove":
        return await this.#parts.anchors.remove(call.name, who);
      case "audit.key.show":
        return this.#parts.keys.show();
      case "audit.key.rotate":
        return await this.#parts.keys.rotate();
      case "audit.erase":
      case "audit.prune":
      case "hold.add":
      case "hold.list":
      case "hold.remove":
        return await this.#parts.keeping.answer(call, who);
      case "egress.show":
        return this.#parts.egress.show(call.process);
      case "audit.acknowledge":
        return { acknowledged: await record.acknowledge(call.reason, who) };
    }
  }

  #web(): WebDoor {
    if (this.#parts.web === null)
      throw new OperatorError(
        "not-ready",
        "the daemon is not running, so there is no page",
        "start it with: wirken start",
      );
    return this.#parts.web;
  }
}
