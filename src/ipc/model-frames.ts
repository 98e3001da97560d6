import * as z from "zod/mini";
import { MAX_ITEMS, ShownFile } from "./completion.ts";
import { CheckFailure, Ready, Ref, SecretFrame, Stop } from "./frame-common.ts";
import { ModelApi } from "./provider.ts";

/** One session's conversation with one agent process, by a number of the supervisor's own. */
const ConversationNumber = z.int().check(z.gte(1));

const Tokens = z.int().check(z.gte(0), z.lte(1_000_000_000));

/** Why a completion ended. */
export const StopReason = z.enum(["stop", "tool-calls", "length", "content-filter", "other"]);
export type StopReason = z.infer<typeof StopReason>;

/** Why there is no completion. The payload of the frame is one sentence for the person. */
export const CompletionFailure = z.enum([
  "key-refused",
  "model-unknown",
  "rate-limited",
  "overloaded",
  "unreachable",
  /** It failed by its own fault (a status of 500 and more). */
  "failing",
  "bad-request",
  /** The model takes no pictures, or no PDFs: nothing was answered, and the same request without them may be. */
  "files-refused",
  "too-long",
  "timeout",
  "cancelled",
  "died",
  "refused",
  "other",
]);
export type CompletionFailure = z.infer<typeof CompletionFailure>;

/** A model that a provider offers, as far as it says; null: it does not. */
export const OfferedModel = z.strictObject({
  id: z.string().check(z.minLength(1), z.maxLength(200)),
  /** Can it call tools, look at pictures, read PDFs? */
  tools: z.nullable(z.boolean()),
  images: z.nullable(z.boolean()),
  pdfs: z.nullable(z.boolean()),
  /** What its context holds, in tokens. */
  window: z.nullable(Tokens),
  /** An ISO time: when it was last changed or released. */
  modified: z.nullable(z.string()),
});
export type OfferedModel = z.infer<typeof OfferedModel>;

export const FromModel = z.discriminatedUnion("type", [
  Ready,
  z.strictObject({
    type: z.literal("checked"),
    failure: z.nullable(CheckFailure),
    account: z.nullable(z.string().check(z.maxLength(200))),
  }),
  /** The payload is a piece of the answer's text. */
  z.strictObject({ type: z.literal("delta"), ref: Ref }),
  /** The payload is an `Answer` (see completion.ts). `model` is the id that the provider returned. */
  z.strictObject({
    type: z.literal("completed"),
    ref: Ref,
    model: z.string().check(z.maxLength(200)),
    inputTokens: Tokens,
    outputTokens: Tokens,
    stop: StopReason,
  }),
  /** `streamed`: some text was already given out, so nothing may be tried again. */
  z.strictObject({
    type: z.literal("failed"),
    ref: Ref,
    code: CompletionFailure,
    retryAfterSeconds: z.nullable(z.int().check(z.gte(0), z.lte(86_400))),
    streamed: z.boolean(),
  }),
  /** Answers `try`; the payload is two lines: why the model called no tool, and why it saw nothing in a picture, each empty where it did. A trial that got no answer at all is `failed`. */
  z.strictObject({
    type: z.literal("tried"),
    ref: Ref,
    model: z.string().check(z.maxLength(200)),
    text: z.boolean(),
    pieces: z.int().check(z.gte(0), z.lte(100_000)),
    tools: z.boolean(),
    images: z.boolean(),
    inputTokens: Tokens,
    outputTokens: Tokens,
  }),
  /** Answers `attest`; the payload is what was seen, in a sentence. */
  z.strictObject({ type: z.literal("attested"), ref: Ref, result: z.enum(["holds", "refused", "unreachable"]) }),
  /** Answers `complete`: the first `keep` items of that conversation are not here (any more). Nothing was sent to the provider. */
  z.strictObject({ type: z.literal("resend"), ref: Ref }),
  /** Answers `forget`: nothing of that conversation is kept. */
  z.strictObject({ type: z.literal("forgot"), conversation: ConversationNumber }),
  /** Answers `models`; the payload is JSON, an array of {@link OfferedModel}. */
  z.strictObject({ type: z.literal("models"), ref: Ref, failure: z.nullable(CheckFailure) }),
]);
export type FromModel = z.infer<typeof FromModel>;

/** Of pictures and PDFs. */
export const Showing = z.enum(["all", "images", "none"]);
export type Showing = z.infer<typeof Showing>;

export const ToModel = z.discriminatedUnion("type", [
  SecretFrame,
  z.strictObject({
    type: z.literal("start"),
    /** Only check the key with one cheap call, answer `checked`, and exit. */
    check: z.boolean(),
    provider: z.string().check(z.maxLength(32)),
    api: ModelApi,
    baseUrl: z.nullable(z.url().check(z.maxLength(512))),
  }),
  /** The payload is a file that a request of this conversation names; empty: its content was erased. It comes before the request that first
   *  shows it. */
  z.strictObject({ type: z.literal("file"), conversation: ConversationNumber, sha256: ShownFile.shape.sha256 }),
  /** The request is the first `keep` items of the conversation and those of the payload (items.ts); `root` is that of all of them. `show`: which of
   *  the files that it names the model is shown; of the others it is told in words that there are some. `others`: somebody else is asked if this model
   *  is silent, so it is not waited for twice. */
  z.strictObject({
    type: z.literal("complete"),
    ref: Ref,
    conversation: ConversationNumber,
    show: Showing,
    others: z.boolean(),
    keep: z.int().check(z.gte(0), z.lte(MAX_ITEMS)),
    root: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
    model: z.string().check(z.minLength(1), z.maxLength(200)),
    maxOutputTokens: z.int().check(z.gte(1), z.lte(1_000_000)),
    timeoutMs: z.int().check(z.gte(1000), z.lte(3_600_000)),
  }),
  z.strictObject({ type: z.literal("cancel"), ref: Ref }),
  /** That conversation is over: overwrite what is kept of it. */
  z.strictObject({ type: z.literal("forget"), conversation: ConversationNumber }),
  z.strictObject({ type: z.literal("models"), ref: Ref }),
  /** Have the provider show what it is. */
  z.strictObject({ type: z.literal("attest"), ref: Ref }),
  /** Ask a model a few small questions of your own, and say what it can. `cancel` ends it. */
  z.strictObject({ type: z.literal("try"), ref: Ref, model: z.string().check(z.minLength(1), z.maxLength(200)) }),
  Stop,
]);
export type ToModel = z.infer<typeof ToModel>;
