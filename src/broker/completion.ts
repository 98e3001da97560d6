import type { ActionOf } from "../../audit/action.ts";
import type { AuditLog } from "../../audit/log.ts";
import { AuditError } from "../../audit/error.ts";
import type { Effects } from "../effect/effects.ts";
import type { AskedRequest } from "../effect/request.ts";
import type { CompletionFailure, StopReason } from "../ipc/model-frames.ts";
import { type AttestedDemand, attestedRefusal } from "./attested.ts";
import type { Attestations } from "./attestations.ts";
import type { Budget, Reached, Reserving, Spending } from "./budget.ts";
import { warningOf, windowStart } from "./budget-limit.ts";
import { chainOf } from "./lowered.ts";
import { type Called, callOnce, type CallOf } from "./model-call.ts";
import type { ModelFacts } from "./model-facts.ts";
import { type Outage, outageOf, type Outages } from "./outages.ts";
import type { EndTurn, TurnContext } from "./turn.ts";

/** A completion as an agent asks for it. */
export interface CompletionAsk {
  /** Its reference on the agent's pipe: the `group` of the calls that come from it. */
  readonly ref: number;
  /** At most 32 MiB: its items are hashed and forwarded, never parsed here. */
  readonly request: AskedRequest;
  /** `summary`: of what the conversation held before; no agent asked for it. */
  readonly purpose?: "summary";
}

/** A model that may answer, as the configuration says. */
export interface ModelChoice {
  readonly provider: string;
  readonly model: string;
  readonly maxOutputTokens: number;
  readonly timeoutMs: number;
}

export type CompletionOutcome =
  | {
      readonly state: "completed";
      readonly answer: Uint8Array;
      readonly stop: StopReason;
      readonly row: number;
      /** As its provider counted the request. */
      readonly inputTokens: number;
      /** What the people in the conversation are told besides, a sentence each. */
      readonly notices: readonly string[];
    }
  | {
      readonly state: "failed";
      readonly code: CompletionFailure;
      /** One sentence for the person. */
      readonly sentence: string;
      readonly endTurn: { readonly reason: EndTurn; readonly sentence: string } | null;
    };
type Failed = Extract<CompletionOutcome, { state: "failed" }>;

export interface CompletionEvents {
  readonly delta: (text: Uint8Array) => void;
  /** The whole answer, while its row is being written. What follows from it has to wait for the outcome, which may be that it could not be. */
  readonly answered: (answer: Uint8Array, stop: StopReason) => void;
}

export interface CompletionGates {
  readonly log: Pick<AuditLog, "record" | "append">;
  readonly effects: Effects;
  readonly budget: Budget;
  /** What is known of models. */
  readonly facts: ModelFacts;
  /** What the policy demands of a model that is told something private. */
  readonly attested: () => AttestedDemand;
  /** Why a provider cannot be asked at all: there is no key; null: it can. */
  readonly unusable: (provider: string) => string | null;
  /** Does a provider show what it is before it is told anything? */
  readonly attests: (provider: string) => boolean;
  readonly attestations: Attestations;
  readonly outages: Outages;
}

/** What is asked of one model, and why of it. */
interface Attempt {
  readonly gates: CompletionGates;
  readonly turn: TurnContext;
  readonly ask: CompletionAsk;
  readonly model: ModelChoice;
  readonly because: { readonly instead: string; readonly because: Outage } | null;
  /** Another one is asked if this one is silent. */
  readonly others: boolean;
  readonly on: CompletionEvents;
  readonly signal: AbortSignal;
}

/** Reserves, records, calls, settles. Where a model is not there to answer, the next one of the list is asked, as long as nothing was said: each under
 *  rows of its own. The list is the configuration's; nothing that a message or an answer holds chooses from it.
 *  @param models the agent's own, then those that are asked instead; there is at least one. */
