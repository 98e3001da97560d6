import * as z from "zod/mini";
import { CheckFailure, Foreign, Ready, Ref, SecretFrame, Stop } from "./frame-common.ts";

/** A conversation as its platform names it. `thread` is a conversation of its own. */
const Place = { place: Foreign, thread: z.nullable(Foreign) };

/** Files of one message; what is beyond them is counted. A header has room for these with their longest handles. */
export const MAX_FILES = 10;
/** A file that is asked for, or sent, has at most so many bytes: as many as one frame carries. */
export const MAX_FILE_BYTES = 50 * 1_048_576;
/** Characters of where to go on: some two hundred conversations with the last message of each. */
export const MAX_CURSOR = 32_768;
/** What an adapter keeps between its runs: one record, and all of them together. A record is as large as an encryption store that is kept anew as a whole:
 *  ten thousand keys of messages. */
export const MAX_RECORD_BYTES = 32 * 1_048_576;
export const MAX_KEPT_BYTES = 64 * 1_048_576;

/** A file that somebody sent. Nothing of it is fetched before it is known who that is: `handle` is what the adapter fetches it by, also in a later run. */
const FileRef = z.strictObject({
  handle: z.string().check(z.minLength(1), z.maxLength(2_048)),
  /** As the sender calls it, and the type that is claimed: shown, never believed. */
  name: z.string().check(z.maxLength(255)),
  type: z.string().check(z.maxLength(127)),
  bytes: z.nullable(z.int().check(z.gte(0))),
  what: z.enum(["file", "image", "audio", "voice", "video"]),
});
export type FileRef = z.infer<typeof FileRef>;

/** What a message replies to: a part of that is enough to know it by. */
const Quote = z.strictObject({
  by: z.enum(["us", "sender", "other"]),
  text: z.string().check(z.maxLength(2_048)),
});

