import type { z } from "zod/mini";
import type { Peer } from "./failure.ts";
import { ModelError } from "./model-error.ts";
import type { OfferedModel } from "../ipc/model-frames.ts";
import type { ModelListing } from "./port.ts";

/** Of a list, and of an id in it: what is longer is left out. */
const MAX_MODELS = 1000;
const MAX_ID = 200;

/** Reads a provider's list and orders it, newest first; what has no time comes last, in the provider's order.
 *  @throws {ModelError} for anything that is not such a list. */
export function listOf<T>(
  peer: Peer,
  schema: z.ZodMiniType<T>,
  body: unknown,
  read: (list: T) => ModelListing[],
): OfferedModel[] {
  const parsed = schema.safeParse(body);
  if (!parsed.success)
    throw new ModelError("other", `${peer.provider} answered with something that is not a list of models`, {
      cause: parsed.error,
    });
  return read(parsed.data)
    .filter(({ id }) => id !== "" && id.length <= MAX_ID)
    .map((model) => ({ ...UNSAID, ...model, window: windowOf(model.window) }))
    .toSorted((a, b) => (b.modified ?? "").localeCompare(a.modified ?? ""))
    .slice(0, MAX_MODELS);
}

const UNSAID = { tools: null, images: null, pdfs: null, window: null, modified: null } as const;
const MAX_WINDOW = 1_000_000_000;

function windowOf(tokens: number | null | undefined): number | null {
  return typeof tokens === "number" && Number.isSafeInteger(tokens) && tokens > 0 && tokens <= MAX_WINDOW
    ? tokens
    : null;
}

/** @param time milliseconds since 1970, or text. @returns an ISO time, or null if it is none. */
export function timeOf(time: number | string | null | undefined): string | null {
  const date = new Date(time ?? Number.NaN);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}