export async function complete(
  gates: CompletionGates,
  turn: TurnContext,
  ask: CompletionAsk,
  models: readonly ModelChoice[],
  on: CompletionEvents,
  signal: AbortSignal,
): Promise<CompletionOutcome> {
  if (signal.aborted || turn.signal.aborted) return failed("cancelled", "the turn was stopped", "stopped");
  const both = AbortSignal.any([signal, turn.signal]);
  const [own] = models;
  if (own === undefined) throw new RangeError("there is no model to ask");
  // What was not there a moment ago is not waited for again, unless nothing else is left.
  const down = models.map((model) => gates.outages.of(refOf(model)));
  const order = down.every((why) => why !== null) ? [...models.keys()] : [...models.keys()].filter((at) => !down[at]);
  let first: Failed | null = null;
  let why: Outage | null = down[0] ?? null;
  const said: string[] = [];
  try {
    for (const [nth, at] of order.entries()) {
      const model = models[at] ?? own;
      const because = model === own || why === null ? null : { instead: refOf(own), because: why };
      const others = nth < order.length - 1;
      const result = await attempt({ gates, turn, ask, model, because, others, on, signal: both });
      if (result.state === "completed") {
        if (because !== null) said.push(insteadText(turn, own, model, because.because));
        return { ...result, notices: [...result.notices, ...said, ...(await warn(gates, turn))] };
      }
      if (!result.next || both.aborted) return result.failed;
      if (first !== null) said.push(`${refOf(model)} neither: ${result.failed.sentence}`);
      first ??= result.failed;
      why ??= result.outage;
    }
  } catch (error) {
    // Where nothing can be recorded, neither can it be that this failed: what went wrong first counts.
    const cause: unknown = error instanceof SuppressedError ? error.suppressed : error;
    if (!(cause instanceof AuditError)) throw error;
    return failed("refused", `the call could not be recorded (${cause.message}), so nothing more is done`, "failed");
  }
  if (first === null) return failed("other", "no model could be asked", null);
  return { ...first, sentence: [first.sentence, ...said].join("; ") };
}

type Attempted =
  | Extract<CompletionOutcome, { state: "completed" }>
  /** `next`: the next model may be asked. */
  | { readonly state: "failed"; readonly failed: Failed; readonly next: boolean; readonly outage: Outage | null };

async function attempt(asking: Attempt): Promise<Attempted> {
  const { gates, turn, ask, model, because, signal } = asking;
  const { facts, outages } = gates;
  const ref = refOf(model);
  // The agent's own says why by itself.
  const missing = because === null ? null : gates.unusable(model.provider);
  if (missing !== null) return await refused(asking, "no-key", failed("key-refused", missing, null));
  const attested = await attestedRow(asking);
  if (typeof attested === "object" && attested !== null) return attested;

  const spending: Spending = {
    agent: turn.agent,
    principal: turn.principal,
    provider: model.provider,
    model: model.model,
    requestBytes: ask.request.bytes,
    shownTokens: shownTokens(ask.request),
    maxOutputTokens: model.maxOutputTokens,
  };
  const reserved = gates.budget.reserve(spending);
  const reserving = turn.scheduled?.within(gates.budget.most(spending), reserved) ?? reserved;
  if ("refused" in reserving) {
    if (because !== null) return await refused(asking, "budget", failed("refused", reserving.refused, null));
    return { state: "failed", failed: await exhausted(gates.log, turn, reserving), next: false, outage: null };
  }
  const { reservation } = reserving;
  try {
    const { files } = ask.request;
    let show = facts.showing(ref, files);
    const notices: string[] = [];
    const once = async (): Promise<Called> =>
      await callOnce({ ...asking, reservation, show, attested } satisfies CallOf);
    let last = await once();
    // A model process that died before it said anything is asked once more.
    if (last.state === "failed" && last.code === "died" && !last.streamed && !signal.aborted) last = await once();
    while (last.state === "failed" && last.code === "files-refused" && show !== "none" && !signal.aborted) {
      show = facts.refused(ref, files, show);
      notices.push(`${last.sentence}: it was told in words that there is something`);
      last = await once();
    }
    if (last.state === "completed") {
      outages.ended(ref);
      return { ...last, notices };
    }
    const outage = outageOf(last.code);
    if (outage !== null) {
      outages.began(ref, outage);
      gates.attestations.forget(model.provider);
    }
    return {
      state: "failed",
      failed: failed(last.code, last.sentence, null),
      next: outage !== null && !last.streamed,
      outage,
    };
  } finally {
    // Settled already if there was an answer.
    reservation.release();
  }
}