/** What an adapter may say. No frame names a channel: the pipe it came on already does. */
export const FromAdapter = z.discriminatedUnion("type", [
  Ready,
  /** Answers a `start` with `check: true`. On success `account` says who the credentials belong to; otherwise the payload is a sentence. */
  z.strictObject({
    type: z.literal("checked"),
    failure: z.nullable(CheckFailure),
    account: z.nullable(z.string().check(z.maxLength(200))),
  }),
  /** Before `checked`: what was given is good for a login and not kept (a password). The payload, named bytes, is to be kept in its place. */
  z.strictObject({ type: z.literal("exchanged") }),
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
    /** The platform's id of the message itself, where people can edit it, delete it or reply to it; left out: `dedupe` is that too. */
    message: z.optional(Foreign),
    /** When it was written, by the platform's clock, Unix milliseconds. Left out: now. */
    sentAt: z.optional(z.int().check(z.gte(0))),
    quote: z.optional(Quote),
    files: z.optional(z.array(FileRef).check(z.maxLength(MAX_FILES))),
    /** Files beyond {@link MAX_FILES}. */
    filesLeft: z.optional(z.int().check(z.gte(0))),
  }),
  /** Somebody changed or deleted a message of theirs; the payload is its new text. Answered by `acknowledged`. */
  z.strictObject({
    type: z.literal("changed"),
    ref: Ref,
    ...Place,
    sender: Foreign,
    /** Of the change itself. */
    dedupe: Foreign,
    /** The message that was changed: its `message`, or `dedupe` where it has none. */
    message: Foreign,
    change: z.enum(["edited", "deleted"]),
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
  z.strictObject({ type: z.literal("cursor"), cursor: z.string().check(z.maxLength(MAX_CURSOR)) }),
  /** Keeps a record, secret, for the next run of this adapter (an encryption store's changes, say), behind those kept before; `replaces`: in their place, all
   *  or nothing. Answered by `stored` once it lies durably. */
  z.strictObject({ type: z.literal("store"), ref: Ref, replaces: z.boolean() }),
  /** Something that the operator should know; the payload is a sentence. `foreign-use`: somebody else uses this credential. `undecryptable`: a message could not be
   *  read yet. `removed`: we are not in that conversation any more. `gap`: what was written from `from` to `to` (Unix ms) cannot be had. */
  z.strictObject({
    type: z.literal("notice"),
    about: z.enum(["foreign-use", "undecryptable", "removed", "gap", "degraded"]),
    place: z.nullable(Foreign),
    from: z.nullable(z.int().check(z.gte(0))),
    to: z.nullable(z.int().check(z.gte(0))),
  }),
  /** Is that somebody who was paired? Answered by `known`: whoever is, may take us into a group. */
  z.strictObject({ type: z.literal("knows"), ref: Ref, user: Foreign }),
  /** Answers `get-file`: the payload is the file. */
  z.strictObject({ type: z.literal("file"), ref: Ref }),
  /** It cannot be had; the payload is a sentence. */
  z.strictObject({
    type: z.literal("file.failed"),
    ref: Ref,
    reason: z.enum(["too-large", "gone", "refused", "unreachable"]),
  }),
  /** Answers `open-direct`. Null: there is no way to write to them first; the payload is a sentence. */
  z.strictObject({ type: z.literal("direct"), ref: Ref, place: z.nullable(Foreign) }),
  /** Answers `look-up`: whether the platform has the message. `unknown`: it cannot be told. */
  z.strictObject({
    type: z.literal("looked-up"),
    ref: Ref,
    outcome: z.enum(["sent", "absent", "unknown"]),
    ids: z.array(Foreign).check(z.maxLength(64)),
  }),
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
    cursor: z.nullable(z.string().check(z.maxLength(MAX_CURSOR))),
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
    /** Ours for this message, the same at every try: what the platform knows a repeated one by, or `look-up` finds it by. */
    key: z.optional(z.string().check(z.regex(/^[A-Za-z0-9_-]{1,64}$/))),
    /** The `draft` that this is the end of. */
    draft: z.optional(Ref),
    /** So many `attach` with this ref go along; they may come after this. */
    files: z.optional(z.int().check(z.gte(0), z.lte(MAX_FILES))),
  }),
  /** A file that goes with the `send` of that ref; the payload is its bytes. */
  z.strictObject({
    type: z.literal("attach"),
    ref: Ref,
    index: z.int().check(z.gte(0), z.lt(MAX_FILES)),
    name: z.string().check(z.minLength(1), z.maxLength(255)),
    mime: z.string().check(z.maxLength(127)),
  }),
  /** What is there of a reply so far, markdown, whole; said again with more, at most once a second. Shown where the platform lets a message be edited; a `send`
   *  that names this ref ends it. Nothing is answered. */
  z.strictObject({ type: z.literal("draft"), ref: Ref, ...Place, replyTo: z.nullable(Foreign) }),
  /** Sets or takes away our mark on a message of theirs. Nothing is answered. */
  z.strictObject({
    type: z.literal("react"),
    ...Place,
    message: Foreign,
    mark: z.nullable(z.enum(["waiting", "working", "refused"])),
  }),
  /** Fetch this file of a message, if it has at most `limit` bytes. Answered by `file` or `file.failed`. */
  z.strictObject({
    type: z.literal("get-file"),
    ref: Ref,
    handle: z.string().check(z.minLength(1), z.maxLength(2_048)),
    limit: z.int().check(z.gte(1), z.lte(MAX_FILE_BYTES)),
  }),
  /** Where is somebody reached alone, who may never have written? Answered by `direct`. */
  z.strictObject({ type: z.literal("open-direct"), ref: Ref, user: Foreign }),
  /** Was the message of this key sent after `since` (Unix ms)? Answered by `looked-up`. */
  z.strictObject({
    type: z.literal("look-up"),
    ref: Ref,
    ...Place,
    key: z.string().check(z.regex(/^[A-Za-z0-9_-]{1,64}$/)),
    since: z.int().check(z.gte(0)),
  }),
  /** The machine slept, or its network changed: what is connected may be dead without knowing. */
  z.strictObject({ type: z.literal("wake") }),
  /** What was kept, in order, before `start`; the payload is one record. */
  z.strictObject({ type: z.literal("record") }),
  z.strictObject({ type: z.literal("stored"), ref: Ref }),
  z.strictObject({ type: z.literal("known"), ref: Ref, known: z.boolean() }),
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
