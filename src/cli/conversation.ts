import type { ApprovalId } from "../ipc/ids.ts";
import type { ApprovalView, OperatorEvent } from "../ipc/operator.ts";
import { approvalText, decisionOf, decisionQuestion } from "./approval-card.ts";
import { CommandError } from "./command-error.ts";
import type { Context } from "./context.ts";
import { InterruptedError } from "./interrupted-error.ts";
import type { OperatorPort } from "./operator-port.ts";
import { printable, printableLines } from "./printable.ts";

/** How often a card is asked about again after an answer that means nothing. */
const TRIES = 5;

/** One turn on the terminal: the reply as it streams, lines about what happens, and the cards that are decided here. */
export class Conversation {
  readonly #context: Context;
  readonly #operator: OperatorPort;
  readonly #streams: boolean;
  readonly #stop = new AbortController();
  readonly #decoder = new TextDecoder();
  /** Cards are asked about one after the other; each can be closed by somebody else meanwhile. */
  #asking: Promise<void> = Promise.resolve();
  readonly #open = new Map<ApprovalId, AbortController>();
  #text = "";
  #atLineStart = true;

  /** @param streams false: nothing is printed, the text is only collected. */
  constructor(context: Context, operator: OperatorPort, streams: boolean) {
    this.#context = context;
    this.#operator = operator;
    this.#streams = streams;
  }

  /** Fires when the person wants the turn to end. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }
  get text(): string {
    return this.#text;
  }

  /** Until it is disposed, Ctrl-C ends the turn; a second one ends the command. */
  interruptible(): Disposable {
    const pressed = (): void => {
      if (this.#stop.signal.aborted) process.exit(130);
      this.#context.terminal.say("\nstopping; press Ctrl-C again to leave at once");
      this.#stop.abort();
    };
    process.on("SIGINT", pressed);
    return { [Symbol.dispose]: () => void process.off("SIGINT", pressed) };
  }

  heard(event: OperatorEvent, payload: Uint8Array): void {
    switch (event.event) {
      case "turn":
      case "progress":
      case "row":
        return;
      case "text":
        this.#show(this.#decoder.decode(payload, { stream: true }));
        return;
      case "text.end":
        this.#show(this.#decoder.decode());
        this.#endLine();
        return;
      case "notice":
        for (const line of new TextDecoder().decode(payload).split("\n")) this.#say(printable(line));
        return;
      case "approval":
        // One that says something new takes the place of the one of before.
        this.#open.get(event.approval.approval)?.abort();
        this.#ask(event.approval);
        return;
      case "approval.closed":
        this.#closed(event);
        return;
      case "turn.end":
        this.#endLine();
        for (const one of this.#open.values()) one.abort();
        return;
    }
  }

  #closed({ approval, sentence, again }: Extract<OperatorEvent, { event: "approval.closed" }>): void {
    const asked = this.#open.get(approval);
    const tell = (): void => {
      this.#say(printable(sentence));
      if (again === true) this.#say(`hint: to be asked again: wirken approvals again ${approval}`);
    };
    asked?.abort();
    // The question that it ends gives back its line first.
    if (asked === undefined) tell();
    else setImmediate(tell);
  }

  /** Resolves when no card is asked about any more. */
  async settled(): Promise<void> {
    for (const one of this.#open.values()) one.abort();
    await this.#asking;
  }

  #show(piece: string): void {
    this.#text += piece;
    if (!this.#streams || piece === "") return;
    this.#context.terminal.write(printableLines(piece));
    this.#atLineStart = piece.endsWith("\n");
  }

  #endLine(): void {
    if (this.#text !== "" && !this.#text.endsWith("\n")) this.#text += "\n";
    if (!this.#streams || this.#atLineStart) return;
    this.#context.terminal.write("\n");
    this.#atLineStart = true;
  }

  #say(line: string): void {
    this.#endLine();
    this.#context.terminal.say(this.#context.terminal.dim(line));
  }

  #ask(view: ApprovalView): void {
    const { terminal } = this.#context;
    this.#endLine();
    if (!terminal.interactive || !view.decidable) {
      terminal.say(approvalText(view, Date.now()));
      terminal.say(
        view.decidable
          ? `hint: decide it with: wirken approvals approve ${view.approval} --card ${view.digest}\nhint: or: wirken approvals deny ${view.approval}`
          : `hint: ${view.elsewhere ?? "decide it elsewhere"}`,
      );
      return;
    }
    const closed = new AbortController();
    this.#open.set(view.approval, closed);
    this.#asking = this.#asking
      .then(() => this.#decide(view, closed.signal))
      .finally(() => this.#open.delete(view.approval));
  }

  async #decide(view: ApprovalView, closed: AbortSignal): Promise<void> {
    const { terminal } = this.#context;
    if (closed.aborted || this.#stop.signal.aborted) return;
    terminal.say(approvalText(view, Date.now()));
    const scopes = view.scopes.map(({ scope }) => scope);
    try {
      for (let left = TRIES; left > 0; left--) {
        const made = decisionOf(await terminal.ask(decisionQuestion(scopes), closed), scopes);
        if (made === null) continue;
        const scope = made.decision === "approve" ? made.scope : "once";
        const { approval, digest: card } = view;
        const answer = await this.#operator.call({
          call: "approvals.decide",
          approval,
          decision: made.decision,
          scope,
          card,
          reason: made.decision === "deny" ? made.reason : null,
        });
        if (answer.state === "counted") terminal.say(printable(answer.sentence));
        return;
      }
      terminal.say(`hint: it still waits: wirken approvals show ${view.approval}`);
    } catch (error) {
      if (error instanceof InterruptedError) {
        // Closed by somebody else, or Ctrl-C on the question itself: that ends the turn, as it does anywhere else.
        if (!closed.aborted) this.#stop.abort();
      } else if (error instanceof CommandError) {
        terminal.say(`wirken: ${error.message}${error.hint === null ? "" : `\nhint: ${error.hint}`}`);
      } else throw error;
    }
  }
}
