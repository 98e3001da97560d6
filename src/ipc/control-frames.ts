import * as z from "zod/mini";
import { PROTOCOL, Ref } from "./frame-common.ts";
import { OperatorCall, OperatorEvent, OperatorFailure } from "./operator.ts";

/** What a command says over the control socket. The first frame's payload is the 32 bytes of `control.token`. */
export const FromCommand = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("hello"),
    protocol: z.literal(PROTOCOL),
    build: z.string().check(z.maxLength(128)),
  }),
  z.strictObject({ type: z.literal("call"), ref: Ref, call: OperatorCall }),
  /** The caller of a streaming call went away or pressed Ctrl-C. */
  z.strictObject({ type: z.literal("cancel"), ref: Ref }),
]);
export type FromCommand = z.infer<typeof FromCommand>;

/** What it hears. `welcome.build` differs from the command's own after an upgrade: it then says to restart. */
export const ToCommand = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("welcome"), build: z.string().check(z.maxLength(128)), pid: z.int() }),
  z.strictObject({ type: z.literal("event"), ref: Ref, event: OperatorEvent }),
  /** The payload is the answer as JSON (`OPERATOR_ANSWERS`). */
  z.strictObject({ type: z.literal("answer"), ref: Ref }),
  z.strictObject({ type: z.literal("refused"), ref: Ref, failure: OperatorFailure }),
]);
export type ToCommand = z.infer<typeof ToCommand>;
