import type { AuditLog } from "../../audit/log.ts";
import type { ToolCall } from "../ipc/completion.ts";
import type { AnswerTo } from "../ipc/operator.ts";
import type { State } from "./state.ts";
import { toolLine } from "./tool-line.ts";
import { answerOf, ERASED } from "./transcript.ts";

/** Rows of one conversation that the page shows at the most; what is older stays on the log. */
const MAX_ROWS = 2_000;

/** What was said in a session, as a person reads it on the page. */
export function transcriptForPeople(log: AuditLog, state: State, session: string): AnswerTo<"transcript">["entries"] {
  const entries: AnswerTo<"transcript">["entries"] = [];
  let asked: readonly ToolCall[] = [];
  for (const { seq, what } of state.lastSaid(session, MAX_ROWS)) {
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
        const json = row.content("answer");
        const { text, calls } = json === null ? { text: ERASED, calls: [] } : answerOf(json);
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
      case "cut":
        entries.push({ who: "agent", at: row.at, text: row.content("text") ?? ERASED });
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
