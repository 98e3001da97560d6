import type { AnswerTo, OperatorEvent } from "../../ipc/operator.ts";
import type { SessionId } from "../../ipc/ids.ts";
import { ask } from "./call.ts";
import { button, byId, el } from "./element.ts";
import { visibleLines, whenAbout } from "./format.ts";
import { announce, attempt, command } from "./notices.ts";
import { renderMarkdown, StreamedMarkdown } from "./render.ts";

type Entry = AnswerTo<"transcript">["entries"][number];
type About = Extract<OperatorEvent, { event: "notice" }>["about"];

/** Why a turn ended, where it is not simply done. */
const ENDS: Record<string, string> = {
  stopped: "Stopped.",
  rounds: "Stopped: this took too many steps.",
  failed: "This turn failed.",
  budget: "Stopped: the budget is used up.",
  time: "Stopped: this took too long.",
  died: "Stopped: the agent's process died. Nothing is repeated by itself.",
  denied: "Stopped: three actions were denied.",
};
const NEAR_END_PX = 120;

/** The conversation with the agent. */
export class Chat {
  readonly #log = byId("log", HTMLElement);
  readonly #cards = byId("approval-list", HTMLElement);
  readonly #scroller = byId("scroller", HTMLElement);
  readonly #message = byId("message", HTMLTextAreaElement);
  readonly #stop = byId("stop", HTMLButtonElement);
  readonly #working = byId("working", HTMLElement);
  /** Whom this tab talks to: the choice stands until it is made anew. */
  #agent = "default";
  #chosen = false;
  #models: ReadonlyMap<string, string> = new Map();
  readonly #whom = byId("whom", HTMLSelectElement);
  #fresh = false;
  #running = false;
  /** That of the turn that runs. */
  #session: SessionId | null = null;
  /** The reply that is being written. */
  #reply: { element: HTMLElement; text: StreamedMarkdown; drawing: boolean } | null = null;
  /** The stream began inside a turn, or broke in one: what is shown of it is not all. */
  #partial = false;
  /** Why the newest turn ended, where that is said: it stands in no transcript, and stays when one is loaded. */
  #end: HTMLElement | null = null;
  /** Turns that this tab asked for and that have not begun. */
  #asked = 0;
  /** For each transcript that is on its way: what was said since it was wanted, and so may not stand in it. */
  readonly #loading = new Set<{ element: HTMLElement; text: string }[]>();

