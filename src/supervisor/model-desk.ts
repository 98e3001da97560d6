import type { AuditLog } from "../../audit/log.ts";
import { attestProvider } from "../effect/attestation.ts";
import { tryModel } from "../effect/model-trial.ts";
import type { Config } from "../config/schema.ts";
import type { PriceView, ProviderView } from "../ipc/model-calls.ts";
import type { AnswerTo, OperatorCall } from "../ipc/operator.ts";
import { type ModelRef, splitModelRef } from "../ipc/provider.ts";
import type { Agents } from "./agents.ts";
import { configOf } from "./in-force.ts";
import { priceView } from "./price-view.ts";
import { attestsItself, isLocalProvider, providerSettings, unknownProvider } from "./model-choice.ts";
import type { Models } from "./models.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";

type Asked = Extract<OperatorCall, { call: `models.${string}` }>;
type Answers = { [C in Asked["call"]]: AnswerTo<C> }[Asked["call"]];

export interface ModelDeskParts {
  readonly log: AuditLog;
  readonly models: Models;
  readonly agents: Agents;
  readonly config: () => Config;
  /** Writes into the configuration file. */
  readonly set: (path: readonly string[], value: unknown) => Promise<void>;
  /** Providers with a credential, the oldest first. */
  readonly enrolled: () => readonly string[];
  readonly now: () => number;
  /** Such as 2026-11-29, UTC. */
  readonly today: () => string;
}

/** What the owner asks about models: which there are, whether one works, and which an agent talks to. */
export class ModelDesk {
  readonly #parts: ModelDeskParts;

  constructor(parts: ModelDeskParts) {
    this.#parts = parts;
  }

  /** @throws {OperatorError} with a sentence for the caller. */
  async answer(call: Asked, who: By, signal: AbortSignal): Promise<Answers> {
    switch (call.call) {
      case "models.list":
        return await this.#list(call.provider);
      case "models.test":
        return await this.#test(call.model, who, signal);
      case "models.use":
        return await this.#use(call.agent, call.model);
      case "models.fall-back":
        return await this.#fallBack(call.agent, call.models);
      case "models.price":
        return { prices: this.#prices(call.model) };
      case "models.price.set":
        return await this.#setPrice(call.model, call.price);
    }
  }

  async #list(provider: string | null): Promise<AnswerTo<"models.list">> {
    if (provider !== null) return { providers: [await this.#view(provider)] };
    const { agents, config, enrolled } = this.#parts;
    const used = agents.names.map((agent) => agents.inForce.of(agent)?.choice.provider ?? "");
    const names = new Set([...used, ...enrolled(), ...Object.keys(config().providers)].filter((name) => name !== ""));
    return { providers: await Promise.all([...names].map((name) => this.#view(name))) };
  }

  async #view(provider: string): Promise<ProviderView> {
    const { agents, config, models } = this.#parts;
    this.#isKnown(provider);
    const local = isLocalProvider(config(), provider);
    const missing = models.unusable(provider);
    if (missing !== null) return { provider, state: "no-key", note: missing, local, models: [] };
    const { models: offered, refusal, silence } = await models.listed(provider);
    const usedBy = (id: string): string[] =>
      agents.names.filter((agent) => {
        const choice = agents.inForce.of(agent)?.choice;
        return choice?.provider === provider && choice.model === id;
      });
    return {
      provider,
      state: refusal !== null ? "refused" : offered.length > 0 ? "answers" : "silent",
      note: refusal ?? silence ?? (offered.length > 0 ? null : `${provider} did not say what it has`),
      local,
      models: offered.map((model) => ({
        ...model,
        ...this.#known(`${provider}/${model.id}`),
        agents: usedBy(model.id),
      })),
    };
  }

  async #test(ref: ModelRef, who: By, signal: AbortSignal): Promise<AnswerTo<"models.test">> {
    const { log, models, now } = this.#parts;
    const { provider, model } = splitModelRef(ref);
    this.#isKnown(provider);
    const missing = models.unusable(provider);
    if (missing !== null) throw new OperatorError("not-ready", missing);
    const attested = await this.#attested(provider, signal);
    const began = now();
    await using recorded = await log.record({ kind: "model.trying", provider, model, ...who }, { cause: null });
    const result = await tryModel(recorded, models, signal);
    if (result.state === "failed") {
      await recorded.fail(new Error(`${result.code}: ${result.sentence}`));
      throw new OperatorError("bad-answer", `${ref} does not answer: ${result.sentence}`);
    }
    const { state: _, why, whyImages, ...seen } = result;
    models.facts.tried(ref, seen.images);
    await recorded.finish(
      {
        kind: "model.tried",
        text: seen.text ? "yes" : "no",
        tools: seen.tools ? "yes" : "no",
        images: seen.images ? "yes" : "no",
        inputTokens: seen.inputTokens,
        outputTokens: seen.outputTokens,
      },
      why === null ? {} : { why },
    );
    return { ...seen, why, whyImages, attested, ms: Math.round(now() - began) };
  }

  /** What a provider shows of itself, where it can: whatever it shows, the questions of a trial hold nothing. */
  async #attested(provider: string, signal: AbortSignal): Promise<AnswerTo<"models.test">["attested"]> {
    const { log, models, config } = this.#parts;
    if (!attestsItself(config(), provider)) return null;
    const recorded = await log.record({ kind: "model.attesting", provider }, { cause: null });
    const { result, evidence, manifest } = await attestProvider(recorded, models, signal);
    return { holds: result === "holds", evidence, manifest };
  }

  async #use(agent: string, ref: ModelRef): Promise<AnswerTo<"models.use">> {
    const { agents, models } = this.#parts;
    const { provider, model } = splitModelRef(ref);
    const before = agents.inForce.of(agent)?.choice;
    if (before === undefined)
      throw new OperatorError("not-found", `there is no agent ${agent}`, "see: wirken agents list");
    this.#isKnown(provider);
    const missing = models.unusable(provider);
    if (missing !== null) throw new OperatorError("not-ready", missing);
    const { models: offered } = await models.listed(provider);
    await this.#parts.set(["agents", agent, "model"], ref);
    const listed = offered.length === 0 || offered.some(({ id }) => id === model);
    return {
      agent,
      model: ref,
      before: `${before.provider}/${before.model}`,
      note: listed ? null : `${provider} does not list ${model}: see whether it answers with wirken models test ${ref}`,
    };
  }

  /** What is known of a model beside what its provider says in its list. */
  #known(ref: string): Pick<ProviderView["models"][number], "images" | "pdfs" | "window"> {
    const { facts } = this.#parts.models;
    return {
      images: facts.shows(ref, "image/png"),
      pdfs: facts.shows(ref, "application/pdf"),
      window: facts.windowOf(ref),
    };
  }

