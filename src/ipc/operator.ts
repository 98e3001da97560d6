import * as z from "zod/mini";
import { AGENT_ANSWERS, AGENT_CALLS } from "./agent-calls.ts";
import { AUDIT_ANSWERS, AUDIT_CALLS } from "./audit-calls.ts";
import { CONFINEMENT_ANSWERS, CONFINEMENT_CALLS } from "./confinement-calls.ts";
import { EGRESS_ANSWERS, EGRESS_CALLS } from "./egress-calls.ts";
import { AdapterChannel } from "./channel.ts";
import { ApprovalId, ConversationId, Name, PairingId, PrincipalId, SessionId, WebSessionId } from "./ids.ts";
import { GRANT_ANSWERS, GRANT_CALLS } from "./grant-calls.ts";
import { UNDO_ANSWERS, UNDO_CALLS } from "./undo-calls.ts";
import { MEMORY_ANSWERS, MEMORY_CALLS } from "./memory-calls.ts";
import { SKILL_ANSWERS, SKILL_CALLS } from "./skill-calls.ts";
import { MCP_ANSWERS, MCP_CALLS } from "./mcp-calls.ts";
import { FOLDER_ANSWERS, FOLDER_CALLS } from "./folder-calls.ts";
import { INSTRUCTION_ANSWERS, INSTRUCTION_CALLS } from "./instruction-calls.ts";
import { BUDGET_ANSWERS, BUDGET_CALLS } from "./budget-calls.ts";
import { INCIDENT_ANSWERS, INCIDENT_CALLS } from "./incident-calls.ts";
import { HALT_ANSWERS, HALT_CALLS } from "./halt-calls.ts";
import { PairingCode, PEOPLE_ANSWERS, PEOPLE_CALLS, Role } from "./people-calls.ts";
import { MODEL_ANSWERS, MODEL_CALLS } from "./model-calls.ts";
import { SEARCH_ANSWERS, SEARCH_CALLS } from "./search-calls.ts";
import { SESSION_ANSWERS, SESSION_CALLS } from "./session-calls.ts";
import { SCHEDULE_ANSWERS, SCHEDULE_CALLS } from "./schedule-calls.ts";
import { LABEL_ANSWERS, LABEL_CALLS } from "./label-calls.ts";
import { VAULT_ANSWERS, VAULT_CALLS, VaultStatus } from "./vault-calls.ts";

/** What the owner may ask of the supervisor: the same words from the terminal and from the page. Who asked is a property of the pipe. */

export { Role } from "./people-calls.ts";

/** How far an approval reaches. */
export const ApprovalScope = z.enum(["once", "session", "always"]);
export type ApprovalScope = z.infer<typeof ApprovalScope>;

export const OperatorCall = z.discriminatedUnion("call", [
  z.strictObject({ call: z.literal("status") }),
  z.strictObject({ call: z.literal("daemon.stop") }),
  /** Says something; the payload is the text. Events stream until the turn ends. `agent` null: who answers where the caller is. `fresh` starts a new session. */
  z.strictObject({ call: z.literal("say"), agent: z.nullable(Name), fresh: z.boolean() }),
  /** What was said so far in this caller's conversation with the agent. */
  z.strictObject({ call: z.literal("transcript"), agent: Name }),
  /** Ends the running turn of a session (of the caller's own where null). */
  z.strictObject({
    call: z.literal("session.stop"),
    session: z.nullable(SessionId),
    /** Instead of a session: whatever this agent is doing, in all of them. */
    agent: z.optional(Name),
  }),
  /** Events of this caller (texts, approvals, changes) until the pipe closes. */
  z.strictObject({ call: z.literal("watch") }),
  z.strictObject({ call: z.literal("approvals.list") }),
  z.strictObject({ call: z.literal("approvals.show"), approval: ApprovalId }),
  z.strictObject({
    call: z.literal("approvals.decide"),
    approval: ApprovalId,
    decision: z.enum(["approve", "deny"]),
    scope: ApprovalScope,
    /** SHA-256 in hex of the card that the person saw: another card is not what they approved. */
    card: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
    /** Told to the model when denied. */
    reason: z.nullable(z.string().check(z.maxLength(500))),
  }),
  /** Has what nobody answered in time asked again, where it was asked. By its id or its code. */
  z.strictObject({ call: z.literal("approvals.again"), which: z.string().check(z.minLength(1), z.maxLength(64)) }),
  z.strictObject({ call: z.literal("channel.list") }),
  z.strictObject({ call: z.literal("channel.status") }),
  z.strictObject({ call: z.literal("channel.test"), channel: AdapterChannel }),
  z.strictObject({ call: z.literal("channel.enable"), channel: AdapterChannel }),
  z.strictObject({ call: z.literal("channel.disable"), channel: AdapterChannel }),
  z.strictObject({ call: z.literal("pair.list") }),
  z.strictObject({
    call: z.literal("pair.approve"),
    code: PairingCode,
    role: Role,
    as: z.nullable(z.string().check(z.minLength(1), z.maxLength(100))),
  }),
  z.strictObject({ call: z.literal("pair.revoke"), principal: PrincipalId }),
  z.strictObject({ call: z.literal("web.link") }),
  z.strictObject({ call: z.literal("web.sessions") }),
  z.strictObject({ call: z.literal("web.sessions.end"), session: WebSessionId }),
  ...AGENT_CALLS,
  ...PEOPLE_CALLS,
  ...SCHEDULE_CALLS,
  ...HALT_CALLS,
  ...INCIDENT_CALLS,
  ...BUDGET_CALLS,
  ...FOLDER_CALLS,
  ...INSTRUCTION_CALLS,
  ...SKILL_CALLS,
  ...MCP_CALLS,
  ...MEMORY_CALLS,
  ...UNDO_CALLS,
  ...GRANT_CALLS,
  ...LABEL_CALLS,
  ...VAULT_CALLS,
  ...AUDIT_CALLS,
  ...EGRESS_CALLS,
  ...CONFINEMENT_CALLS,
  ...MODEL_CALLS,
  ...SEARCH_CALLS,
  ...SESSION_CALLS,
]);
export type OperatorCall = z.infer<typeof OperatorCall>;
export type CallName = OperatorCall["call"];

