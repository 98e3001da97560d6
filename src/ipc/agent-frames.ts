import * as z from "zod/mini";
import { ChatMessage, MAX_ITEMS, ShownFiles, ToolDescription } from "./completion.ts";
import { Ready, Ref, Stop } from "./frame-common.ts";
import { CompletionFailure, StopReason } from "./model-frames.ts";

/** Why a turn ended, as the agent sees it. */
export const TurnEnd = z.enum(["done", "rounds", "failed", "stopped"]);

/** What an agent may ask for. It serves one session: its pipe is the session, and no frame names one. */
export const FromAgent = z.discriminatedUnion("type", [
  Ready,
  /** Wants a completion of what the first `keep` items of its last request and the items of the payload make (items.ts). */
  z.strictObject({ type: z.literal("complete"), ref: Ref, keep: z.int().check(z.gte(0), z.lte(MAX_ITEMS)) }),
  /** Answers `resend`: the payload is all items of that request. */
  z.strictObject({ type: z.literal("resent"), ref: Ref }),
  /** Wants a tool; the payload is the model's JSON arguments. `call` is the model's id for it, `group` the completion it came from. */
  z.strictObject({
    type: z.literal("tool"),
    ref: Ref,
    group: Ref,
    name: z.string().check(z.minLength(1), z.maxLength(200)),
    call: z.string().check(z.maxLength(200)),
  }),
  /** A reply begins; `text` pieces follow (payloads), then its end. */
  z.strictObject({ type: z.literal("reply"), ref: Ref }),
  z.strictObject({ type: z.literal("reply.text"), ref: Ref }),
  z.strictObject({ type: z.literal("reply.end"), ref: Ref }),
  /** The turn is over; with `failed` the payload is one sentence for the person. */
  z.strictObject({ type: z.literal("turn.end"), reason: TurnEnd }),
]);
export type FromAgent = z.infer<typeof FromAgent>;

export const ToAgent = z.discriminatedUnion("type", [
  /** The payload is an `AgentStart` (below). */
  z.strictObject({ type: z.literal("start"), rounds: z.int().check(z.gte(1), z.lte(100)) }),
  /** A message to act on; the payload is its text, `files` what a model may be shown with it. */
  z.strictObject({ type: z.literal("turn"), files: ShownFiles }),
  /** The model process has not what the request goes on from (it was started anew, say): wants all of its items again. */
  z.strictObject({ type: z.literal("resend"), ref: Ref }),
  /** What was asked is too long for its model, and was not answered: the payload is an `AgentCompacted`, which stands in the place of all that was said so far.
   *  Ask anew with it. */
  z.strictObject({ type: z.literal("compacted"), ref: Ref }),
  /** A piece of the completion's text as it streams. */
  z.strictObject({ type: z.literal("delta"), ref: Ref }),
  /** The payload is an `Answer`. */
  z.strictObject({ type: z.literal("completed"), ref: Ref, stop: StopReason }),
  /** No completion; the payload is one sentence for the person. */
  z.strictObject({ type: z.literal("failed"), ref: Ref, code: CompletionFailure }),
  /** What became of a tool call; the payload is the text for the model. */
  z.strictObject({ type: z.literal("result"), ref: Ref, outcome: z.enum(["done", "failed", "refused", "denied"]) }),
  /** End the running turn now. */
  z.strictObject({ type: z.literal("turn.stop") }),
  Stop,
]);
export type ToAgent = z.infer<typeof ToAgent>;

/** The payload of `start`: who the agent is, what it has, and what was said before in this session. */
export const AgentStart = z.strictObject({
  instructions: z.string(),
  tools: z.array(ToolDescription),
  transcript: z.array(ChatMessage),
});
export type AgentStart = z.infer<typeof AgentStart>;

/** The payload of `compacted`. */
export const AgentCompacted = z.strictObject({ transcript: z.array(ChatMessage) });
export type AgentCompacted = z.infer<typeof AgentCompacted>;
