import { FromModel, OfferedModel, type ToModel } from "../ipc/model-frames.ts";
import type { Config } from "../config/schema.ts";
import * as z from "zod/mini";
import { KNOWN_PROVIDERS, splitModelRef } from "../ipc/provider.ts";
import type { NamedBytes } from "../ipc/named-bytes.ts";
import type { ModelAnswer, ModelPort, ModelRequest } from "../effect/model.ts";
import type { TrialPort, TrialResult } from "../effect/model-trial.ts";
import type { Attestation, AttestationPort } from "../effect/attestation.ts";
import { ModelFacts } from "../broker/model-facts.ts";
import { manifestDigest } from "./manifest-file.ts";
import type { Checked, Verdict } from "./credentials.ts";
import { isListening } from "./listening.ts";
import { type ProviderSettings, pickModel, providerSettings, unknownProvider } from "./model-choice.ts";
import type { Kept, Processes, SecretOf } from "./processes.ts";
import { providerReach, type Reach } from "./reach-list.ts";

/** A model process that is not up within this time counts as dead. */
const UP_MS = 60_000;
/** Asking an endpoint what it offers; a local one answers in milliseconds. */
const LISTING_MS = 10_000;
const CHECK_MS = 30_000;
/** A process that has not let go of a conversation by then is ended. */
const FORGET_MS = 5_000;
/** Of what a provider says of a key, in characters. */
const MAX_SENTENCE = 500;

const Offered = z.array(OfferedModel);

type Failure = Extract<FromModel, { type: "failed" }>;

interface Waiting {
  delta(text: Uint8Array): void;
  settle(result: ModelAnswer): void;
  /** It has not what the request goes on from. */
  resend(): void;
  streamed: boolean;
}

/** One provider's process: started when it is first needed, kept while it is used. */
class ProviderProcess {
  readonly settings: ProviderSettings;
  readonly kept: Kept<ToModel>;
  readonly #waiting = new Map<number, Waiting>();
  readonly #trials = new Map<number, (result: TrialResult) => void>();
  readonly #listings = new Map<number, (listed: Listed) => void>();
  readonly #attests = new Map<number, (shown: Omit<Attestation, "manifest">) => void>();
  /** Conversations that it may have something of, and who waits until it has not. */
  readonly #has = new Map<number, (() => void) | null>();
  #ref = 0;

  constructor(
    processes: Processes,
    settings: ProviderSettings,
    secrets: () => readonly SecretOf[],
    reach: () => Reach,
    cause: number | null,
  ) {
    this.settings = settings;
    this.kept = processes.keep<FromModel, ToModel>({
      role: "model",
      args: [],
      subject: settings.provider,
      accepts: FromModel,
      stop: { type: "stop" },
      secret: (name) => ({ type: "secret", name }),
      cause,
      // The built-in model speaks to nobody.
      ...(settings.baseUrl === null ? {} : { reach }),
      secrets,
      started: (child) =>
        child.send({
          type: "start",
          check: false,
          provider: settings.provider,
          api: settings.api,
          baseUrl: settings.baseUrl,
        }),
      hear: (header, payload) => this.#hear(header, payload),
      down: () => this.#down(),
    });
  }