const Time = z.string().check(z.maxLength(24));

const ProcessView = z.strictObject({
  role: z.string(),
  subject: z.nullable(z.string()),
  pid: z.int(),
  since: Time,
  restarts: z.int(),
  state: z.enum(["starting", "ready", "stopping"]),
});

const ChannelView = z.strictObject({
  channel: z.string(),
  enabled: z.boolean(),
  /** `no-credentials`: enabled, and nothing in the vault. `locked`: the vault is. */
  state: z.enum([
    "connected",
    "connecting",
    "reconnecting",
    "refused",
    "disabled",
    "no-credentials",
    "locked",
    "failed",
  ]),
  account: z.nullable(z.string()),
  /** One sentence when something is to be done. */
  note: z.nullable(z.string()),
});

/** How it has been since this start of the daemon. */
const ChannelHealthView = z.strictObject({
  connectedSince: z.nullable(Time),
  lastIn: z.nullable(Time),
  lastOut: z.nullable(Time),
  /** Messages that had come before and were let go. */
  redelivered: z.int(),
  /** Messages that did not arrive, or of which nobody can tell. */
  failed: z.int(),
  /** In the platform's words. */
  lastError: z.nullable(z.string()),
  /** What its process said of itself, the newest last. */
  notices: z.array(z.strictObject({ at: Time, about: z.string(), sentence: z.string() })),
});
export type ChannelHealthView = z.infer<typeof ChannelHealthView>;

export const ApprovalView = z.strictObject({
  approval: ApprovalId,
  /** Typed where there are no buttons. */
  code: z.string(),
  at: Time,
  expires: Time,
  session: SessionId,
  agent: z.string(),
  requester: z.string(),
  channel: z.string(),
  key: z.string(),
  tier: z.int(),
  /** The complete card: what is shown is what runs. */
  card: z.string(),
  /** SHA-256 of the card's UTF-8, hex. */
  digest: z.string(),
  /** The scopes that may be chosen here, each with what it would cover, in words. */
  scopes: z.array(z.strictObject({ scope: ApprovalScope, means: z.string() })),
  /** May the asker of this list decide it here? If not, where it can be decided. */
  decidable: z.boolean(),
  elsewhere: z.nullable(z.string()),
});
export type ApprovalView = z.infer<typeof ApprovalView>;

export const PairView = z.strictObject({
  people: z.array(
    z.strictObject({
      principal: z.string(),
      name: z.string(),
      role: Role,
      identities: z.array(z.strictObject({ channel: z.string(), id: z.string(), name: z.string() })),
    }),
  ),
  pending: z.array(
    z.strictObject({
      pairing: PairingId,
      code: z.string(),
      channel: z.string(),
      id: z.string(),
      name: z.string(),
      expires: Time,
    }),
  ),
});

