import type { AgentCompacted, AgentStart, FromAgent, ToAgent } from "../ipc/agent-frames.ts";
import type { Answer, ChatMessage, CompletionRequest, ToolCall } from "../ipc/completion.ts";
import { CUT_OFF, MAX_CALLS, NOT_RUN_MANY } from "../ipc/transcript-words.ts";
import { added, keptOf, requestOf, restored, type Transcript, withoutSkills } from "./transcript.ts";

type Ref = number;
type Frame<F, T extends string> = Extract<F, { type: T }>;

/** What an agent hears: the frames of its pipe, with their payloads read. */
export type Heard =
  | (Frame<ToAgent, "start"> & AgentStart)
  | (Frame<ToAgent, "turn"> & { readonly text: string })
  | (Frame<ToAgent, "delta"> & { readonly text: string })
  | (Frame<ToAgent, "completed"> & { readonly answer: Answer })
  | (Frame<ToAgent, "failed"> & { readonly sentence: string })
  | (Frame<ToAgent, "result"> & { readonly text: string })
  | Frame<ToAgent, "resend">
  | (Frame<ToAgent, "compacted"> & AgentCompacted)
  | Frame<ToAgent, "turn.stop">;

/** What an agent says: the frames of its pipe, with what their payloads hold. */
export type Say =
  | (Frame<FromAgent, "complete"> & { readonly request: CompletionRequest })
  | (Frame<FromAgent, "resent"> & { readonly request: CompletionRequest })
  | (Frame<FromAgent, "tool"> & { readonly arguments: string })
  | Frame<FromAgent, "reply">
  | (Frame<FromAgent, "reply.text"> & { readonly text: string })
  | Frame<FromAgent, "reply.end">
  | (Frame<FromAgent, "turn.end"> & { readonly sentence: string });

/** A message to act on. */
type Waiting = Omit<Extract<ChatMessage, { role: "user" }>, "role">;

/** A completion that was asked for, and what of its text went to the person. */
interface Asking {
  readonly is: "asking";
  readonly ref: Ref;
  readonly round: number;
  /** Whether the answer before was empty: a second one ends the turn. */
  readonly again: boolean;
  /** All text that came as deltas. */
  readonly text: string;
  /** How much of it went out; blanks before the first word are held back. */
  readonly sent: number;
  readonly reply: Ref | null;
}

/** Tool calls whose results are waited for. */
interface Acting {
  readonly is: "acting";
  readonly round: number;
  readonly answer: Answer;
  /** The ref under which each call was asked for, and its result; null: not there yet. */
  readonly calls: readonly { readonly call: ToolCall; readonly ref: Ref; readonly result: string | null }[];
}

/** Everything an agent knows. It lives as long as its process, which serves one session. */
export interface Turn {
  readonly rounds: number;
  readonly instructions: string;
  readonly tools: AgentStart["tools"];
  readonly transcript: Transcript;
  /** What the last request was made of; null before the first. */
  readonly asked: Transcript | null;
  readonly now: { readonly is: "idle" } | Asking | Acting;
  /** Messages that came while a turn was running. The supervisor queues them itself: one here is never lost either. */
  readonly waiting: readonly Waiting[];
  readonly nextRef: Ref;
}

interface Step {
  readonly turn: Turn;
  readonly say: readonly Say[];
}

/** Of a tool's name, as the frame has it. */
const MAX_NAME = 200;

const NOT_RUN_STOPPED = "[not known: the turn was stopped before a result came]";

/** An agent before its `start`. */
export const BEFORE_START: Turn = {
  rounds: 0,
  instructions: "",
  tools: [],
  transcript: [],
  asked: null,
  now: { is: "idle" },
  waiting: [],
  nextRef: 1,
};

/** One step of the agent: what it knows and what it hears give what it knows next and what it says.
 *  Every `turn` is answered by exactly one `turn.end`, after at most `rounds` rounds of tools. What belongs to a turn
 *  that is over is not listened to. */
