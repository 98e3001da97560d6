import type { AuditLog } from "../../audit/log.ts";
import type { Recorded } from "../../audit/recorded.ts";
import { sendMessage } from "../effect/message.ts";
import { mint } from "../ipc/ids.ts";
import type { AdapterLink, Session } from "../session/link.ts";

/** What is said in one session: recorded under its key before it leaves. */
export class SessionOut<L extends symbol> {
  readonly link: AdapterLink<L>;
  readonly session: Session<L>;
  readonly #log: AuditLog;

  constructor(link: AdapterLink<L>, session: Session<L>, log: AuditLog) {
    this.link = link;
    this.session = session;
    this.#log = log;
  }

  /** A line of ours. */
  async notice(text: string, cause: number): Promise<void> {
    const recorded = await this.record(cause, "notice", Buffer.from(text));
    await sendMessage(recorded, this.link, this.session.address, { style: "plain", card: null, replyTo: null });
  }

  async record(cause: number, purpose: "reply" | "notice", text?: Uint8Array): Promise<Recorded<"message.sent">> {
    return await this.#log.record<"message.sent">(
      {
        kind: "message.sent",
        message: mint("message"),
        session: this.session.id,
        conversation: this.session.address.conversation,
        channel: this.link.channel,
        purpose,
      },
      { cause, seal: this.session.id, ...(text === undefined ? {} : { content: { text } }) },
    );
  }
}
