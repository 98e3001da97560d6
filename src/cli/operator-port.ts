import type { AnswerTo, CallName, OperatorCall, OperatorEvent } from "../ipc/operator.ts";
import { OPERATOR_ANSWERS } from "../ipc/operator.ts";
import type { z } from "zod/mini";

export type CallOf<C extends CallName> = Extract<OperatorCall, { call: C }>;

export interface CallOptions {
  /** Bytes that go with the call; they are wiped once they are sent. */
  readonly payload?: Uint8Array;
  /** What happens while the call runs. */
  readonly onEvent?: (event: OperatorEvent, payload: Uint8Array) => void;
  /** Fired: the caller no longer wants it. The call still answers. */
  readonly signal?: AbortSignal;
}

/** Whoever answers the owner: the daemon over its socket, or this process itself while no daemon runs. */
export interface OperatorPort extends AsyncDisposable {
  /** @throws {CommandError} when the call is refused. */
  call<C extends CallName>(call: CallOf<C>, options?: CallOptions): Promise<AnswerTo<C>>;
  readonly daemon: { readonly build: string; readonly pid: number } | null;
}

/** Each call's schema with its own type, which indexing the table by a type parameter would lose. */
const SCHEMAS: { readonly [C in CallName]: z.ZodMiniType<AnswerTo<C>> } = OPERATOR_ANSWERS;

/** @throws {z.core.$ZodError} if it is no answer to this call. */
export function parseAnswer<C extends CallName>(name: C, value: unknown): AnswerTo<C> {
  return SCHEMAS[name].parse(value);
}
