import type { ApprovalScope, ApprovalView } from "../../ipc/operator.ts";
import { ask } from "./call.ts";
import { button, byId, el } from "./element.ts";
import { until, visible } from "./format.ts";
import { announce, attempt, command, tell } from "./notices.ts";

/** A card that just came cannot be pressed yet: the press was meant for what was there before. */
const REST_MS = 700;
const TICK_MS = 1000;

const LABEL: Record<ApprovalScope, string> = {
  once: "Approve once",
  session: "Approve for this session",
  always: "Approve always",
};

/** Actions that wait for the owner, each shown whole. */
export class Approvals {
  readonly #region = byId("approvals", HTMLElement);
  readonly #list = byId("approval-list", HTMLElement);
  readonly #cards = new Map<string, { view: ApprovalView; card: HTMLElement }>();
  /** Told of the number that wait. */
  readonly #changed: (waiting: number) => void;

  constructor(changed: (waiting: number) => void) {
    this.#changed = changed;
    setInterval(() => this.#tick(), TICK_MS);
  }

  async load(): Promise<void> {
    const { approvals } = await ask({ call: "approvals.list" });
    const now = new Set(approvals.map(({ approval }) => approval as string));
    for (const id of this.#cards.keys()) {
      if (!now.has(id)) this.#remove(id);
    }
    for (const view of approvals) this.show(view);
  }

  show(view: ApprovalView): void {
    const card = this.#make(view);
    const shown = this.#cards.get(view.approval);
    if (shown === undefined) {
      this.#list.append(card);
      announce(`Waiting for your approval: ${visible(view.key)}, asked by ${visible(view.requester)}.`);
    } else if (JSON.stringify(shown.view) === JSON.stringify(view)) {
      return; // what a person is reading stays where it is
    } else {
      shown.card.replaceWith(card);
    }
    this.#cards.set(view.approval, { view, card });
    this.#count();
  }

  /** @param again nobody answered in time, and it can be asked again. */
  close(approval: string, again: boolean): void {
    const found = this.#cards.get(approval);
    this.#remove(approval);
    if (!again) return;
    const late = el(
      "article",
      { class: "approval late" },
      el(
        "p",
        null,
        `Nobody answered in time${found === undefined ? "" : ` whether ${visible(found.view.agent)} may do ${visible(found.view.key)}`}, so it was denied and nothing ran.`,
      ),
    );
    const gone = (): void => {
      late.remove();
      this.#count();
    };
    const repeat = button(
      "Ask again",
      async () => {
        await attempt(async () => {
          const { sentence } = await ask({ call: "approvals.again", which: approval });
          tell(sentence, null, "info");
          gone();
        });
      },
      { class: "primary" },
    );
    late.append(el("div", { class: "buttons" }, repeat, button("Dismiss", gone, { class: "quiet" })));
    this.#list.append(late);
    this.#count();
  }

  clear(): void {
    for (const id of this.#cards.keys()) this.#remove(id);
    this.#list.replaceChildren();
  }

  #remove(approval: string): void {
    const found = this.#cards.get(approval);
    if (found === undefined) return;
    const hadFocus = found.card.contains(document.activeElement);
    found.card.remove();
    this.#cards.delete(approval);
    this.#count();
    if (hadFocus) byId("message", HTMLTextAreaElement).focus();
  }

  #count(): void {
    this.#region.hidden = this.#list.childElementCount === 0;
    this.#changed(this.#cards.size);
  }

  #tick(): void {
    for (const { view, card } of this.#cards.values()) {
      const left = card.querySelector("[data-kind=expires]");
      if (left !== null) left.textContent = expiry(view);
    }
  }

  #make(view: ApprovalView): HTMLElement {
    const title = el("h3", { id: `title-${view.approval}` }, "Approve this action?");
    const facts = el(
      "p",
      { class: "facts" },
      el("span", { class: "chip" }, visible(view.key)),
      el("span", null, `asked by ${visible(view.requester)} on ${visible(view.channel)}`),
      el("span", null, `for agent ${visible(view.agent)}`),
      el("span", { "data-kind": "expires" }, expiry(view)),
    );
    const shown = cardText(view.card);
    const card = el("article", { class: "approval", "aria-labelledby": title.id }, title, facts, shown);
    if (view.decidable) card.append(this.#decision(view, shown));
    else card.append(elsewhere(view));
    return card;
  }

  #decision(view: ApprovalView, shown: HTMLElement): HTMLElement {
    const reason = el("input", {
      type: "text",
      id: `reason-${view.approval}`,
      maxlength: 500,
      autocomplete: "off",
      placeholder: "Reason, told to the agent (optional)",
    });
    const decide = async (decision: "approve" | "deny", scope: ApprovalScope) => {
      await attempt(async () => {
        // Of what stands on the page, not of what was meant to: another text is not what this person approves.
        const digest = await sha256(shown.textContent ?? "");
        const told = decision === "deny" && reason.value.trim() !== "" ? reason.value.trim() : null;
        const { state, sentence } = await ask({
          call: "approvals.decide",
          approval: view.approval,
          decision,
          scope,
          card: digest,
          reason: told,
        });
        if (state === "counted") {
          // The card that says so comes by itself.
          tell(sentence, null, "info");
          return;
        }
        if (state === "expired") tell("This was too late: it had expired, and nothing ran.", null, "info");
        if (state === "gone") tell("This was decided elsewhere already.", null, "info");
        this.#remove(view.approval);
      });
    };
    const choices = view.scopes.map(({ scope, means }, i) => {
      const id = `means-${view.approval}-${scope}`;
      const press = button(LABEL[scope], () => decide("approve", scope), {
        class: i === 0 ? "primary" : "",
        "aria-describedby": id,
      });
      return el("div", { class: "choice" }, press, el("span", { id }, visible(means)));
    });
    const deny = button("Deny", () => decide("deny", "once"), { class: "deny" });
    const form = el(
      "div",
      { class: "decision", role: "group", "aria-label": "decide" },
      ...choices,
      el(
        "div",
        { class: "choice" },
        deny,
        el("label", { for: reason.id, class: "unseen" }, "Reason for denying"),
        reason,
      ),
    );
    rest(form);
    return form;
  }
}

/** The card as it stands, one element a line: a line too long for the window is not taken for two. */
export function cardText(text: string): HTMLElement {
  const lines = text.split("\n");
  return el(
    "pre",
    { class: "card", dir: "ltr", tabindex: 0, "aria-label": "the whole action" },
    ...lines.map((line, i) => el("span", { class: "line" }, i + 1 < lines.length ? `${line}\n` : line)),
  );
}

function elsewhere(view: ApprovalView): HTMLElement {
  return el(
    "div",
    { class: "elsewhere" },
    el("p", null, visible(view.elsewhere ?? "This is decided on the terminal.")),
    command(`wirken approvals show ${view.code}`),
    command(`wirken approvals approve ${view.code}`),
  );
}

function rest(form: HTMLElement): void {
  const buttons = [...form.querySelectorAll("button")];
  for (const one of buttons) one.disabled = true;
  setTimeout(() => {
    for (const one of buttons) one.disabled = false;
  }, REST_MS);
}

function expiry(view: ApprovalView): string {
  return new Date(view.expires).getTime() <= Date.now() ? "expired" : `expires ${until(view.expires)}`;
}

async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