/** The row by which its provider showed what it is; null: it shows nothing, and need not. Or why it is not asked. */
async function attestedRow(asking: Attempt): Promise<number | null | Extract<Attempted, { state: "failed" }>> {
  const { gates, turn, model, signal } = asking;
  const shown = gates.attests(model.provider) ? await gates.attestations.of(model.provider, turn.cause, signal) : null;
  const attested = shown?.result === "holds";
  const demanded = attestedRefusal({
    demand: gates.attested(),
    labels: turn.labels.now,
    attested,
    model: refOf(model),
  });
  if (demanded !== null && shown === null)
    return await refused(asking, "not-attested", failed("refused", demanded, null));
  if (shown === null || attested) return shown?.row ?? null;
  // Whoever chose such a provider chose it for that: without it nothing is said to it.
  const sentence = `${shown.evidence}: nothing was sent to ${model.provider}`;
  if (shown.result === "refused") return await refused(asking, "not-attested", failed("refused", sentence, null));
  gates.outages.began(refOf(model), "unreachable");
  return { state: "failed", failed: failed("unreachable", sentence, null), next: true, outage: "unreachable" };
}

/** It is on the log that a model was not asked. What refuses the agent's own model ends the asking; one that would be asked instead is passed over. */
async function refused(
  { gates, turn, model, because }: Attempt,
  reason: ActionOf<"model.refused">["reason"],
  why: Failed,
): Promise<Extract<Attempted, { state: "failed" }>> {
  await gates.log.append(
    {
      kind: "model.refused",
      turn: turn.turn,
      session: turn.session,
      agent: turn.agent,
      principal: turn.principal,
      ...chainOf(turn),
      provider: model.provider,
      model: model.model,
      reason,
      policy: turn.policy,
      settings: turn.settings,
    },
    { cause: turn.cause, seal: turn.session, content: { why: why.sentence } },
  );
  return { state: "failed", failed: why, next: because !== null, outage: null };
}

/** Said once in a turn. */
function insteadText(turn: TurnContext, own: ModelChoice, model: ModelChoice, why: Outage): string {
  const text = `${refOf(own)} ${OUTAGE_TEXT[why]}: ${refOf(model)} answers instead`;
  if (turn.counters.told.has(text)) return "";
  turn.counters.told.add(text);
  return text;
}

const OUTAGE_TEXT: Readonly<Record<Outage, string>> = {
  unreachable: "cannot be reached",
  overloaded: "is overloaded",
  failing: "fails",
  timeout: "is silent",
  died: "is not there",
};

/** The most that pictures count as with any provider, and a PDF by its size: a page is about 2,000 tokens, and rarely less than 20 KiB. */
const PICTURE_TOKENS = 5_000;
const PDF_BYTES_PER_TOKEN = 10;

function shownTokens({ files }: AskedRequest): number {
  return files.reduce(
    (sum, { media, bytes }) =>
      sum + Math.max(PICTURE_TOKENS, media === "application/pdf" ? Math.ceil(bytes / PDF_BYTES_PER_TOKEN) : 0),
    0,
  );
}

async function exhausted(
  log: CompletionGates["log"],
  turn: TurnContext,
  { refused: sentence, reached }: Extract<Reserving, { refused: string }>,
): Promise<Failed> {
  if (reached !== null)
    await log.append({ kind: "budget.exhausted", ...fieldsOf(reached) }, { cause: turn.cause }).catch(() => undefined);
  return failed("refused", sentence, "budget");
}

/** @returns what is said of budgets that most of is used, once in each hour, day or month. */
async function warn({ log, budget }: CompletionGates, turn: TurnContext): Promise<string[]> {
  const said: string[] = [];
  for (const reached of budget.warnings(turn.agent, turn.principal)) {
    await log.append({ kind: "budget.warned", ...fieldsOf(reached) }, { cause: turn.cause });
    said.push(warningOf(reached.limit, reached.used));
  }
  return said;
}

function fieldsOf({ limit, window, used }: Reached): Omit<ActionOf<"budget.warned">, "kind"> {
  const { subject, id, per, unit, most } = limit;
  return {
    agent: subject === "agent" ? id : null,
    principal: subject === "person" ? id : null,
    per,
    unit,
    most,
    used,
    since: windowStart(window),
  };
}

function refOf({ provider, model }: Pick<ModelChoice, "provider" | "model">): string {
  return `${provider}/${model}`;
}

function failed(code: CompletionFailure, sentence: string, reason: EndTurn | null): Failed {
  return { state: "failed", code, sentence, endTurn: reason === null ? null : { reason, sentence } };
}