  #hear(header: FromModel, payload: Uint8Array): void {
    switch (header.type) {
      case "delta": {
        const waiting = this.#waiting.get(header.ref);
        if (waiting === undefined) return;
        waiting.streamed = true;
        waiting.delta(payload);
        return;
      }
      case "completed":
        this.#settle(header.ref, {
          state: "completed",
          model: header.model,
          inputTokens: header.inputTokens,
          outputTokens: header.outputTokens,
          stop: header.stop,
          answer: payload,
        });
        return;
      case "tried": {
        const { type: _, ref, ...seen } = header;
        const [why = "", whyImages = ""] = Buffer.from(payload).toString("utf8").split("\n");
        this.#tried(ref, { state: "tried", ...seen, why: why || null, whyImages: whyImages || null });
        return;
      }
      case "failed":
        this.#tried(header.ref, {
          state: "failed",
          code: header.code,
          sentence: Buffer.from(payload).toString("utf8"),
        });
        this.#settle(header.ref, failed(header, Buffer.from(payload).toString("utf8")));
        return;
      case "resend":
        this.#waiting.get(header.ref)?.resend();
        return;
      case "attested":
        this.#attests.get(header.ref)?.({ result: header.result, evidence: Buffer.from(payload).toString("utf8") });
        this.#attests.delete(header.ref);
        return;
      case "forgot":
        this.#forgot(header.conversation);
        return;
      case "models": {
        const said = Buffer.from(payload).toString("utf8").slice(0, MAX_SENTENCE);
        const parsed = header.failure === null ? Offered.safeParse(jsonOf(payload)) : null;
        this.#listings.get(header.ref)?.({
          models: parsed?.success === true ? parsed.data : [],
          refusal: header.failure === "refused" ? said : null,
          silence: header.failure === null || header.failure === "refused" ? null : said,
        });
        this.#listings.delete(header.ref);
        return;
      }
      case "ready":
      case "checked":
        return;
    }
  }

  #settle(ref: number, result: ModelAnswer): void {
    this.#waiting.get(ref)?.settle(result);
    this.#waiting.delete(ref);
  }

  #tried(ref: number, result: TrialResult): void {
    this.#trials.get(ref)?.(result);
    this.#trials.delete(ref);
  }

  #down(): void {
    for (const ref of this.#trials.keys()) this.#tried(ref, { state: "failed", code: "died", sentence: this.#died });

    for (const [ref, waiting] of this.#waiting) {
      this.#waiting.delete(ref);
      waiting.settle({
        state: "failed",
        code: "died",
        sentence: this.#died,
        streamed: waiting.streamed,
      });
    }
    for (const settle of this.#listings.values()) settle(UNLISTED);
    this.#listings.clear();
    for (const settle of this.#attests.values()) settle({ result: "unreachable", evidence: this.#died });
    this.#attests.clear();
    for (const conversation of this.#has.keys()) this.#forgot(conversation);
  }

  get #died(): string {
    return `the process that talks to ${this.settings.provider} ended unexpectedly`;
  }

  #forgot(conversation: number): void {
    const told = this.#has.get(conversation);
    this.#has.delete(conversation);
    told?.();
  }

  /** Resolves when it has nothing of a conversation any more, in whatever way. */
  async forget(conversation: number): Promise<void> {
    if (!this.#has.has(conversation)) return;
    const forgotten = new Promise<boolean>((resolve) => {
      const before = this.#has.get(conversation) ?? null;
      const timer = setTimeout(() => resolve(false), FORGET_MS);
      this.#has.set(conversation, () => {
        before?.();
        clearTimeout(timer);
        resolve(true);
      });
      // A pipe that is over is its process's end, which is told by `down`.
      this.kept.send({ type: "forget", conversation }).catch(() => undefined);
    });
    if (!(await forgotten)) this.kept.broke("it does not let go of a conversation that is over");
  }

  async complete(asked: ModelRequest, onDelta: (text: Uint8Array) => void, signal: AbortSignal): Promise<ModelAnswer> {
    const { conversation, root, show, others, model, maxOutputTokens, timeoutMs } = asked;
    this.#ref += 1;
    const ref = this.#ref;
    try {
      await this.kept.whenReady(UP_MS);
    } catch {
      const sentence = `the process that talks to ${this.settings.provider} does not start`;
      return { state: "failed", code: "died", sentence, streamed: false };
    }
    return await new Promise<ModelAnswer>((resolve) => {
      const cancel = (): void => void this.kept.send({ type: "cancel", ref }).catch(() => undefined);
      const send = (keep: number, packed: Uint8Array): void => {
        if (!this.#has.has(conversation)) this.#has.set(conversation, null);
        const frame = {
          type: "complete",
          ref,
          conversation,
          keep,
          root,
          show,
          others,
          model,
          maxOutputTokens,
          timeoutMs,
        } as const;
        this.#sendFiles(asked, keep)
          .then(async () => await this.kept.send(frame, packed))
          .catch(() => this.#settle(ref, failure("died", "the model process ended")));
      };
      let resent = false;
      signal.addEventListener("abort", cancel, { once: true });
      this.#waiting.set(ref, {
        delta: onDelta,
        streamed: false,
        settle: (result) => {
          signal.removeEventListener("abort", cancel);
          resolve(result);
        },
        resend: () => {
          // Once: whoever has just got everything needs no more.
          if (resent) this.#settle(ref, failure("other", "the model process did not keep what it was given"));
          else void this.#sendWhole(ref, asked, signal, send);
          resent = true;
        },
      });
      send(asked.keep, asked.packed);
    });
  }

  /** What items from number `from` on show, each once. It is on its way before the request is. */
  async #sendFiles({ conversation, files, show }: ModelRequest, from: number): Promise<void> {
    const sent = new Set<string>();
    for (const { sha256, item, media, read } of files) {
      if (item < from || sent.has(sha256)) continue;
      if (show === "none" || (show === "images" && media === "application/pdf")) continue;
      sent.add(sha256);
      await this.kept.send({ type: "file", conversation, sha256 }, (await read()) ?? new Uint8Array(0));
    }
  }

  async #sendWhole(
    ref: number,
    asked: ModelRequest,
    signal: AbortSignal,
    send: (keep: number, packed: Uint8Array) => void,
  ): Promise<void> {
    const all = await asked.whole();
    if (signal.aborted) this.#settle(ref, failure("cancelled", "the answer was stopped"));
    else if (all === null) this.#settle(ref, failure("other", "the agent did not say again what it had asked"));
    else if (this.#waiting.has(ref)) send(0, all);
  }

  async tryOut(model: string, signal: AbortSignal): Promise<TrialResult> {
    this.#ref += 1;
    const ref = this.#ref;
    await this.kept.whenReady(UP_MS);
    const cancel = (): void => void this.kept.send({ type: "cancel", ref }).catch(() => undefined);
    signal.addEventListener("abort", cancel, { once: true });
    return await new Promise<TrialResult>((resolve) => {
      this.#trials.set(ref, (result) => {
        signal.removeEventListener("abort", cancel);
        resolve(result);
      });
      this.kept
        .send({ type: "try", ref, model })
        .catch(() => this.#tried(ref, { state: "failed", code: "died", sentence: this.#died }));
    });
  }

  async attest(): Promise<Omit<Attestation, "manifest">> {
    this.#ref += 1;
    const ref = this.#ref;
    await this.kept.whenReady(UP_MS);
    return await new Promise((resolve) => {
      this.#attests.set(ref, resolve);
      this.kept.send({ type: "attest", ref }).catch(() => {
        this.#attests.get(ref)?.({ result: "unreachable", evidence: this.#died });
        this.#attests.delete(ref);
      });
    });
  }

  async models(): Promise<Listed> {
    this.#ref += 1;
    const ref = this.#ref;
    await this.kept.whenReady(LISTING_MS);
    return await new Promise<Listed>((resolve) => {
      const timer = setTimeout(() => {
        this.#listings.delete(ref);
        resolve(UNLISTED);
      }, LISTING_MS);
      this.#listings.set(ref, (listed) => {
        clearTimeout(timer);
        resolve(listed);
      });
      this.kept.send({ type: "models", ref }).catch(() => this.#listings.get(ref)?.(UNLISTED));
    });
  }
}

