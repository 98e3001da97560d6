import * as z from "zod/mini";
import { Ready, Ref, Stop } from "./frame-common.ts";
import { AuthorizationId } from "./mcp-calls.ts";
import { OperatorCall, OperatorEvent, OperatorFailure } from "./operator.ts";

/** SHA-256 in hex of the payload that `login.done` carried (its 43 characters): the supervisor checks it and never keeps the secret itself. */
const SessionDigest = z.string().check(z.regex(/^[0-9a-f]{64}$/));

/** What the web compartment may ask: to log in with a link's token, and what the logged-in owner may do. */
export const FromWeb = z.discriminatedUnion("type", [
  Ready,
  /** Serving on the lane from ingress. */
  z.strictObject({ type: z.literal("serving") }),
  /** The payload is the token of a login link. Answered by `login.done` or `login.refused`. */
  z.strictObject({ type: z.literal("login"), ref: Ref }),
  /** Answered by `answer`, whether there was such a session or not. */
  z.strictObject({ type: z.literal("logout"), ref: Ref, session: SessionDigest }),
  /** A call of a logged-in page; text of `say` is the payload, and its answer comes when the turn ends. What happens meanwhile in the page's
   *  conversation is told to every `watch`, which is answered when it is over. Answered by `unauthenticated` when the session is not (or no longer) good. */
  z.strictObject({ type: z.literal("call"), ref: Ref, session: SessionDigest, call: OperatorCall }),
  /** A browser came back from logging in elsewhere, to the address that was made for that; the payload is its query. Answered by `answer` or `refused`. */
  z.strictObject({ type: z.literal("back"), ref: Ref, id: AuthorizationId }),
  /** Nobody listens to this call any more: sent for a `watch` whose page is gone, never for a `say` (its turn goes on). */
  z.strictObject({ type: z.literal("cancel"), ref: Ref }),
]);
export type FromWeb = z.infer<typeof FromWeb>;

export const ToWeb = z.discriminatedUnion("type", [
  /** The origin the page is served from: Host and Origin must match it. */
  z.strictObject({
    type: z.literal("start"),
    origin: z.url().check(z.maxLength(128)),
    version: z.string().check(z.maxLength(64)),
  }),
  /** The payload is the new session's secret: 32 random bytes as base64url, 43 characters. `seconds`: how long it may live at most.
   *  web hands it out in two halves, a cookie and a key of the page's own origin: a cookie alone is sent to every port of 127.0.0.1. */
  z.strictObject({ type: z.literal("login.done"), ref: Ref, seconds: z.int().check(z.gte(1)) }),
  z.strictObject({
    type: z.literal("login.refused"),
    ref: Ref,
    reason: z.enum(["bad-token", "locked"]),
    seconds: z.int().check(z.gte(0)),
  }),
  z.strictObject({ type: z.literal("event"), ref: Ref, event: OperatorEvent }),
  z.strictObject({ type: z.literal("answer"), ref: Ref }),
  z.strictObject({ type: z.literal("refused"), ref: Ref, failure: OperatorFailure }),
  /** The call's session is unknown, ended or expired: the page shows how to log in. (`not-ready` alone would not say which.) */
  z.strictObject({ type: z.literal("unauthenticated"), ref: Ref }),
  /** This browser session is over (ended, expired): close its streams. */
  z.strictObject({ type: z.literal("session.ended"), session: SessionDigest }),
  Stop,
]);
export type ToWeb = z.infer<typeof ToWeb>;