export function step(turn: Turn, heard: Heard): Step {
  const { now } = turn;
  const unmoved: Step = { turn, say: [] };
  if (heard.type === "start") {
    const { rounds, instructions, tools, transcript } = heard;
    return { turn: { ...turn, rounds, instructions, tools, transcript: restored(transcript) }, say: [] };
  }
  if (heard.type === "turn") {
    const { text, files } = heard;
    const message: Waiting = { text, ...(files === undefined ? {} : { files }) };
    if (now.is === "idle") return begin(turn, message);
    return { turn: { ...turn, waiting: [...turn.waiting, message] }, say: [] };
  }
  if (now.is === "idle") return unmoved;
  if (heard.type === "turn.stop")
    return end(now.is === "asking" ? cutOff(turn, now) : { turn: settled(turn, now), say: [] }, "stopped", "");
  if (now.is === "acting") return heard.type === "result" ? resulted(turn, now, heard.ref, heard.text) : unmoved;
  if (heard.type === "result" || heard.ref !== now.ref) return unmoved;
  if (heard.type === "resend") return resent(turn, now);
  // What is asked is too long: it is asked again, of what is left.
  if (heard.type === "compacted")
    return ask({ ...turn, transcript: restored(heard.transcript), asked: null }, now.round, now.again);
  if (heard.type === "delta") return streamed(turn, now, heard.text);
  if (heard.type === "completed") return answered(turn, now, heard.answer, heard.stop);
  return end(cutOff(turn, now), heard.code === "cancelled" ? "stopped" : "failed", heard.sentence);
}

function begin(turn: Turn, message: Waiting): Step {
  return ask({ ...turn, transcript: added(turn.transcript, [{ role: "user", ...message }]) }, 0, false);
}

/** Asks for the next completion, or ends the turn where no request is possible. */
function ask(turn: Turn, round: number, again: boolean): Step {
  const { transcript } = turn;
  const request = requestOf(turn.instructions, turn.tools, transcript);
  if (request === null)
    return end(
      { turn, say: [] },
      "failed",
      "this conversation is too long to be sent to a model (over 32 MiB): start a new one with /new",
    );
  const ref = turn.nextRef;
  const now: Asking = { is: "asking", ref, round, again, text: "", sent: 0, reply: null };
  const keep = keptOf(turn.asked, transcript);
  return {
    turn: { ...turn, asked: transcript, now, nextRef: ref + 1 },
    say: [{ type: "complete", ref, keep, request }],
  };
}

/** Says the whole request again that is waited for. */
function resent(turn: Turn, { ref }: Asking): Step {
  const request = requestOf(turn.instructions, turn.tools, turn.transcript);
  return { turn, say: request === null ? [] : [{ type: "resent", ref, request }] };
}

/** More text of the answer: it goes to the person as it comes, from its first word on. */
function streamed(turn: Turn, now: Asking, more: string): Step {
  const text = now.text + more;
  const from = now.reply === null ? text.search(/\S/) : now.sent;
  if (from === -1 || from === text.length) return { turn: { ...turn, now: { ...now, text } }, say: [] };
  const reply = now.reply ?? turn.nextRef;
  return {
    turn: { ...turn, now: { ...now, text, sent: text.length, reply }, nextRef: Math.max(turn.nextRef, reply + 1) },
    say: [
      ...(now.reply === null ? [{ type: "reply" as const, ref: reply }] : []),
      { type: "reply.text", ref: reply, text: text.slice(from) },
    ],
  };
}

function answered(turn: Turn, asking: Asking, answer: Answer, stop: Frame<ToAgent, "completed">["stop"]): Step {
  // The answer is the whole text; what of it did not come as a delta is made up for.
  const missing = answer.text.startsWith(asking.text) ? answer.text.slice(asking.text.length) : "";
  const rest = streamed(turn, asking, missing);
  const now = rest.turn.now.is === "asking" ? rest.turn.now : asking;
  const { calls } = answer;

  if (calls.length === 0 && answer.text.trim() === "") return empty(rest, now, stop);
  if (calls.length > 0) {
    const done = closed(rest, now);
    return now.round < turn.rounds ? act(done, answer, now.ref, now.round + 1) : outOfRounds(done, answer, turn.rounds);
  }
  const why = CUT_SHORT[stop];
  const cut = why === undefined ? null : streamed(rest.turn, now, `\n\n(${why})`);
  const whole = cut === null ? rest : { turn: cut.turn, say: [...rest.say, ...cut.say] };
  const last = whole.turn.now.is === "asking" ? whole.turn.now : now;
  return end(remembered(closed(whole, last), [{ role: "assistant", text: answer.text, calls: [] }]), "done", "");
}

/** What an answer that says something did not come to its end for. */
const CUT_SHORT: Readonly<Partial<Record<Frame<ToAgent, "completed">["stop"], string>>> = {
  length: "cut off: the model reached its limit for one answer",
  "content-filter": "ended by the provider: its content filter, or a refusal",
};

