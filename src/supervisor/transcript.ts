import type { AuditLog, CommittedRow } from "../../audit/log.ts";
import { Answer, type ChatMessage, type ToolCall } from "../ipc/completion.ts";
import { SKILL_GONE, SKILL_TOOL } from "../ipc/skill-text.ts";
import type { AnswerTo } from "../ipc/operator.ts";
import type { Origin } from "./conversation.ts";
import { wentNoFurther } from "../broker/went-no-further.ts";
import { ERASED, type State } from "./state.ts";
import { toolLine } from "./tool-line.ts";

/** Rows that a transcript is rebuilt from at the most; what is older stays on the log. */
const MAX_ROWS = 2_000;
const NO_RESULT = "[no result: it was interrupted, and its effect is unknown]";

/** What was said in a session before a row, as a model is shown it: calls stay together with their results, and what was erased says so.
 *  @param from is told of each content that it is made of. */
export function transcriptBefore(
  log: AuditLog,
  state: State,
  session: string,
  before: number,
  from: (bytes: Uint8Array, origin: Origin) => void,
): ChatMessage[] {
  const read = (row: CommittedRow | null, part: string): string | null => {
    const bytes = row?.bytes(part) ?? null;
    if (row === null || bytes === null) return null;
    from(bytes, { row: row.seq, part });
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
  };
  const messages: ChatMessage[] = [];
  let open: ToolCall[] = [];
  /** The result of each call of the newest answer, by the model's id for it. */
  const settled = new Map<string, number>();
  const closeOpen = (): void => {
    for (const call of open) messages.push({ role: "tool", call: call.id, name: call.name, text: NO_RESULT });
    open = [];
  };
  for (const { seq, what } of state.said(session, MAX_ROWS)) {
    if (seq >= before) break;
    const row = log.row(seq);
    if (row === null) continue;
    switch (what) {
      case "message": {
        closeOpen();
        const received = row.cause === null ? null : log.row(row.cause);
        messages.push({ role: "user", text: read(received, "text") ?? ERASED });
        break;
      }
      case "told": {
        // With what belongs to the message it was this that the model was shown.
        const text = read(row, "text");
        if (messages.at(-1)?.role === "user") messages[messages.length - 1] = { role: "user", text: text ?? ERASED };
        break;
      }
      case "answer": {
        closeOpen();
        const answer = answerOf(read(row, "answer"));
        messages.push({ role: "assistant", text: answer.text, calls: answer.calls });
        settled.clear();
        open = [...answer.calls];
        break;
      }
      case "result":
      case "refusal": {
        const intent = what === "refusal" ? row : row.cause === null ? null : log.row(row.cause);
        const tool =
          intent?.action.kind === "tool.called" || intent?.action.kind === "tool.refused" ? intent.action.tool : null;
        const gone = tool === SKILL_TOOL && what === "result";
        const text = gone ? SKILL_GONE : (read(row, what === "result" ? "result" : "why") ?? ERASED);
        const id = intent?.content("call") ?? null;
        const earlier = id === null ? undefined : settled.get(id);
        const told = earlier === undefined ? undefined : messages[earlier];
        // A redirect: the call has gone on to another action, whose end is its result.
        if (earlier !== undefined && told?.role === "tool") {
          messages[earlier] = { ...told, text: what === "result" ? text : wentNoFurther(told.text, text) };
          break;
        }
        if (open.length === 0) {
          if (gone) break;
          // Of a call that was made again for a person: no answer of the model holds it.
          messages.push({ role: "user", text: `[${tool ?? "a tool"}, asked again]\n${text}` });
          break;
        }
        const at = Math.max(
          0,
          open.findIndex((call) => call.name === tool && (id === null || call.id === id)),
        );
        const [call] = open.splice(at, 1);
        if (call === undefined) break;
        settled.set(call.id, messages.length);
        messages.push({ role: "tool", call: call.id, name: call.name, text });
        break;
      }
      default:
        break;
    }
  }
  closeOpen();
  return messages;
}

function answerOf(json: string | null): Answer {
  if (json === null) return { text: ERASED, calls: [] };
  const parsed = Answer.safeParse(JSON.parse(json));
  return parsed.success ? parsed.data : { text: ERASED, calls: [] };
}

/** The same as a person reads it on the page. */
export function transcriptForPeople(log: AuditLog, state: State, session: string): AnswerTo<"transcript">["entries"] {
  const entries: AnswerTo<"transcript">["entries"] = [];
  let asked: readonly ToolCall[] = [];
  for (const { seq, what } of state.said(session, MAX_ROWS)) {
    const row = log.row(seq);
    if (row === null) continue;
    switch (what) {
      case "message": {
        const received = row.cause === null ? null : log.row(row.cause);
        const scheduled = received?.action.kind === "schedule.started";
        entries.push({
          who: scheduled ? "notice" : "person",
          at: received?.at ?? row.at,
          text: received?.content("text") ?? ERASED,
        });
        break;
      }
      case "answer": {
        const { text, calls } = answerOf(row.content("answer"));
        asked = calls;
        if (text !== "") entries.push({ who: "agent", at: row.at, text });
        break;
      }
      case "call":
        if (row.action.kind === "tool.called") {
          const id = row.content("call");
          const call = asked.find((one) => one.id === id);
          entries.push({ who: "tool", at: row.at, text: toolLine(row.action.tool, call?.arguments ?? ERASED) });
        }
        break;
      case "refusal":
        entries.push({ who: "notice", at: row.at, text: row.content("why") ?? ERASED });
        break;
      case "notice":
        entries.push({ who: "notice", at: row.at, text: row.content("text") ?? ERASED });
        break;
      default:
        break;
    }
  }
  return entries;
}
