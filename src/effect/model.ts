import { AuditError } from "../../audit/error.ts";
import type { Recorded } from "../../audit/recorded.ts";
import { NO_ITEMS, rootWith } from "../ipc/item-digest.ts";
import { ItemsError } from "../ipc/items.ts";
import type { CompletionFailure, StopReason } from "../ipc/model-frames.ts";
import { hash } from "node:crypto";
import type { AskedRequest, RequestFile } from "./request.ts";

/** One completion that a model process is asked for. */
export interface ModelRequest {
  readonly provider: string;
  /** The provider's own name for the model. */
  readonly model: string;
  readonly conversation: number;
  /** So many items of the conversation stand before those of `packed`. */
  readonly keep: number;
  readonly packed: Uint8Array;
  /** The recorded root of all items, hex. */
  readonly root: string;
  /** All items, for a process that has not the first ones. @returns null if the agent has not said them again. */
  readonly whole: () => Promise<Uint8Array | null>;
  /** What the items name, whether it is shown or not. */
  readonly files: readonly RequestFile[];
  /** What of it the model is shown; of the rest it is told in words that there is some. */
  readonly show: "all" | "images" | "none";
  readonly maxOutputTokens: number;
  /** For everything together: waiting, tries, streaming. */
  readonly timeoutMs: number;
  /** Another model is asked if this one is silent: it is not waited for twice. */
  readonly others: boolean;
}
export type ModelLimits = Pick<ModelRequest, "maxOutputTokens" | "timeoutMs" | "others">;

export type ModelAnswer =
  | {
      readonly state: "completed";
      /** The id that the provider returned. */
      readonly model: string;
      readonly inputTokens: number;
      readonly outputTokens: number;
      readonly stop: StopReason;
      /** An `Answer` as UTF-8 JSON. */
      readonly answer: Uint8Array;
    }
  | {
      readonly state: "failed";
      readonly code: CompletionFailure;
      /** One sentence for the person. */
      readonly sentence: string;
      /** Some text was already given out: nothing may be tried again. */
      readonly streamed: boolean;
    };

/** Filled by the supervisor with the model processes. It never throws for what a provider or a model process does. */
export interface ModelPort {
  complete(request: ModelRequest, onDelta: (text: Uint8Array) => void, signal: AbortSignal): Promise<ModelAnswer>;
}

/** Sends one recorded request to its model. The outcome is left to the caller, who knows what it cost.
 *
 *  What is sent is what the row commits to, byte for byte: the root of what was kept before and of the bytes that go out now is computed here and
 *  compared with the recorded one. So are all items of a request that is sent once more; others are not sent.
 *  @throws {AuditError} AUDIT_INVALID if they are not the recorded ones: nothing was sent then. */
export function callModel(
  recorded: Recorded<"model.called">,
  asked: AskedRequest,
  port: ModelPort,
  limits: ModelLimits,
  onDelta: (text: Uint8Array) => void,
  signal: AbortSignal,
): Promise<ModelAnswer> {
  recorded.redeem();
  const { provider, model } = recorded.action;
  const root = recordedRoot(recorded.content("items"));
  const { conversation, keep, packed } = asked;
  const show = recorded.action.files ?? "none";
  const files = asked.files.map((file) => ({ ...file, read: async () => committed(file.sha256, await file.read()) }));
  if (!isOf(root, asked.before, packed))
    throw new AuditError("AUDIT_INVALID", "the request is not what was recorded, so it was not sent");
  const whole = async (): Promise<Uint8Array | null> => {
    const all = await asked.whole(signal);
    return all !== null && isOf(root, NO_ITEMS, all) ? all : null;
  };
  const request = { provider, model, conversation, keep, packed, root, whole, files, show, ...limits };
  return port.complete(request, onDelta, signal);
}

/** What is not what the request commits to is as good as gone: it is not sent. */
function committed(sha256: string, bytes: Uint8Array | null): Uint8Array | null {
  return bytes !== null && hash("sha256", bytes) === sha256 ? bytes : null;
}

function recordedRoot(items: Uint8Array): string {
  const recorded: unknown = JSON.parse(Buffer.from(items).toString("utf8"));
  if (typeof recorded === "object" && recorded !== null && "root" in recorded && typeof recorded.root === "string")
    return recorded.root;
  throw new AuditError("AUDIT_INVALID", "a request was recorded without its root");
}

function isOf(root: string, before: Uint8Array, packed: Uint8Array): boolean {
  try {
    return Buffer.from(rootWith(before, packed)).toString("hex") === root;
  } catch (cause) {
    if (cause instanceof ItemsError) return false;
    throw cause;
  }
}
