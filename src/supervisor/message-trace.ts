import type { AuditLog, CommittedRow } from "../../audit/log.ts";
import { MessageId, SessionId } from "../ipc/ids.ts";
import type { Delivery, LookedUp } from "../session/link.ts";
import type { ConversationRecord, State } from "./state.ts";

/** The newest are asked about: a crash leaves a handful. */
const MAX_TRACED = 50;
/** What is older nobody waits for: nothing is asked about it. */
const TRACED_MS = 24 * 3_600_000;
/** What a platform has not is sent again if it was to be sent so lately. */
const AGAIN_MS = 10 * 60_000;

const UNSURE =
  "I was interrupted while a message to you was on its way, and nobody can tell whether it reached you: ask again if something is missing.";
const ABSENT = "I was interrupted, and my last answer did not reach you whole: ask again if you still need it.";

/** Kinds of messages that are worth sending again: a card is over, and a code for a stranger is asked for anew. */
const SENT_AGAIN: ReadonlySet<string> = new Set(["reply", "answer", "notice", "message"]);

export interface TraceParts {
  readonly log: Pick<AuditLog, "append">;
  readonly state: Pick<State, "conversation">;
  readonly lookUp: (record: ConversationRecord, key: string, since: number) => Promise<LookedUp>;
  readonly tell: (
    record: ConversationRecord,
    session: SessionId | null,
    text: string,
    cause: number,
  ) => Promise<Delivery | null>;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** Asks the platforms what became of messages that the daemon died with. What one has is known to be there; what it has not is sent again if it is recent; where it
 *  cannot tell, whoever was to read it is told that much, once.
 *  @param left intents without an outcome. @param told conversations that have been told of the interruption already. */
export async function traceMessages(
  left: readonly CommittedRow[],
  told: ReadonlySet<string>,
  parts: TraceParts,
): Promise<void> {
  const { log, state, now } = parts;
  const unsure = new Set(told);
  for (const row of left.slice(-MAX_TRACED)) {
    const { action } = row;
    if (action.kind !== "message.sent") continue;
    const record = state.conversation(action.conversation);
    const age = now() - Date.parse(row.at);
    if (record === null || age > TRACED_MS) continue;
    const session = action.session === null ? null : SessionId.parse(action.session);
    const { outcome, ids } = await parts.lookUp(record, action.message, Date.parse(row.at));
    const traced = await log.append(
      { kind: "message.traced", message: MessageId.parse(action.message), outcome, parts: ids.length },
      {
        cause: row.seq,
        ...(session === null ? {} : { seal: session }),
        content: { platform: JSON.stringify(ids) },
      },
    );
    if (outcome === "sent" || !SENT_AGAIN.has(action.purpose)) continue;
    const text = row.content("text");
    // What is known of a turn that was cut short may come twice; that it never comes would leave somebody unaware of it.
    const again = outcome === "absent" || action.purpose === "notice";
    if (again && text !== null && action.files === undefined && age <= AGAIN_MS)
      await parts.tell(record, session, text, traced.seq);
    else if (!unsure.has(record.conversation)) {
      unsure.add(record.conversation);
      await parts.tell(record, session, outcome === "absent" ? ABSENT : UNSURE, traced.seq);
    }
  }
}
