import * as z from "zod/mini";
import { Name, SessionId } from "./ids.ts";

/** What the owner may ask about conversations: which there were, what was said and what it cost, what a model was shown. */

/** A folder of an export. */
const Path = z.string().check(z.minLength(1), z.maxLength(4096));

export const SESSION_CALLS = [
  /** The newest first. */
  z.strictObject({
    call: z.literal("session.list"),
    limit: z.int().check(z.gte(1), z.lte(1000)),
    agent: z.nullable(Name),
  }),
  z.strictObject({ call: z.literal("session.show"), session: SessionId }),
  /** @param turn its number, from 1. */
  z.strictObject({ call: z.literal("session.replay"), session: SessionId, turn: z.int().check(z.gte(1)) }),
  /** Ends it: the next message there begins a new one. */
  z.strictObject({ call: z.literal("session.close"), session: SessionId }),
  z.strictObject({ call: z.literal("session.export"), session: SessionId, out: Path }),
] as const;

const Money = z.nullable(z.int());

const SessionView = z.strictObject({
  session: SessionId,
  agent: z.string(),
  channel: z.string(),
  /** Names of those who wrote there. */
  people: z.array(z.string()),
  started: z.nullable(z.string()),
  last: z.string(),
  turns: z.int(),
  state: z.enum(["open", "closed", "running"]),
});
export type SessionView = z.infer<typeof SessionView>;

const TurnView = z.strictObject({
  /** From 1. */
  number: z.int(),
  turn: z.string(),
  /** The row `turn.started`. */
  row: z.int(),
  at: z.string(),
  person: z.string(),
  /** What was written; null: erased. */
  text: z.nullable(z.string()),
  /** How it ended; null: it runs, or the daemon died with it. */
  ended: z.nullable(z.string()),
  rounds: z.int(),
  tools: z.int(),
  refused: z.int(),
  /** Times the context was made shorter. */
  compacted: z.int(),
  inputTokens: z.int(),
  outputTokens: z.int(),
  /** Millionths of a US dollar; null: of a model without a price. */
  microDollars: Money,
});
export type TurnView = z.infer<typeof TurnView>;

const MessageView = z.strictObject({
  role: z.enum(["user", "assistant", "tool"]),
  /** What it is known by: the row of its turn, of its answer or of its result; null: of no row. */
  row: z.nullable(z.int()),
  text: z.string(),
  /** Of a result. */
  tool: z.nullable(z.string()),
  calls: z.array(z.strictObject({ id: z.string(), name: z.string(), arguments: z.string() })),
  /** What it shows beside words. */
  files: z.array(z.strictObject({ media: z.string(), bytes: z.int(), sha256: z.string() })),
  erased: z.boolean(),
});
export type MessageView = z.infer<typeof MessageView>;

const StepView = z.strictObject({
  /** The row `model.called`. */
  row: z.int(),
  at: z.string(),
  model: z.string(),
  /** `agent`: of a sub-agent. `summary`: of what was said before. */
  purpose: z.enum(["turn", "agent", "summary"]),
  verdict: z.enum(["same", "different", "not provable"]),
  /** What differs, or why it cannot be shown. */
  why: z.nullable(z.string()),
  /** Of all messages of the request those before this one stood in the step before already, the same. */
  from: z.int(),
  messages: z.array(MessageView),
  /** Null: as in the step before. */
  setup: z.nullable(
    z.strictObject({
      instructions: z.nullable(z.string()),
      tools: z.array(
        z.strictObject({ name: z.string(), description: z.string(), parameters: z.record(z.string(), z.unknown()) }),
      ),
    }),
  ),
  answer: z.nullable(
    z.strictObject({
      row: z.int(),
      model: z.string(),
      stop: z.string(),
      inputTokens: z.int(),
      outputTokens: z.int(),
      microDollars: Money,
      text: z.nullable(z.string()),
      calls: z.array(z.strictObject({ id: z.string(), name: z.string(), arguments: z.string() })),
    }),
  ),
});
export type StepView = z.infer<typeof StepView>;

export const SESSION_ANSWERS = {
  "session.list": z.strictObject({ sessions: z.array(SessionView), all: z.int() }),
  "session.show": z.strictObject({
    session: SessionView,
    turns: z.array(TurnView),
    inputTokens: z.int(),
    outputTokens: z.int(),
    microDollars: Money,
    labels: z.strictObject({ untrusted: z.boolean(), private: z.array(z.string()) }),
  }),
  "session.replay": z.strictObject({
    turn: TurnView,
    of: z.int(),
    steps: z.array(StepView),
    verdict: z.enum(["same", "different", "not provable"]),
  }),
  "session.close": z.strictObject({ session: SessionId, stopped: z.boolean(), row: z.int() }),
  "session.export": z.strictObject({
    export: z.string(),
    out: z.string(),
    rows: z.int(),
    bytes: z.int(),
    /** SHA-256 of `SHA256SUMS`, hex. */
    digest: z.string(),
  }),
} as const;
