import * as z from "zod/mini";
import { CheckFailure, Foreign, Ready, Ref, SecretFrame, Stop } from "./frame-common.ts";

/** A conversation as its platform names it. `thread` is a conversation of its own. */
const Place = { place: Foreign, thread: z.nullable(Foreign) };

/** What an adapter may say. No frame names a channel: the pipe it came on already does. */
export const FromAdapter = z.discriminatedUnion("type", [
  Ready,
  /** Answers a `start` with `check: true`. On success `account` says who the credentials belong to; otherwise the payload is a sentence. */
  z.strictObject({
    type: z.literal("checked"),
    failure: z.nullable(CheckFailure),
    account: z.nullable(z.string().check(z.maxLength(200))),
  }),
  /** Connected or not. `refused`: the credentials were refused and trying again is useless; the payload is a sentence. */
  z.strictObject({
    type: z.literal("state"),
    state: z.enum(["connected", "reconnecting", "refused"]),
    /** Shown to the operator: the bot's own name, e.g. `@wirken_bot`. */
    account: z.nullable(z.string().check(z.maxLength(200))),
  }),
  /** Answers `reconnect` and `renewed.kept`: each `state` from here on is that of the new credentials. The payload is blank and says nothing: it is read into
   *  the memory that `renewed` was read into before. */
  z.strictObject({ type: z.literal("switched"), ref: Ref }),
  /** It wants to renew the credential that it has. Answered by `renew`; its platform is asked nothing before that, because the one of before may be
   *  spent by the question. */
  z.strictObject({ type: z.literal("renewal"), ref: Ref }),
  /** The platform gave others: the payload holds them as named bytes. Answered by `renewed.kept`; where they were not kept, it is said again. */
  z.strictObject({ type: z.literal("renewed"), ref: Ref }),
  /** The platform gave none; the payload is a sentence. `refused`: nor will it for what is kept, whatever is tried. */
  z.strictObject({ type: z.literal("unrenewed"), ref: Ref, failure: z.enum(["refused", "unreachable"]) }),
  /** A message for us; the payload is its text, UTF-8, at most 1 MiB. Answered by `acknowledged` once it is on the log. */
  z.strictObject({
    type: z.literal("inbound"),
    ref: Ref,
    ...Place,
    sender: Foreign,
    /** As the sender calls themselves today: shown, never decided by. */
    senderName: z.string().check(z.maxLength(200)),
    /** The platform's id of this message: what has been seen under it is dropped. */
    dedupe: Foreign,
    talk: z.enum(["direct", "group"]),
  }),
  /** A button of a card was pressed. Answered by `answer` (what to tell the presser) with the same ref. */
  z.strictObject({
    type: z.literal("pressed"),
    ref: Ref,
    ...Place,
    sender: Foreign,
    senderName: z.string().check(z.maxLength(200)),
    dedupe: Foreign,
    card: Foreign,
    decision: z.enum(["approve", "approve-session", "deny"]),
  }),
  /** Where to go on after a restart (Telegram's offset); saved after the row it stands for. */
  z.strictObject({ type: z.literal("cursor"), cursor: z.string().check(z.maxLength(4096)) }),
  /** All parts of a `send` or `edit` were taken; ids as the platform gave them. */
  z.strictObject({ type: z.literal("delivered"), ref: Ref, ids: z.array(Foreign).check(z.maxLength(64)) }),
  /** Not sent, or (`unknown`) nobody can tell. The payload is the platform's own words. `ids` are the parts that were sent before. */
  z.strictObject({
    type: z.literal("undelivered"),
    ref: Ref,
    reason: z.enum(["refused", "rate-limited", "unreachable", "too-large", "unknown"]),
    ids: z.array(Foreign).check(z.maxLength(64)),
  }),
]);
export type FromAdapter = z.infer<typeof FromAdapter>;

/** What an adapter is told. */
export const ToAdapter = z.discriminatedUnion("type", [
  SecretFrame,
  z.strictObject({
    type: z.literal("start"),
    /** Only check the credentials, answer `checked`, and exit. */
    check: z.boolean(),
    cursor: z.nullable(z.string().check(z.maxLength(4096))),
    /** The platform's API, when the operator (or a test) named another than its public one. */
    apiRoot: z.nullable(z.url().check(z.maxLength(512))),
  }),
  /** `secret` frames came since the start: end the connection and connect with them. What is under way is finished first, and what is not
   *  acknowledged by then is left to be delivered again. Answered by `switched`. */
  z.strictObject({ type: z.literal("reconnect"), ref: Ref }),
  /** Whether it may renew its credential now. If so it is on the log, and nobody else changes the credential until `renewed` or `unrenewed` is said. */
  z.strictObject({
    type: z.literal("renew"),
    ref: Ref,
    granted: z.boolean(),
    /** Where it is not granted: so long it is not to be asked again. */
    waitMs: z.int().check(z.gte(0), z.lte(3_600_000)),
  }),
  /** The vault holds what was renewed, durably: it is used from now on, which `switched` tells with the same ref. Not `kept`: it is used by nobody yet. */
  z.strictObject({ type: z.literal("renewed.kept"), ref: Ref, kept: z.boolean() }),
  /** The inbound message (or press) is on the log: the platform may be told so. `again`: it had been seen before. */
  z.strictObject({ type: z.literal("acknowledged"), ref: Ref, again: z.boolean() }),
  /** A message out; the payload is its text. `markdown` is converted to what the platform shows, split at its limit; `preformatted` is
   *  shown to the letter; a card is preformatted text that can be decided on: by buttons, or by the code where there are none. */
  z.strictObject({
    type: z.literal("send"),
    ref: Ref,
    ...Place,
    style: z.enum(["markdown", "plain", "preformatted"]),
    card: z.nullable(
      z.strictObject({ id: Foreign, code: z.string().check(z.maxLength(16)), mayRemember: z.boolean() }),
    ),
    /** The platform's id of the message this answers, where the platform can show that. */
    replyTo: z.nullable(Foreign),
  }),
  /** Replaces messages sent before (a decided card): the payload is the new text, plain; any buttons go away. */
  z.strictObject({
    type: z.literal("edit"),
    ref: Ref,
    ...Place,
    ids: z.array(Foreign).check(z.minLength(1), z.maxLength(64)),
  }),
  z.strictObject({ type: z.literal("typing"), ...Place }),
  /** What the presser is told, privately where the platform can; the payload is one sentence. */
  z.strictObject({ type: z.literal("answer"), ref: Ref }),
  Stop,
]);
export type ToAdapter = z.infer<typeof ToAdapter>;
