import type { ActionOf, Kind } from "../../audit/action.ts";
import type { CommittedRow } from "../../audit/log.ts";
import type { BudgetKind } from "./budget-sentences.ts";
import type { ChannelKind } from "./channel-sentences.ts";
import type { IncidentKind } from "./incident-sentences.ts";
import type { PeopleKind } from "./people-sentences.ts";
import { mcpSentence } from "./mcp-sentences.ts";
import { count, quoted, where } from "./row-words.ts";

/** Kinds that are about the log, the daemon, keys, people and what is kept, and not about one turn. */
type KeepingKind = Exclude<Kind, TurnKind | PeopleKind | BudgetKind | IncidentKind | ChannelKind>;
type TurnKind =
  | `${"turn" | "model" | "tool" | "injection" | "approval" | "grant" | "label" | "command" | "action" | "finding" | "egress" | "search"}.${string}`
  | "message.received"
  | "message.sent"
  | "message.delivered"
  | "message.failed"
  | "person.added"
  | "person.revoked"
  | "process.started"
  | "process.ready"
  | "process.ended"
  | "secret.used"
  | "daemon.starting";
type KeepingAction = { [K in KeepingKind]: ActionOf<K> }[KeepingKind];

/** What tells who somebody was, and a time in this machine's own. */
interface Tells {
  who(principal: string): string;
  moment(at: string): string;
}

const VAULT_CHANGES: Readonly<Record<ActionOf<"vault.changing">["change"], string>> = {
  add: "a credential is added to the vault",
  remove: "what the vault holds at this place, its key too, is to be destroyed",
  protect: "the vault gets a new master key",
  "content-key": "a key of content is made, or a former one destroyed",
  "log-key": "a key of the log is made, or a former one destroyed",
  account: "what a check said of a credential is kept with it",
  rollback: "a credential that did not work makes room for the one before",
  rekey: "a credential is sealed under a new key",
  recovery: "a recovery phrase is to open the vault",
};

/** One sentence about a row, without its number. A new kind does not compile until it has one here, or in `explain.ts`.
 *  @param at `on 2026-11-23 at 22:31`. */
