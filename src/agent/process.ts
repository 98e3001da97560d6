import { AgentCompacted, AgentStart, type FromAgent, ToAgent } from "../ipc/agent-frames.ts";
import { BUILD } from "../ipc/build.ts";
import { Answer } from "../ipc/completion.ts";
import { PROTOCOL } from "../ipc/frame-common.ts";
import { packRequest } from "../ipc/items.ts";
import { ownPipe } from "../ipc/pipe.ts";
import { BEFORE_START, type Heard, type Say, step } from "./loop.ts";

/** One session's agent: reads its pipe, steps, writes its pipe. It has nothing else to reach. */
export function runAgent(): void {
  let turn = BEFORE_START;
  const pipe = ownPipe<ToAgent, FromAgent>(ToAgent, {
    frame(frame, payload) {
      if (frame.type === "stop") {
        pipe.close();
        return;
      }
      const next = step(turn, heardOf(frame, payload));
      turn = next.turn;
      for (const say of next.say) {
        const { header, payload: bytes } = frameOf(say);
        // A pipe that is over ends this process: nothing is lost that could still be said.
        void pipe.send(header, bytes).catch(() => undefined);
      }
    },
    end() {
      // ownPipe ends this process next.
    },
  });
  void pipe.send({ type: "ready", protocol: PROTOCOL, build: BUILD }).catch(() => undefined);
}

/** Reads a frame's payload. An answer that is none comes from a model process gone wrong, and ends the turn, not the agent;
 *  a `start` that is none is a fault of ours, and throws. */
function heardOf(frame: Exclude<ToAgent, { type: "stop" }>, payload: Uint8Array): Heard {
  if (frame.type === "turn.stop" || frame.type === "resend") return frame;
  if (frame.type === "start") return { ...frame, ...AgentStart.parse(JSON.parse(textOf(payload))) };
  if (frame.type === "compacted") return { ...frame, ...AgentCompacted.parse(JSON.parse(textOf(payload))) };
  if (frame.type === "failed") return { ...frame, sentence: textOf(payload) };
  if (frame.type !== "completed") return { ...frame, text: textOf(payload) };
  const answer = answerOf(payload);
  if (answer !== null) return { ...frame, answer };
  const sentence = "the model process answered with something that is not an answer";
  return { type: "failed", ref: frame.ref, code: "other", sentence };
}

function answerOf(payload: Uint8Array): Answer | null {
  try {
    const parsed = Answer.safeParse(JSON.parse(textOf(payload)));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

function frameOf(say: Say): { header: FromAgent; payload: Uint8Array } {
  if (say.type === "complete") {
    const { request, ...header } = say;
    return { header, payload: packRequest(request, say.keep) };
  }
  if (say.type === "resent") {
    const { request, ...header } = say;
    return { header, payload: packRequest(request, 0) };
  }
  if (say.type === "tool") {
    const { arguments: given, ...header } = say;
    return { header, payload: bytesOf(given) };
  }
  if (say.type === "reply.text") {
    const { text, ...header } = say;
    return { header, payload: bytesOf(text) };
  }
  if (say.type === "turn.end") {
    const { sentence, ...header } = say;
    return { header, payload: bytesOf(sentence) };
  }
  return { header: say, payload: bytesOf("") };
}

function textOf(payload: Uint8Array): string {
  return new TextDecoder().decode(payload);
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
