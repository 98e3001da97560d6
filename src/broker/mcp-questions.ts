import { AuditError } from "../../audit/error.ts";
import { type ActionOfType, digestOf, encodeAction, type ToolAction } from "../effect/action.ts";
import { canonicalJson } from "../effect/canonical-json.ts";
import type { McpAsker, McpField, McpQuestion, McpReply } from "../effect/mcp-port.ts";
import type { AskedRequest } from "../effect/request.ts";
import { Answer, type CompletionRequest } from "../ipc/completion.ts";
import { mint } from "../ipc/ids.ts";
import { factsOf } from "./action.ts";
import type { Call, ToolAsk } from "./call.ts";
import { complete, type CompletionEvents, type CompletionGates, type ModelChoice } from "./completion.ts";
import type { Gates } from "./gates.ts";
import type { Judge } from "./judge.ts";
import { severalFor } from "./several.ts";

/** What an MCP server has a model say: in a conversation of its own, which nothing of ours is in. Filled by the supervisor. */
export interface Sampling {
  /** Whom an agent's completions are asked of. */
  model(agent: string): ModelChoice;
  /** A request in a conversation of its own. @returns it, and what ends that conversation. @throws {Error} for what is too long. */
  request(of: CompletionRequest): { readonly request: AskedRequest; readonly over: () => Promise<void> };
}

/** Questions of servers that one turn has people asked. */
const MAX_QUESTIONS = 10;

/** Nobody watches. */
const SILENT: CompletionEvents = { delta: () => undefined, answered: () => undefined };

const NO: McpReply = { verdict: "decline", payload: new Uint8Array(), model: null };
const NOBODY: McpReply = { ...NO, verdict: "cancel" };

/** What a server asks back while one of its calls runs: a person is asked every time, and shown exactly what the server would get. */
export class McpQuestions {
  readonly #gates: Gates;
  readonly #judge: Judge;
  readonly #call: Call;
  readonly #action: ActionOfType<"mcp.call">;
  readonly #ask: ToolAsk;
  readonly #completing: CompletionGates;
  /** The row of the call that runs. */
  readonly #row: number;
  #asked = 0;
  /** What the person would have to be asked, for the agent to say. */
  readonly unanswered: string[] = [];

  constructor(given: {
    readonly gates: Gates;
    readonly judge: Judge;
    readonly call: Call;
    readonly action: ActionOfType<"mcp.call">;
    readonly ask: ToolAsk;
    readonly completing: CompletionGates;
    readonly row: number;
  }) {
    this.#gates = given.gates;
    this.#judge = given.judge;
    this.#call = given.call;
    this.#action = given.action;
    this.#ask = given.ask;
    this.#completing = given.completing;
    this.#row = given.row;
  }