/** What a provider offers, or why its key was refused. */
interface Listed {
  readonly models: OfferedModel[];
  readonly refusal: string | null;
  /** Why it did not say. */
  readonly silence: string | null;
}

/** It did not say. */
const UNLISTED: Listed = { models: [], refusal: null, silence: null };

function failure(code: Failure["code"], sentence: string): ModelAnswer {
  return { state: "failed", code, sentence, streamed: false };
}

function failed(header: Failure, sentence: string): ModelAnswer {
  return { state: "failed", code: header.code, sentence, streamed: header.streamed };
}

function jsonOf(payload: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(payload).toString("utf8"));
  } catch {
    return null;
  }
}

/** The model processes, one per provider in use. The supervisor hashes and forwards what passes, and parses none of it. */
export class Models implements ModelPort, TrialPort, AttestationPort {
  readonly #processes: Processes;
  readonly #config: () => Config;
  /** Where a provider's key is, if it was enrolled. */
  readonly #key: (provider: string) => SecretOf | null;
  /** Why a key that was enrolled cannot be had: the vault is locked, or it expired; null if it can. */
  readonly #withheld: (provider: string) => string | null;
  readonly #running = new Map<string, ProviderProcess>();
  /** What each provider said last of its models. */
  readonly #said = new Map<string, readonly OfferedModel[]>();
  /** What is known of models: what their contexts hold, and what they can be shown. */
  readonly facts = new ModelFacts({
    written: (ref) => Object.entries(this.#config().models).find(([name]) => name === ref)?.[1] ?? null,
    listed: (ref) => {
      const { provider, model } = splitModelRef(ref);
      return this.#said.get(provider)?.find(({ id }) => id === model) ?? null;
    },
  });

  constructor(parts: {
    processes: Processes;
    config: () => Config;
    key: (provider: string) => SecretOf | null;
    withheld: (provider: string) => string | null;
  }) {
    this.#processes = parts.processes;
    this.#config = parts.config;
    this.#key = parts.key;
    this.#withheld = parts.withheld;
  }

  /** One completion. It never throws for what a provider or its process does. */
  async complete(
    request: ModelRequest,
    onDelta: (text: Uint8Array) => void,
    signal: AbortSignal,
  ): Promise<ModelAnswer> {
    const { provider } = request;
    const running = this.#of(provider, null);
    if (running !== null) {
      return await running.complete(request, onDelta, signal);
    }
    const sentence = this.unusable(provider) ?? `${provider} is not a provider known here`;
    return { state: "failed", code: "key-refused", sentence, streamed: false };
  }

  /** Asks a model the questions of a trial. It never throws for what a provider or its process does. */
  async tryOut(provider: string, model: string, signal: AbortSignal): Promise<TrialResult> {
    try {
      const running = this.#of(provider, null);
      if (running !== null) return await running.tryOut(model, signal);
      return { state: "failed", code: "key-refused", sentence: this.unusable(provider) ?? "it is not known here" };
    } catch {
      const sentence = `the process that talks to ${provider} does not start`;
      return { state: "failed", code: "died", sentence };
    }
  }

  /** Why a provider cannot be asked, in a sentence that says what to do; null: it can. */
  unusable(provider: string): string | null {
    if (providerSettings(this.#config(), provider)?.needsKey !== true) return null;
    const withheld = this.#withheld(provider);
    if (withheld !== null) return withheld;
    return this.#key(provider) === null ? `there is no key for ${provider}: run wirken vault add ${provider}` : null;
  }

  #of(provider: string, cause: number | null): ProviderProcess | null {
    const known = this.#running.get(provider);
    if (known !== undefined) return known;
    const settings = providerSettings(this.#config(), provider);
    if (settings === null) return null;
    const key = this.#withheld(provider) === null ? this.#key(provider) : null;
    if (settings.needsKey && key === null) return null;
    const secrets = (): SecretOf[] => {
      const now = this.#key(provider);
      return now === null ? [] : [now];
    };
    const started = new ProviderProcess(
      this.#processes,
      settings,
      key === null ? () => [] : secrets,
      () => this.#reach(settings),
      cause,
    );
    this.#running.set(provider, started);
    return started;
  }

  #reach(settings: ProviderSettings): Reach {
    return providerReach(settings);
  }

  /** What a provider's process may reach, whether or not one runs; nothing for a name that is not known. */
  reachOf(provider: string): Reach {
    const settings = providerSettings(this.#config(), provider);
    return settings === null ? [] : this.#reach(settings);
  }

  /** A conversation is over. Resolves when no model process has anything of it. */
  async forget(conversation: number): Promise<void> {
    await Promise.all([...this.#running.values()].map((running) => running.forget(conversation)));
  }

  /** What a provider offers; empty when it does not answer. */
  async offered(provider: string, cause: number | null): Promise<OfferedModel[]> {
    return (await this.listed(provider, cause)).models;
  }

  /** The same, with what it says where it refuses the key. */
  async listed(provider: string, cause: number | null = null): Promise<Listed> {
    const running = this.#of(provider, cause);
    const listed = running === null ? UNLISTED : await running.models().catch(() => UNLISTED);
    this.#said.set(provider, listed.models);
    return listed;
  }

  /** Has a provider show what it is. It never throws for what a provider or its process does. */
  async attest(provider: string): Promise<Attestation> {
    const written = Object.entries(this.#config().providers).find(([name]) => name === provider)?.[1].manifest;
    try {
      const running = this.#of(provider, null);
      if (running === null) return { result: "unreachable", manifest: null, evidence: `there is no ${provider}` };
      const shown = await running.attest();
      if (written === undefined) return { ...shown, manifest: null };
      const manifest = await manifestDigest(written);
      const lacks = shown.result === "holds" && manifest === null;
      if (!lacks) return { ...shown, manifest };
      const evidence = `the manifest that ${provider} is held to cannot be read: providers.${provider}.manifest in config.json says where it lies`;
      return { result: "refused", manifest, evidence };
    } catch {
      const evidence = `the process that talks to ${provider} does not start`;
      return { result: "unreachable", manifest: null, evidence };
    }
  }

  /** Hands a new version of its key to a provider's process, which uses it from the next request on, and asks the provider with it.
   *  @returns null where no process of it runs. */
  async handOver(provider: string, secret: SecretOf): Promise<Verdict | null> {
    const running = this.#running.get(provider);
    if (running === undefined) return null;
    try {
      await running.kept.whenReady(UP_MS);
      await running.kept.hand(secret);
      const { refusal } = await running.models();
      return refusal === null ? { works: true, account: null } : { works: false, sentence: refusal };
    } catch (error) {
      const why = error instanceof Error ? error.name : "error";
      return { works: false, sentence: `the process that talks to ${provider} could not be given it (${why})` };
    }
  }

  /** The model of an Ollama on its default port that can call tools and was used last; null when none answers. */
  async findOllama(cause: number): Promise<string | null> {
    const place = providerSettings(this.#config(), "ollama")?.baseUrl;
    // Two processes less where it is seen that nobody is there to be asked.
    if (place === KNOWN_PROVIDERS.ollama.baseUrl && isListening(Number(new URL(place).port)) === false) return null;
    const offered = await this.offered("ollama", cause);
    const picked = offered.length === 0 ? null : pickModel("ollama", offered);
    if (picked === null) await this.end("ollama");
    return picked;
  }

  /** Asks a provider whether a candidate key is good, in a process that gets nothing else. */
  async check(provider: string, candidate: readonly NamedBytes[] | SecretOf, cause: number | null): Promise<Checked> {
    const settings = providerSettings(this.#config(), provider);
    if (settings === null) throw unknownProvider(provider);
    return await this.#processes.check<FromModel, ToModel>({
      role: "model",
      args: [],
      subject: provider,
      accepts: FromModel,
      stop: { type: "stop" },
      secret: (name) => ({ type: "secret", name }),
      candidate,
      ...(settings.baseUrl === null ? {} : { reach: () => this.#reach(settings) }),
      start: { type: "start", check: true, provider: settings.provider, api: settings.api, baseUrl: settings.baseUrl },
      timeoutMs: CHECK_MS,
      cause,
    });
  }

  /** Ends a provider's process: its key or its settings changed, or nobody uses it. The next call starts a new one. */
  async end(provider: string): Promise<void> {
    const running = this.#running.get(provider);
    this.#running.delete(provider);
    this.#said.delete(provider);
    await running?.kept.stop();
  }

  /** Ends what the configuration changed. */
  async settingsChanged(): Promise<void> {
    for (const [provider, running] of this.#running) {
      const now = providerSettings(this.#config(), provider);
      if (now === null || now.written !== running.settings.written || now.api !== running.settings.api)
        await this.end(provider);
    }
  }

  /** The vault is about to be locked: what holds a key ends. */
  async lock(): Promise<void> {
    for (const [provider] of this.#running) if (this.#key(provider) !== null) await this.end(provider);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((provider) => this.end(provider)));
  }
}