export function keepingSentence(action: KeepingAction, row: CommittedRow, at: string, told: Tells): string {
  const { kind }: { readonly kind: string } = action;
  const by = "by" in action && action.by !== undefined ? told.who(action.by) : "somebody";
  const on = "via" in action && action.via !== undefined ? ` ${where(action.via)}` : "";
  switch (action.kind) {
    case "log.opened":
      return `the log began ${at}${action.predecessor === undefined ? "" : `, in the place of ${action.predecessor}, by ${by}${on}: ${quoted(row, "reason")}`}`;
    case "log.checkpointed":
      return `the log was signed up to here ${at} (${action.reason})`;
    case "key.rotated":
      return `key number ${action.epoch} took over the signing of the log ${at}`;
    case "clock.changed":
      return `the clock was found to have gone ${action.reason === "backwards" ? "back" : "ahead"} ${at}: it said ${told.moment(action.real)}`;
    case "log.verified":
      return `the whole log of ${count(action.size, "row")} was verified ${at}, with ${count(action.findings, "finding")}`;
    case "log.exporting":
      return `${by} asked${on} ${at} for an export of rows ${action.from} to ${action.to - 1}, with ${DISCLOSURE[action.disclosure]}, to ${quoted(row, "path")}`;
    case "log.exported":
      return `it was written ${at}: ${count(action.rows, "row")}, with the manifest ${action.digest}`;
    case "log.pruned":
      return `${by} had the bodies of ${count(action.rows, "row")} from ${action.from} to ${action.to - 1} taken out${on} ${at}`;
    case "anchor.added":
      return `${by} added the anchor ${action.anchor} (${action.type})${on} ${at}`;
    case "anchor.removed":
      return `${by} removed the anchor ${action.anchor}${on} ${at}`;
    case "anchor.reached":
      return `the anchor ${action.anchor} answered ${at}, and holds ${count(action.size, "row")}`;
    case "anchor.failed":
      return `the anchor ${action.anchor} failed ${at} (${action.reason}): ${quoted(row, "error")}`;
    case "storage.exhausted":
      return `the disk was full ${at}`;
    case "storage.recovered":
      return `the disk had room again ${at}`;
    case "database.migrated":
      return `${action.database}.db was brought from format ${action.from} to ${action.to} ${at}`;
    case "daemon.started":
      return `the daemon ${action.version} was up ${at}, on ${action.system}`;
    case "daemon.stopped":
      return `the daemon stopped ${at} (${action.reason})`;
    case "sandbox.probed":
      return `the sandbox was tried ${at}: it ${action.state === "works" ? "works" : `is ${action.state}`}`;
    case "confinement.tried":
      return `the walls were tried ${at}: ${action.missing === 0 ? "every one stands" : `${action.missing} missing`}`;
    case "config.loaded":
      return `the configuration was read ${at}`;
    case "config.refused":
      return `the configuration was not taken ${at}: ${quoted(row, "error")}`;
    case "policy.loaded":
      return `the policy ${action.digest.slice(0, 16)} came into force ${at}`;
    case "agent.configured":
      return `agent ${action.agent} became ${action.provider}/${action.model} ${at}`;
    case "channel.enabled":
      return `${by} enabled ${action.channel}${on} ${at}`;
    case "channel.disabled":
      return `${by} disabled ${action.channel}${on} ${at}`;
    case "process.unready":
      return `it did not become ready ${at} (${action.reason})`;
    case "vault.changing":
      return `${VAULT_CHANGES[action.change]} ${at}: ${action.scope}`;
    case "vault.changed":
      return `that was done ${at}`;
    case "vault.change.abandoned":
      return `that was not done, as was found ${at}`;
    case "vault.opened":
      return `the vault was opened ${at} (${action.protector})`;
    case "vault.protected":
      return `${by} chose what protects the vault${on} ${at}: ${action.protector}`;
    case "vault.locked":
      return `${by} locked the vault${on} ${at}`;
    case "vault.recovery.created":
      return `${by} made a recovery phrase${on} ${at}`;
    case "vault.recovered":
      return `the recovery phrase opened the vault ${at}`;
    case "vault.backup":
      return `${by} had the vault backed up${on} ${at}, to open with ${OPENS[action.opens]}: ${quoted(row, "path")}`;
    case "vault.reset":
      return `${by} put an empty vault in the place of one with ${count(action.credentials, "credential")}${on} ${at}`;
    case "vault.restored":
      return `${by} made this vault${on} ${at} from a backup of ${told.moment(action.made)}, with ${count(action.credentials, "credential")}`;
    case "vault.refused":
      return `the vault was not opened ${at} (${action.reason})`;
    case "credential.added":
      return `${by} enrolled version ${action.version} of ${action.scope}${on} ${at}`;
    case "credential.removed":
      return `${by} removed ${action.scope}${on} ${at}`;
    case "credential.confirmed":
      return `version ${action.version} of ${action.scope} worked ${at}, and those before it were destroyed`;
    case "credential.rolledback":
      return `version ${action.version} of ${action.scope} did not work ${at}; the one before is in force again, as version ${action.to}`;
    case "credential.renewing":
      return `the platform of ${action.scope} was asked for version ${action.version} of it ${at}`;
    case "credential.renewed":
      return `it gave version ${action.version} ${at}`;
    case "credential.due":
      return `the time of ${action.scope} was near or past ${at} (${action.what}: ${told.moment(action.at)})`;
    case "credential.rekeyed":
      return `${by} had ${action.scope} sealed under a new key${on} ${at}`;
    case "credential.checked":
      return `its platform was asked about ${action.scope} ${at}: ${action.result}`;
    case "secret.handed":
      return `it was handed over ${at}`;
    case "identity.linked":
      return `${told.who(action.principal)} became known on ${action.channel} ${at}`;
    case "pair.requested":
      return `somebody asked on ${action.channel} to be let in ${at}`;
    case "pair.invited":
      return `${by} invited ${action.principal === undefined ? "somebody" : told.who(action.principal)} on ${action.channel}${on} ${at}`;
    case "pair.approved":
      return `${by} let ${told.who(action.principal)} in as ${action.role}${on} ${at}`;
    case "message.refused":
      return `${count(action.times, "message")} on ${action.channel} ${action.times === 1 ? "was" : "were"} refused up to ${at} (${action.reason})`;
    case "refused.flood":
      return `${count(action.times, "more message")} on ${action.channel} were refused up to ${at}, too many to be told one by one`;
    case "web.link.made":
      return `a link to the page was made${on} ${at}`;
    case "web.login":
      return `somebody logged in on the page ${at}`;
    case "web.login.refused":
      return `${count(action.times, "login")} on the page ${action.times === 1 ? "was" : "were"} refused up to ${at} (${action.reason})`;
    case "web.session.ended":
      return `a login on the page ended ${at} (${action.reason})`;
    case "content.erasing":
      return action.subject === "retention"
        ? `what is older than it may become was to be erased ${at}, as ${by} configured`
        : `${by} asked${on} ${at} for ${action.principal ?? action.session ?? "something"} to be erased: ${quoted(row, "reason")}`;
    case "content.erased":
      return `it was erased ${at}: ${count(action.parts, "piece")} of content, ${count(action.sessions, "session")} with its key`;
    case "hold.added":
      return `${by} put ${action.session ?? action.principal ?? "a span of time"} on hold${on} ${at}: ${quoted(row, "reason")}`;
    case "hold.removed":
      return `${by} lifted a hold${on} ${at}`;
    case "retention.applied":
      return `retention was applied ${at}: ${action.removed} of ${action.store} from before ${told.moment(action.before)} went, and ${action.held} on hold stayed`;
    case "conversation.opened":
      return `a conversation (${action.talk}) was begun ${where(action.channel)} ${at}`;
    case "session.opened":
      return `a session with agent ${action.agent} began ${where(action.channel)} ${at}`;
    case "session.closed":
      return `a session ended ${at} (${action.reason})`;
    case "agent.changed":
      return `${by} ${{ added: "made agent", set: "changed settings of agent", bound: "changed where to be answered by agent" }[action.change]} ${action.agent}${on} ${at}`;
    case "agent.removed":
      return `${by} removed agent ${action.agent}${on} ${at}, and with it ${count(action.folders, "folder")}, ${count(action.grants, "grant")}, ${count(action.schedules, "schedule")}, ${count(action.memories, "thing")} that it remembered and ${count(action.sessions, "session")}`;
    case "instructions.withdrawn":
      return `a file of instructions is told no more ${at}: ${by} removed the agent`;
    case "folder.added":
      return `${by} made the folder ${quoted(row, "path")} part of agent ${action.agent}'s workspace as ${action.name}, to be ${action.access === "write" ? "changed" : "read"}${on} ${at}`;
    case "folder.removed":
      return `${by} took a folder out of a workspace${on} ${at}`;
    case "instructions.waiting":
      return `${action.name} of agent ${action.agent} was ${action.state} ${at}, and waited for the owner to look at it: ${quoted(row, "path")}`;
    case "instructions.accepted":
      return `${by} looked at ${action.name} of agent ${action.agent}${on} ${at}, which it is told from then on: ${quoted(row, "path")}`;
    case "skill.trusted":
      return `${by} vouched for ${action.of === "root" ? `the root certificate ${action.fingerprint?.slice(0, 16) ?? ""}` : `the key ${keyName(action.vkey ?? row.content("vkey"))}`}${on} ${at}: it may sign skills of the name ${action.names}${action.until === null ? "" : ` until ${told.moment(action.until)}`}${action.own === "yes" ? ", as the owner's own word" : ""}`;
    case "skill.untrusted":
      return `${by} withdrew trust from a key or root that signs skills${on} ${at}`;
    case "skill.installed":
      return `${by} accepted what the skill ${action.name} ${action.version} wants${on} ${at} (its files: ${action.digest.slice(0, 12)})`;
    case "skill.index.read":
      return `list number ${action.number} of skills was read ${at}, signed by ${keyName(action.vkey ?? row.content("vkey"))}`;
    case "skill.removed":
      return `${by} removed a skill${on} ${at}`;
    case "skill.refused":
      return `the skill ${quoted(row, "name")} was refused ${at} (${action.reason}): ${quoted(row, "why")}`;
    case "mcp.installing":
    case "mcp.installed":
    case "mcp.configured":
    case "mcp.removed":
    case "mcp.altered":
    case "mcp.authorized":
    case "mcp.started":
    case "mcp.running":
    case "mcp.listed":
    case "mcp.ended":
    case "mcp.tools-accepted":
    case "mcp.asked":
    case "mcp.told":
      return mcpSentence(action, row, by, `${on === "" ? "" : `${on.trim()} `}${at}`);
    case "memory.written":
      return `agent ${action.agent} kept something for ${told.who(action.principal)} ${at}${action.untrusted === "yes" ? ", which may hold somebody else's words" : ""}: ${quoted(row, "text")}`;
    case "memory.removed":
      return `${by} had something removed from memory${on} ${at}`;
    case "undo.kept":
      return `${count(action.files, "file")} that it changed ${action.files === 1 ? "was" : "were"} kept as before ${at}, so that the turn can be taken back${action.beyond === 0 ? "" : `; ${action.beyond} of them could not be kept`}`;
    case "undo.begun":
      return `${by} had what the turn did to ${count(action.files, "file")} taken back${on} ${at}${action.force === "yes" ? ", also where somebody had changed them since" : ""}`;
    case "undo.done":
      return `${count(action.restored, "file")} ${action.restored === 1 ? "was" : "were"} put back ${at}; ${action.conflicts} had been changed since and stayed, ${action.failed} could not be put back`;
    case "halt.begun":
      return `${by} halted ${halted(action)}${on} ${at}: ${quoted(row, "reason")}`;
    case "halt.ended":
      return `${by} ended a halt${on} ${at}`;
    default:
      // A row of a newer build's.
      action satisfies never;
      return `${kind} ${at}`;
  }
}

/** The name in a public key. */
function keyName(vkey: string | null): string {
  return vkey === null ? "[erased]" : (vkey.split("+")[0] ?? "");
}

const DISCLOSURE: Readonly<Record<"none" | "commitments" | "full", string>> = {
  none: "no content",
  commitments: "commitments to content",
  full: "content",
};

const OPENS: Readonly<Record<"phrase" | "passphrase" | "both", string>> = {
  phrase: "the recovery phrase",
  passphrase: "a passphrase",
  both: "the recovery phrase, or a passphrase",
};

function halted({ subject, agent, session }: ActionOf<"halt.begun">): string {
  if (subject === "all") return "everything";
  return subject === "agent" ? `agent ${agent ?? ""}` : `the session ${session ?? ""}`;
}