  constructor() {
    byId("composer", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#say();
    });
    this.#message.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      void this.#say();
    });
    byId("panel-chat", HTMLElement).addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#running) void this.#halt();
    });
    this.#stop.addEventListener("click", () => void this.#halt());
    this.#whom.addEventListener("change", () => void this.#choose());
    byId("fresh", HTMLButtonElement).addEventListener("click", () => this.#startFresh());
  }

  /** Those there are. @param first whom the page begins with. */
  agents(agents: AnswerTo<"status">["agents"], first: string): void {
    const names = agents.map(({ agent }) => agent);
    if (!this.#chosen || !names.some((name) => name === this.#agent)) this.#agent = first;
    this.#models = new Map(agents.map(({ agent, ref }) => [agent, ref]));
    this.#whom.replaceChildren(...names.map((name) => el("option", { value: name }, name)));
    this.#whom.value = this.#agent;
    this.#whom.hidden = names.length < 2;
    this.#nameModel();
  }

  #nameModel(): void {
    const ref = this.#models.get(this.#agent) ?? "none";
    byId("model", HTMLElement).textContent = this.#whom.hidden ? `${this.#agent} · ${ref}` : ref;
  }

  async #choose(): Promise<void> {
    this.#agent = this.#whom.value;
    this.#chosen = true;
    this.#nameModel();
    this.#fresh = false;
    this.#end = null;
    await attempt(() => this.load());
    this.#message.focus();
  }

  focus(): void {
    this.#message.focus();
  }

  clear(): void {
    this.#log.replaceChildren();
    this.#reply = null;
    this.#end = null;
    this.#run(false);
  }

  /** @param named when it is known whose conversation it is. What is heard from now on is not lost. */
  async load(named: Promise<void> = Promise.resolve()): Promise<void> {
    const since: { element: HTMLElement; text: string }[] = [];
    this.#loading.add(since);
    const { entries } = await named
      .then(async () => await ask({ call: "transcript", agent: this.#agent }))
      .finally(() => this.#loading.delete(since));
    if (this.#fresh) return;
    const stream = this.#reply?.element ?? null;
    this.#log.replaceChildren(...entries.map(entryElement));
    if (entries.length === 0) this.#log.append(welcome());
    for (const { element, text } of since) if (!entries.some((entry) => entry.text === text)) this.#log.append(element);
    if (stream !== null) this.#log.append(stream);
    if (this.#end !== null) this.#log.append(this.#end);
    this.#partial = this.#running;
    this.toEnd(true);
  }

  heard(event: OperatorEvent, text: string): void {
    switch (event.event) {
      case "turn":
        this.#session = event.session;
        this.#run(true);
        this.#partial = false;
        this.#end = null;
        // Said in another tab: what it was stands in the transcript.
        if (this.#asked > 0) this.#asked -= 1;
        else void attempt(() => this.load());
        return;
      case "text":
        this.#piece(text);
        return;
      case "text.end":
        this.#endReply();
        return;
      case "notice":
        this.#endReply();
        this.#notice(event.about, text);
        return;
      case "turn.end":
        this.#endTurn(event.end);
        return;
      case "approval":
      case "progress":
      case "row":
        return;
      case "approval.closed":
        this.#notice("info", event.sentence);
        return;
    }
  }

  /** What was said was not taken after all. */
  refused(sentence: string, hint: string | null): void {
    this.#asked = 0;
    this.#run(false);
    this.#notice("failure", hint === null ? sentence : `${sentence} ${hint}`);
  }

  async #say(): Promise<void> {
    const text = this.#message.value;
    if (text.trim() === "") return;
    this.#message.value = "";
    const fresh = this.#fresh;
    this.#fresh = false;
    this.#log.querySelector(".welcome")?.remove();
    const said = entryElement({ who: "person", at: new Date().toISOString(), text });
    this.#log.append(said);
    this.toEnd(true);
    this.#asked += 1;
    this.#working.hidden = this.#running;
    const done = await attempt(async () => {
      await ask({ call: "say", agent: this.#agent, fresh }, text);
    });
    if (done) return;
    // It was not taken: it goes back to where it can be sent again.
    this.#asked = Math.max(0, this.#asked - 1);
    this.#working.hidden = !this.#running;
    this.#fresh = fresh;
    said.remove();
    if (this.#message.value === "") this.#message.value = text;
  }

  async #halt(): Promise<void> {
    await attempt(async () => {
      await ask({ call: "session.stop", session: this.#session });
    });
    this.#message.focus();
  }

  #startFresh(): void {
    this.#fresh = true;
    this.#end = null;
    this.#log.replaceChildren(
      el(
        "div",
        { class: "welcome" },
        el("p", null, "A new conversation starts with your next message. The one before stays on the audit log."),
      ),
    );
    this.#message.focus();
  }

  #piece(text: string): void {
    if (!this.#running) {
      this.#run(true);
      this.#partial = true;
    }
    if (this.#reply === null) {
      const body = el("div", { class: "prose" });
      const element = el("article", { class: "entry", "data-kind": "agent", "aria-label": "Wirken" }, body);
      this.#reply = { element, text: new StreamedMarkdown(body), drawing: false };
      this.#log.append(element);
      this.#working.hidden = true;
    }
    const reply = this.#reply;
    reply.text.append(text);
    if (reply.drawing) return;
    reply.drawing = true;
    requestAnimationFrame(() => {
      reply.drawing = false;
      const follow = this.isNearEnd;
      reply.text.draw();
      if (follow) this.toEnd(true);
    });
  }

  #endReply(): void {
    const reply = this.#reply;
    if (reply === null) return;
    this.#reply = null;
    reply.text.draw();
    announce(reply.text.text.slice(0, 2000));
    this.#working.hidden = !this.#running;
    this.toEnd(false);
  }

  #endTurn(end: string): void {
    this.#endReply();
    this.#run(false);
    const sentence = ENDS[end];
    if (sentence !== undefined) this.#end = this.#notice("info", sentence);
    if (this.#partial) void attempt(() => this.load());
  }

  #notice(about: About, text: string): HTMLElement {
    const follow = this.isNearEnd;
    const element = noticeElement(about, text);
    for (const since of this.#loading) since.push({ element, text });
    this.#log.append(element);
    if (about !== "tool") announce(text.slice(0, 500));
    if (follow) this.toEnd(true);
    return element;
  }

  #run(running: boolean): void {
    this.#running = running;
    this.#whom.disabled = running;
    this.#stop.hidden = !running;
    this.#working.hidden = !running;
  }

  /** Shows what came last. @param always else only to a reader who was at the end already. */
  toEnd(always: boolean): void {
    if (!always && !this.isNearEnd) return;
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    // A card that is taller than the window is read from its beginning, not from its buttons.
    const card = this.#cards.lastElementChild;
    if (card !== null && card.clientHeight > this.#scroller.clientHeight)
      // Not `scrollIntoView`: that moves the page's head out of the window as well.
      this.#scroller.scrollTop += card.getBoundingClientRect().top - this.#scroller.getBoundingClientRect().top;
  }

  get isNearEnd(): boolean {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
  }
}

function entryElement({ who, at, text }: Entry): HTMLElement {
  if (who === "notice") return noticeElement("info", text);
  if (who === "tool") return noticeElement("tool", text);
  const body =
    who === "person"
      ? el("div", { class: "said", dir: "auto" }, text)
      : el("div", { class: "prose" }, ...renderMarkdown(text));
  const name = who === "person" ? "You" : "Wirken";
  return el(
    "article",
    { class: "entry", "data-kind": who, "aria-label": name },
    body,
    el("time", { title: at }, whenAbout(at)),
  );
}

function noticeElement(about: About, text: string): HTMLElement {
  return el("p", { class: "notice", "data-kind": about }, visibleLines(text));
}

const EXAMPLES = ["list my files", "run uname -a"];

function welcome(): HTMLElement {
  const tries = EXAMPLES.map((text) =>
    button(text, () => {
      const message = byId("message", HTMLTextAreaElement);
      message.value = text;
      message.focus();
    }),
  );
  return el(
    "div",
    { class: "welcome" },
    el("h2", null, "Ask for something"),
    el(
      "p",
      null,
      "The agent works in its own workspace folder. What needs your approval is shown to you whole before it runs, and everything is on the audit log.",
    ),
    el("div", { class: "tries" }, ...tries),
    el("p", { class: "hint" }, "Secrets are not typed here. To connect Slack, type in a terminal:"),
    command("wirken vault add slack"),
  );
}
