import type { Answer, ChatMessage, ToolCall } from "../../src/ipc/completion.ts";
import { BEFORE_START, type Heard, type Say, step, type Turn } from "../../src/agent/loop.ts";

type Complete = Extract<Say, { type: "complete" }>;
type Tool = Extract<Say, { type: "tool" }>;

export const START: Extract<Heard, { type: "start" }> = {
  type: "start",
  rounds: 3,
  instructions: "You are a test.",
  tools: [{ name: "look", description: "looks", parameters: {} }],
  transcript: [],
};

/** One agent and the whole of what it said, for tests that speak to it as its supervisor does. */
export class Agent {
  turn: Turn;
  said: Say[] = [];
  /** All that it heard, its start first. */
  readonly heard: Heard[] = [];

  constructor(start: Partial<typeof START> = {}) {
    this.turn = BEFORE_START;
    this.hear({ ...START, ...start });
  }

  hear(heard: Heard): Say[] {
    this.heard.push(heard);
    const next = step(this.turn, heard);
    this.turn = next.turn;
    this.said.push(...next.say);
    return [...next.say];
  }

  /** The completion that was asked for last. */
  get asked(): Complete {
    const last = this.said.findLast((say) => say.type === "complete");
    if (last?.type !== "complete") throw new Error("no completion was asked for");
    return last;
  }

  answer(answer: Partial<Answer>, stop: "stop" | "tool-calls" | "length" | "content-filter" = "stop"): Say[] {
    return this.hear({ type: "completed", ref: this.asked.ref, stop, answer: { text: "", calls: [], ...answer } });
  }

  get messages(): ChatMessage[] {
    return this.turn.transcript.map(({ message }) => message);
  }
}

export function call(id: string, given = "{}", name = "look"): ToolCall {
  return { id, name, arguments: given };
}

export function tools(said: readonly Say[]): Tool[] {
  return said.filter((say) => say.type === "tool");
}

/** What the person reads, reply by reply. */
export function replies(said: readonly Say[]): string[] {
  const texts = new Map<number, string>();
  for (const say of said) {
    if (say.type === "reply") texts.set(say.ref, "");
    if (say.type === "reply.text") texts.set(say.ref, `${texts.get(say.ref) ?? "[not opened] "}${say.text}`);
  }
  return [...texts.values()];
}

export function ends(said: readonly Say[]): { reason: string; sentence: string }[] {
  return said.filter((say) => say.type === "turn.end").map(({ reason, sentence }) => ({ reason, sentence }));
}