  async #fallBack(agent: string, refs: readonly ModelRef[]): Promise<AnswerTo<"models.fall-back">> {
    const { agents, config, models } = this.#parts;
    if (agents.inForce.of(agent) === null)
      throw new OperatorError("not-found", `there is no agent ${agent}`, "see: wirken agents list");
    for (const ref of refs) this.#isKnown(splitModelRef(ref).provider);
    const before = configOf(config(), agent).fallback ?? [];
    await this.#parts.set(["agents", agent, "fallback"], refs.length === 0 ? undefined : refs);
    const notes = refs.flatMap((ref) => {
      const missing = models.unusable(splitModelRef(ref).provider);
      const { from } = priceView(config(), ref);
      return [
        ...(missing === null ? [] : [`${ref} is passed over until it can be asked: ${missing}`]),
        ...(from === "nobody"
          ? [
              `${ref} has no known price: under a budget in money that somebody set it is passed over (wirken models price)`,
            ]
          : []),
      ];
    });
    return { agent, models: [...refs], before, notes };
  }

  #prices(ref: ModelRef | null): PriceView[] {
    const { agents, config } = this.#parts;
    if (ref !== null) return [priceView(config(), ref)];
    const used = agents.names.flatMap((agent) => {
      const choice = agents.inForce.of(agent)?.choice;
      const own = choice === undefined ? [] : [`${choice.provider}/${choice.model}`];
      return [...own, ...(configOf(config(), agent).fallback ?? [])];
    });
    return [...new Set([...used, ...Object.keys(config().prices)])].map((one) => priceView(config(), one));
  }

  async #setPrice(
    ref: ModelRef,
    price: { readonly input: number; readonly output: number; readonly source: string | null } | null,
  ): Promise<AnswerTo<"models.price.set">> {
    const { config, today } = this.#parts;
    if (price === null && !Object.hasOwn(config().prices, ref))
      throw new OperatorError("not-found", `config.json gives no price for ${ref}`, `see: wirken models price ${ref}`);
    const written =
      price === null
        ? undefined
        : {
            input: price.input,
            output: price.output,
            asOf: today(),
            ...(price.source === null ? {} : { source: price.source }),
          };
    await this.#parts.set(["prices", ref], written);
    return { price: priceView(config(), ref) };
  }

  #isKnown(provider: string): void {
    if (providerSettings(this.#parts.config(), provider) !== null) return;
    throw unknownProvider(provider);
  }
}
