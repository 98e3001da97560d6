import { randomBytes } from "node:crypto";
import * as z from "zod/mini";

/** Crockford's base 32 in lower case: no i, l, o, u, so an id read aloud is not misheard. */
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const LENGTH = 26;

/** What an id minted by us may stand for, by its prefix. Ids are assignable to string and never hold anything from outside. */
const PREFIX = {
  principal: "p",
  session: "s",
  conversation: "c",
  message: "m",
  turn: "t",
  call: "k",
  approval: "ap",
  grant: "g",
  pairing: "pr",
  process: "x",
  web: "w",
  hold: "h",
  halt: "ha",
  export: "e",
  erasure: "er",
  schedule: "sc",
  folder: "fo",
  undo: "un",
  memory: "me",
  command: "cm",
  incident: "in",
  instructions: "it",
  skill: "sk",
  skillKey: "ke",
} as const;
type Kind = keyof typeof PREFIX;

function idOf<K extends Kind>(kind: K) {
  return z
    .string()
    .check(z.regex(new RegExp(`^${PREFIX[kind]}_[${ALPHABET}]{${LENGTH}}$`)))
    .brand<K>();
}

export const PrincipalId = idOf("principal");
export type PrincipalId = z.infer<typeof PrincipalId>;
export const SessionId = idOf("session");
export type SessionId = z.infer<typeof SessionId>;
export const ConversationId = idOf("conversation");
export type ConversationId = z.infer<typeof ConversationId>;
export const MessageId = idOf("message");
export type MessageId = z.infer<typeof MessageId>;
export const IncidentId = idOf("incident");
export type IncidentId = z.infer<typeof IncidentId>;
const InstructionsId = idOf("instructions");
type InstructionsId = z.infer<typeof InstructionsId>;
export const TurnId = idOf("turn");
export type TurnId = z.infer<typeof TurnId>;
export const CallId = idOf("call");
export type CallId = z.infer<typeof CallId>;
export const ApprovalId = idOf("approval");
export type ApprovalId = z.infer<typeof ApprovalId>;
export const GrantId = idOf("grant");
export type GrantId = z.infer<typeof GrantId>;
export const SkillId = idOf("skill");
export type SkillId = z.infer<typeof SkillId>;
export const SkillKeyId = idOf("skillKey");
export type SkillKeyId = z.infer<typeof SkillKeyId>;
export const PairingId = idOf("pairing");
export type PairingId = z.infer<typeof PairingId>;
export const ProcessId = idOf("process");
export type ProcessId = z.infer<typeof ProcessId>;
export const WebSessionId = idOf("web");
export type WebSessionId = z.infer<typeof WebSessionId>;
/** What exempts rows from erasing and retention. */
export const HoldId = idOf("hold");
export type HoldId = z.infer<typeof HoldId>;
/** What keeps turns from being begun. */
export const HaltId = idOf("halt");
export type HaltId = z.infer<typeof HaltId>;
export const ExportId = idOf("export");
export type ExportId = z.infer<typeof ExportId>;
export const ErasureId = idOf("erasure");
export type ErasureId = z.infer<typeof ErasureId>;
export const ScheduleId = idOf("schedule");
export type ScheduleId = z.infer<typeof ScheduleId>;

/** A folder of this machine that is part of a workspace. */
export const FolderId = idOf("folder");
export type FolderId = z.infer<typeof FolderId>;
/** What an agent keeps for a person. */
export const MemoryId = idOf("memory");
export type MemoryId = z.infer<typeof MemoryId>;
const UndoId = idOf("undo");
type UndoId = z.infer<typeof UndoId>;
/** A command in the background. */
export const CommandId = idOf("command");
export type CommandId = z.infer<typeof CommandId>;

interface Ids {
  principal: PrincipalId;
  session: SessionId;
  conversation: ConversationId;
  message: MessageId;
  turn: TurnId;
  call: CallId;
  approval: ApprovalId;
  grant: GrantId;
  pairing: PairingId;
  process: ProcessId;
  web: WebSessionId;
  hold: HoldId;
  halt: HaltId;
  export: ExportId;
  erasure: ErasureId;
  schedule: ScheduleId;
  folder: FolderId;
  undo: UndoId;
  memory: MemoryId;
  command: CommandId;
  incident: IncidentId;
  instructions: InstructionsId;
  skill: SkillId;
  skillKey: SkillKeyId;
}

const SCHEMA: { readonly [K in Kind]: { parse(value: unknown): Ids[K] } } = {
  principal: PrincipalId,
  session: SessionId,
  conversation: ConversationId,
  message: MessageId,
  turn: TurnId,
  call: CallId,
  approval: ApprovalId,
  grant: GrantId,
  pairing: PairingId,
  process: ProcessId,
  web: WebSessionId,
  hold: HoldId,
  halt: HaltId,
  export: ExportId,
  erasure: ErasureId,
  schedule: ScheduleId,
  folder: FolderId,
  undo: UndoId,
  memory: MemoryId,
  command: CommandId,
  incident: IncidentId,
  instructions: InstructionsId,
  skill: SkillId,
  skillKey: SkillKeyId,
};

/** Mints an id: a prefix and 130 random bits. */
export function mint<K extends Kind>(kind: K): Ids[K] {
  let text = "";
  for (const byte of randomBytes(LENGTH)) text += ALPHABET.charAt(byte & 31);
  return SCHEMA[kind].parse(`${PREFIX[kind]}_${text}`);
}

/** A word chosen by the operator: an agent, a provider, a channel's instance. */
export const Name = z
  .string()
  .check(z.regex(/^[a-z0-9][a-z0-9-]{0,31}$/, "use a-z, 0-9 and -, at most 32, starting with a letter or digit"));
export type Name = z.infer<typeof Name>;