/** What each call answers with, as the JSON payload of its `answer`. */
export const OPERATOR_ANSWERS = {
  status: z.strictObject({
    version: z.string(),
    build: z.string(),
    pid: z.int(),
    since: Time,
    home: z.string(),
    web: z.nullable(z.string()),
    vault: VaultStatus,
    /** Of the agent that the page begins with. */
    model: z.strictObject({ agent: Name, ref: z.string(), note: z.nullable(z.string()) }),
    /** All of them. */
    agents: z.array(z.strictObject({ agent: Name, ref: z.string() })),
    channels: z.array(ChannelView),
    sandbox: z.strictObject({ works: z.boolean(), note: z.nullable(z.string()) }),
    /** Whom web searches are asked of, or why of nobody. */
    search: z.string(),
    log: z.strictObject({ rows: z.int(), checkpoint: z.int(), stopped: z.nullable(z.string()) }),
    /** Is there room for the record? `exhausted`: nothing runs. */
    storage: z.strictObject({ state: z.enum(["good", "low", "exhausted"]), sentence: z.nullable(z.string()) }),
    /** What everything but this machine's own is reached through, and who said so; null: directly. */
    proxy: z.nullable(z.string()),
    processes: z.array(ProcessView),
    pendingApprovals: z.int(),
    notes: z.array(z.string()),
  }),
  "daemon.stop": z.strictObject({}),
  say: z.strictObject({
    session: SessionId,
    end: z.enum(["done", "stopped", "rounds", "failed", "budget", "time", "died", "denied", "halted"]),
  }),
  transcript: z.strictObject({
    session: z.nullable(SessionId),
    entries: z.array(
      z.strictObject({ who: z.enum(["person", "agent", "notice", "tool"]), at: Time, text: z.string() }),
    ),
  }),
  "session.stop": z.strictObject({ stopped: z.boolean() }),
  watch: z.strictObject({}),
  "approvals.list": z.strictObject({ approvals: z.array(ApprovalView) }),
  "approvals.show": ApprovalView,
  "approvals.decide": z.strictObject({
    /** `counted`: approved by one of those who have to. */
    state: z.enum(["approved", "counted", "denied", "expired", "gone"]),
    sentence: z.string(),
  }),
  "approvals.again": z.strictObject({ again: z.boolean(), sentence: z.string() }),
  "channel.list": z.strictObject({ channels: z.array(ChannelView) }),
  "channel.status": z.strictObject({
    channels: z.array(z.strictObject({ channel: ChannelView, health: ChannelHealthView })),
  }),
  /** `answered`: the owner wrote back in time. */
  "channel.test": z.strictObject({
    state: z.enum(["answered", "unanswered", "failed"]),
    sentence: z.string(),
  }),
  "channel.enable": ChannelView,
  "channel.disable": ChannelView,
  "pair.list": PairView,
  "pair.approve": z.strictObject({ principal: PrincipalId, name: z.string(), role: Role, channel: z.string() }),
  "pair.revoke": PEOPLE_ANSWERS["people.remove"],
  "web.link": z.strictObject({ link: z.string(), until: Time }),
  "web.sessions": z.strictObject({
    sessions: z.array(
      z.strictObject({ session: WebSessionId, since: Time, last: Time, until: Time, current: z.boolean() }),
    ),
  }),
  "web.sessions.end": z.strictObject({ ended: z.boolean() }),
  ...AGENT_ANSWERS,
  ...PEOPLE_ANSWERS,
  ...SCHEDULE_ANSWERS,
  ...HALT_ANSWERS,
  ...INCIDENT_ANSWERS,
  ...BUDGET_ANSWERS,
  ...FOLDER_ANSWERS,
  ...INSTRUCTION_ANSWERS,
  ...SKILL_ANSWERS,
  ...MCP_ANSWERS,
  ...MEMORY_ANSWERS,
  ...UNDO_ANSWERS,
  ...GRANT_ANSWERS,
  ...LABEL_ANSWERS,
  ...VAULT_ANSWERS,
  ...AUDIT_ANSWERS,
  ...EGRESS_ANSWERS,
  ...CONFINEMENT_ANSWERS,
  ...MODEL_ANSWERS,
  ...SEARCH_ANSWERS,
  ...SESSION_ANSWERS,
} as const satisfies Record<CallName, z.ZodMiniType>;
export type AnswerTo<C extends CallName> = z.infer<(typeof OPERATOR_ANSWERS)[C]>;

/** What a caller of `say` or `watch` is told meanwhile. Text pieces are the payload of their frame. */
export const OperatorEvent = z.discriminatedUnion("event", [
  /** The turn began; the session it runs in. */
  z.strictObject({ event: z.literal("turn"), session: SessionId, conversation: ConversationId }),
  /** A piece of the agent's reply (payload). */
  z.strictObject({ event: z.literal("text") }),
  /** The reply is complete. */
  z.strictObject({ event: z.literal("text.end") }),
  /** A line that is not the agent's: a refusal, a limit, a failure, a tool at work (payload). */
  z.strictObject({ event: z.literal("notice"), about: z.enum(["tool", "refusal", "failure", "info"]) }),
  z.strictObject({ event: z.literal("approval"), approval: ApprovalView }),
  z.strictObject({
    event: z.literal("approval.closed"),
    approval: ApprovalId,
    state: z.enum(["approved", "denied", "expired"]),
    sentence: z.string(),
    /** It can be asked again. */
    again: z.optional(z.boolean()),
  }),
  z.strictObject({ event: z.literal("turn.end"), end: z.string() }),
  /** How far a long call is. */
  z.strictObject({ event: z.literal("progress"), done: z.int(), of: z.int() }),
  /** A row of the log that is followed (payload: a `RowView` as JSON). */
  z.strictObject({ event: z.literal("row") }),
]);
export type OperatorEvent = z.infer<typeof OperatorEvent>;

/** Why a call was not done; `sentence` and `hint` are shown as they are. The status is the command line's (architecture §8). */
export const OperatorFailure = z.strictObject({
  code: z.enum(["usage", "not-found", "not-ready", "locked", "refused", "bad-answer", "stopped", "bug"]),
  sentence: z.string().check(z.maxLength(2000)),
  hint: z.nullable(z.string().check(z.maxLength(2000))),
});
export type OperatorFailure = z.infer<typeof OperatorFailure>;
