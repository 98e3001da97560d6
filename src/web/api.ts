import type { AnswerTo, OperatorCall, OperatorEvent, OperatorFailure } from "../ipc/operator.ts";

/** What the page and the web process say to each other. No schema: the page believes its own origin, and the web process checks what it is sent. */

/** Names of what a logged-in browser holds: half of its session's secret each. */
export const COOKIE = "wirken";
export const KEY_HEADER = "wirken-key";

/** `key` is kept by the page's own origin and sent as the header {@link KEY_HEADER}: a cookie alone goes to every port of this machine. */
export interface LoginAnswer {
  key: string;
}

export interface CallRequest {
  call: OperatorCall;
  /** What `say` says. */
  text?: string;
}
/** A `say` is answered `{accepted: true}` once its turn runs; what becomes of it comes as events. */
export type CallAnswer<C extends OperatorCall["call"]> = C extends "say" ? { accepted: true } : AnswerTo<C>;

/** The body of every answer that is not 2xx. */
export interface FailureAnswer {
  failure: OperatorFailure;
  /** Seconds until it is worth trying again. */
  retryAfter?: number;
}

/** One `data:` of the event stream. */
export type StreamMessage =
  /** First of all. Another `version` than before: the page reloads itself. */
  | { type: "hello"; version: string }
  | { type: "event"; event: OperatorEvent; text: string }
  /** A `say` that was accepted was refused after all. */
  | { type: "refused"; failure: OperatorFailure }
  /** Nothing more comes. `session`: log in again. */
  | { type: "over"; because: "session" | "stopped" };
