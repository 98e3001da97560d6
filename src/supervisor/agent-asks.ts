import { AuditError } from "../../audit/error.ts";
import type { Broker } from "../broker/broker.ts";
import type { ToolAnswer } from "../broker/call.ts";
import type { EndTurn, TurnContext } from "../broker/turn.ts";
import type { AskedRequest } from "../effect/request.ts";
import type { FromAgent } from "../ipc/agent-frames.ts";
import type { AgentProcess } from "./agent-pool.ts";
import type { AgentInForce } from "./run-parts.ts";

/** A completion may take this long in all. */
const COMPLETION_MS = 10 * 60_000;

/** Who asks, for whom, and of whom. */
export interface AgentAsks {
  readonly broker: Broker;
  readonly agent: AgentProcess;
  readonly context: TurnContext;
  readonly force: AgentInForce;
  /** Tells the people there something about the turn. */
  readonly notify: (sentence: string) => void;
}

/** Answers an agent's wish for a completion. The agent reads the answer while its row is written, and what it then says is heard after that.
 *  @param answered is called before the agent is heard again: it may ask for the next one then.
 *  @param shorter its provider found it too long: makes the conversation shorter and has the agent ask anew, or says that it cannot.
 *  @returns why its turn is over; null: it goes on.
 *  @throws {AuditError} AUDIT_UNWRITABLE if the answer that it was given cannot be recorded: nothing that it made of it counts. */
export async function passCompletion(
  { broker, agent, context, force, notify }: AgentAsks,
  ref: number,
  request: AskedRequest,
  answered: (inputTokens: number | null) => void,
  shorter: () => Promise<boolean> = () => Promise.resolve(false),
): Promise<EndTurn | null> {
  const { provider, model, outputTokens, fallback = [] } = force;
  const models = [{ provider, model }, ...fallback].map((one) => ({
    ...one,
    maxOutputTokens: outputTokens,
    timeoutMs: COMPLETION_MS,
  }));
  let told = false;
  const asked = broker.complete(
    context,
    { ref, request },
    models,
    {
      delta: (text) => void agent.send({ type: "delta", ref }, text),
      answered: (answer, stop) => {
        told = true;
        agent.hold();
        void agent.send({ type: "completed", ref, stop }, answer);
      },
    },
    context.signal,
  );
  const result = await asked.catch((error: unknown) => {
    agent.release({ dropped: true });
    throw error;
  });
  // It was too long: the agent is not told so, and asks anew.
  if (result.state === "failed" && result.code === "too-long" && (await shorter())) return null;
  answered(result.state === "completed" ? result.inputTokens : null);
  if (result.state === "completed") {
    for (const notice of result.notices) if (notice !== "") notify(notice);
    agent.conversation.from(result.answer, { row: result.row, part: "answer" });
    agent.release();
    return null;
  }
  if (told) {
    agent.release({ dropped: true });
    throw new AuditError("AUDIT_UNWRITABLE", result.sentence);
  }
  await agent.send({ type: "failed", ref, code: result.code }, Buffer.from(result.sentence));
  return result.endTurn?.reason ?? null;
}

/** Answers an agent's tool call. @param before is told what came of it before the agent is. */
export async function passTool(
  { broker, agent, context }: Pick<AgentAsks, "broker" | "agent" | "context">,
  { ref, group, name, call }: Extract<FromAgent, { type: "tool" }>,
  args: Uint8Array,
  before: (result: ToolAnswer) => void,
): Promise<ToolAnswer> {
  const result = await broker.tool(context, { group, name, call, arguments: args });
  const text = Buffer.from(result.text);
  if (result.row !== null) agent.conversation.from(text, { row: result.row, part: "result" });
  before(result);
  await agent.send({ type: "result", ref, outcome: result.outcome }, text);
  return result;
}