/** Nothing at all was said: models do that now and then, and mostly not twice. */
function empty(done: Step, now: Asking, stop: Frame<ToAgent, "completed">["stop"]): Step {
  const shut = closed(done, now);
  if (stop === "content-filter") return end(shut, "failed", "the provider withheld the answer (its content filter)");
  if (stop === "length")
    return end(shut, "failed", "the model used up its limit for one answer before it said anything");
  if (now.again)
    return end(shut, "failed", "the model gave an empty answer, twice: ask in other words, or try another model");
  const retried = ask(shut.turn, now.round, true);
  return { turn: retried.turn, say: [...shut.say, ...retried.say] };
}

/** Asks for all calls of an answer at once, as one group. */
function act(done: Step, answer: Answer, group: Ref, round: number): Step {
  const { nextRef } = done.turn;
  const calls = answer.calls.map((call, at) => ({
    call,
    ref: nextRef + at,
    result: at < MAX_CALLS ? null : NOT_RUN_MANY,
  }));
  const now: Acting = { is: "acting", round, answer, calls };
  return {
    turn: { ...done.turn, now, nextRef: nextRef + calls.length },
    say: [
      ...done.say,
      ...calls.slice(0, MAX_CALLS).map(({ call, ref }) => ({
        type: "tool" as const,
        ref,
        group,
        name: call.name.slice(0, MAX_NAME) || "unnamed",
        call: call.id,
        arguments: call.arguments,
      })),
    ],
  };
}

function resulted(turn: Turn, acting: Acting, ref: Ref, text: string): Step {
  const calls = acting.calls.map((one) => (one.ref === ref && one.result === null ? { ...one, result: text } : one));
  const now = { ...acting, calls };
  if (calls.some(({ result }) => result === null)) return { turn: { ...turn, now }, say: [] };
  return ask(settled(turn, now), acting.round, false);
}

/** Puts an answer with its calls and their results into the transcript, in the order of the calls. */
function settled(turn: Turn, { answer, calls }: Acting): Turn {
  const results = calls.map(
    ({ call, result }): ChatMessage => ({
      role: "tool",
      call: call.id,
      name: call.name,
      text: result ?? NOT_RUN_STOPPED,
    }),
  );
  const transcript = added(turn.transcript, [
    { role: "assistant", text: answer.text, calls: answer.calls },
    ...results,
  ]);
  return { ...turn, transcript, now: { is: "idle" } };
}

function outOfRounds(done: Step, answer: Answer, rounds: number): Step {
  const sentence = `I stopped after ${rounds} rounds of tool calls without coming to an end. Say "go on" and I will.`;
  const results = answer.calls.map(
    (call): ChatMessage => ({
      role: "tool",
      call: call.id,
      name: call.name,
      text: `[not run: a turn has at most ${rounds} rounds of tool calls]`,
    }),
  );
  const told = remembered(done, [
    { role: "assistant", text: answer.text, calls: answer.calls },
    ...results,
    { role: "assistant", text: sentence, calls: [] },
  ]);
  const ref = told.turn.nextRef;
  return end(
    {
      turn: { ...told.turn, nextRef: ref + 1 },
      say: [
        ...told.say,
        { type: "reply", ref },
        { type: "reply.text", ref, text: sentence },
        { type: "reply.end", ref },
      ],
    },
    "rounds",
    "",
  );
}

/** What the person has read of an answer that never came to its end is what the model is told it said. */
function cutOff(turn: Turn, now: Asking): Step {
  const done = closed({ turn, say: [] }, now);
  if (now.sent === 0) return done;
  return remembered(done, [{ role: "assistant", text: `${now.text.slice(0, now.sent)}${CUT_OFF}`, calls: [] }]);
}

function closed(done: Step, now: Asking): Step {
  return now.reply === null ? done : { turn: done.turn, say: [...done.say, { type: "reply.end", ref: now.reply }] };
}

function remembered(done: Step, messages: readonly ChatMessage[]): Step {
  return { turn: { ...done.turn, transcript: added(done.turn.transcript, messages) }, say: done.say };
}

/** Ends the turn; a message that waits begins the next. */
function end(done: Step, reason: Frame<FromAgent, "turn.end">["reason"], sentence: string): Step {
  const [next, ...waiting] = done.turn.waiting;
  const idle: Turn = { ...done.turn, transcript: withoutSkills(done.turn.transcript), now: { is: "idle" }, waiting };
  const say: Say[] = [...done.say, { type: "turn.end", reason, sentence }];
  if (next === undefined) return { turn: idle, say };
  const begun = begin(idle, next);
  return { turn: begun.turn, say: [...say, ...begun.say] };
}