  readonly asker: McpAsker = async (question, signal) => {
    this.#asked += 1;
    const { turn } = this.#call;
    // Nobody is there to be asked, or has been asked enough.
    if (turn.scheduled !== null || turn.signal.aborted || this.#asked > MAX_QUESTIONS) return NO;
    try {
      return question.what === "sampling" ? await this.#sampled(question, signal) : await this.#told(question);
    } catch (cause) {
      // What cannot be recorded is not done.
      if (cause instanceof AuditError) return NO;
      throw cause;
    }
  };

  async #sampled(question: Extract<McpQuestion, { what: "sampling" }>, signal: AbortSignal): Promise<McpReply> {
    const { turn } = this.#call;
    const { sampling } = this.#gates;
    const model = sampling.model(turn.agent);
    const maxOutputTokens = Math.min(question.maxTokens, model.maxOutputTokens);
    const action: ToolAction = {
      type: "mcp.sample",
      server: this.#action.server,
      model: `${model.provider}/${model.model}`,
      system: question.system,
      messages: question.messages.map(({ role, text }) => ({ role, text })),
      maxTokens: maxOutputTokens,
      hosts: [...this.#action.hosts],
    };
    return await this.#approved(action, question, async () => {
      const { request, over } = sampling.request({
        instructions: question.system ?? "",
        messages: question.messages.map(({ role, text }) =>
          role === "user" ? { role, text } : { role, text, calls: [] },
        ),
        tools: [],
      });
      try {
        const ref = -this.#row;
        const outcome = await complete(
          this.#completing,
          turn,
          { ref, request },
          [{ ...model, maxOutputTokens }],
          SILENT,
          signal,
        );
        if (outcome.state === "failed") return NOBODY;
        const { text } = Answer.parse(JSON.parse(Buffer.from(outcome.answer).toString("utf8")));
        return { verdict: "accept", payload: Buffer.from(text), model: model.model };
      } finally {
        await over();
      }
    });
  }

  async #told(question: Extract<McpQuestion, { what: "elicitation" }>): Promise<McpReply> {
    const { answers, server, hosts } = this.#action;
    const values = question.url === null ? valuesFor(question.fields, answers) : null;
    if (values === null) {
      this.unanswered.push(wantedBy(question));
      return NOBODY;
    }
    const json = canonicalJson(values);
    const action: ToolAction = { type: "mcp.tell", server, message: question.message, values: json, hosts: [...hosts] };
    return await this.#approved(action, question, () =>
      Promise.resolve({ verdict: "accept", payload: Buffer.from(json), model: null }),
    );
  }

  /** Asks the person, records what was asked, and does it where they approve. @throws {AuditError}. */
  async #approved(action: ToolAction, question: McpQuestion, act: () => Promise<McpReply>): Promise<McpReply> {
    const { turn } = this.#call;
    const { log, approvals } = this.#gates;
    const bytes = encodeAction(action);
    const decision = this.#judge.decide(turn, bytes, action);
    await using recorded = await log.record(
      {
        kind: "mcp.asked",
        server: this.#action.server,
        what: question.what,
        turn: turn.turn,
        session: turn.session,
        call: mint("call"),
        principal: turn.principal,
      },
      { cause: this.#row, seal: turn.session, content: { asked: bytes } },
    );
    recorded.redeem();
    let reply = NO;
    if (decision.verdict === "ask") {
      const { keys } = factsOf(action);
      const verdict = await approvals.request({
        ...this.#judge.asking(turn),
        group: this.#ask.group,
        cause: recorded.seq,
        keys,
        tier: decision.tier,
        scopes: decision.scopes,
        remembers: decision.remembers,
        reason: `the MCP server ${this.#action.server} asks while its tool runs; ${decision.reason}`,
        actions: [bytes],
        whys: [null],
        end: null,
        several: severalFor(keys, this.#gates.several()),
      });
      if (verdict.state === "approved" && verdict.covers[0] === digestOf(bytes)) reply = await act();
      else if (verdict.state !== "denied") reply = NOBODY;
    } else if (decision.verdict === "allow") reply = await act();
    await recorded.finish<"mcp.told">({ kind: "mcp.told", verdict: reply.verdict }, { told: reply.payload });
    return reply;
  }
}

/** The fields as the person filled them in, by way of the agent. @returns null: something that is wanted is missing, or of another kind. */
function valuesFor(
  fields: readonly McpField[],
  answers: string | null,
): Record<string, string | number | boolean> | null {
  const given: unknown = answers === null ? {} : JSON.parse(answers);
  const by = new Map<string, unknown>(typeof given === "object" && given !== null ? Object.entries(given) : []);
  const values: Record<string, string | number | boolean> = {};
  for (const field of fields) {
    const value = by.get(field.name);
    if (value === undefined || value === null) {
      if (field.required) return null;
      continue;
    }
    if (!fits(field, value)) return null;
    values[field.name] = value;
  }
  return values;
}

function fits({ kind, choices }: McpField, value: unknown): value is string | number | boolean {
  switch (kind) {
    case "text":
      return typeof value === "string";
    case "choice":
      return typeof value === "string" && choices.includes(value);
    case "number":
      return typeof value === "number" && Number.isFinite(value);
    case "integer":
      return Number.isSafeInteger(value);
    case "boolean":
      return typeof value === "boolean";
  }
}

function wantedBy({ message, fields, url }: Extract<McpQuestion, { what: "elicitation" }>): string {
  if (url !== null) return `“${message}”, at ${url}: nobody is sent there by an agent`;
  const wanted = fields.map(({ name, kind, required, choices, description }) => {
    const what = kind === "choice" ? `one of ${choices.join(", ")}` : kind;
    return `${name} (${what}${required ? "" : ", may be left out"}${description === "" ? "" : `: ${description}`})`;
  });
  return `“${message}”: ${wanted.join("; ")}`;
}
