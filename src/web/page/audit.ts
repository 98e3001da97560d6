import type { SessionId } from "../../ipc/ids.ts";
import type { RowFilter, RowView } from "../../ipc/audit-calls.ts";
import type { AnswerTo } from "../../ipc/operator.ts";
import { ask } from "./call.ts";
import { button, byId, el } from "./element.ts";
import { count, plain, visible, visibleLines, when } from "./format.ts";
import { attempt, command, tell, withCode } from "./notices.ts";

type Verdict = AnswerTo<"audit.verify">;

const PAGE_ROWS = 50;
/** What a row's one line says first, if it has it. */
const TELLING = [
  "tool",
  "key",
  "decision",
  "reason",
  "agent",
  "channel",
  "provider",
  "model",
  "scope",
  "role",
  "code",
  "state",
  "result",
  "change",
  "version",
];
/** So many values on a row's one line. */
const MAX_VALUES = 4;

const HEADLINE: Record<Verdict["state"], string> = {
  good: "The record is whole",
  broken: "The record is broken",
  unchecked: "The record could not be checked in full",
};

/** What happened, newest first, and whether the record of it is whole. */
export class Audit {
  readonly #rows = byId("rows", HTMLElement);
  readonly #older = byId("older", HTMLButtonElement);
  readonly #size = byId("log-size", HTMLElement);
  readonly #kind = byId("kind", HTMLInputElement);
  readonly #session = byId("session", HTMLInputElement);
  readonly #since = byId("since", HTMLInputElement);
  readonly #until = byId("until", HTMLInputElement);
  readonly #alarm = byId("alarm", HTMLElement);
  readonly #verdict = byId("verdict", HTMLElement);
  readonly #kinds = new Set<string>();
  #oldest: number | null = null;
  readonly #fields = [this.#kind, this.#session, this.#since, this.#until];
  #last: Promise<void> = Promise.resolve();
  /** What the fields held when the rows were asked for that have not come yet. */
  #reloading: string | null = null;
  #shown = false;

  constructor() {
    this.#older.addEventListener("click", () => void attempt(() => this.#more()));
    byId("newest", HTMLButtonElement).addEventListener("click", () => void attempt(() => this.#reload()));
    byId("verify", HTMLButtonElement).addEventListener("click", () => void this.#verify());
    byId("filter", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      void attempt(() => this.#reload());
    });
    for (const field of this.#fields) field.addEventListener("change", () => void attempt(() => this.#reload()));
  }

  /** Called whenever the tab is looked at. */
  show(): void {
    void attempt(() => this.#reload());
    void attempt(() => this.#showAlarm());
    if (!this.#shown) void this.#verify();
    this.#shown = true;
  }

  clear(): void {
    this.#rows.replaceChildren();
    this.#verdict.replaceChildren();
    this.#alarm.replaceChildren();
    this.#alarm.hidden = true;
    this.#shown = false;
  }

  /** While something is wrong with the record nothing is done, and this says why before anything else. */
  async #showAlarm(): Promise<void> {
    const { stopped } = (await ask({ call: "status" })).log;
    this.#alarm.hidden = stopped === null;
    this.#alarm.replaceChildren(
      ...(stopped === null
        ? []
        : [el("p", { class: "note" }, el("strong", null, "Alarm: "), ...withCode(visible(stopped)))]),
    );
  }

  /** @returns what the form asks for; null when it cannot be meant, which was said. */
  #asked(): Omit<RowFilter, "limit"> | null {
    const kind = this.#kind.value.trim();
    const session = this.#session.value.trim();
    const since = timeOf(this.#since);
    const until = timeOf(this.#until);
    if (session !== "" && !isSession(session)) {
      tell(`${visible(session)} is not a session's id`, "it begins with s_, as in the rows of a conversation");
      return null;
    }
    return {
      ...(kind === "" ? {} : { kind }),
      ...(isSession(session) ? { session } : {}),
      ...(since === null ? {} : { since }),
      ...(until === null ? {} : { until }),
    };
  }

  /** Enter in a field changes it and sends the form. What is asked for already is not asked for again: its second answer would close what was opened in the first. */
  async #reload(): Promise<void> {
    const wanted = this.#fields.map(({ value }) => value).join("\n");
    if (wanted === this.#reloading) return;
    this.#reloading = wanted;
    try {
      await this.#more(true);
    } finally {
      if (this.#reloading === wanted) this.#reloading = null;
    }
  }

  /** One after the other: what is asked for next depends on what is shown, and of two answers at once rows would be shown twice, or under another filter. */
  async #more(again = false): Promise<void> {
    const turn = this.#last.then(() => this.#load(again));
    this.#last = turn.catch(() => undefined);
    await turn;
  }

  async #load(again: boolean): Promise<void> {
    if (!again && this.#older.hidden) return;
    const asked = this.#asked();
    if (asked === null) return;
    if (again) this.#oldest = null;
    const before = this.#oldest === null ? {} : { before: this.#oldest };
    const { rows, size, next, unread } = await ask({
      call: "audit.rows",
      filter: { ...asked, ...before, limit: PAGE_ROWS },
    });
    for (const seq of unread) tell(`Row #${seq} cannot be read: the verdict says what is wrong with it.`);
    const made = rows.map(rowElement);
    if (again) this.#rows.replaceChildren(...made);
    else this.#rows.append(...made);
    this.#oldest = rows.at(-1)?.seq ?? this.#oldest;
    this.#older.hidden = (rows.length < PAGE_ROWS && next === null) || this.#oldest === 0;
    this.#size.textContent = count(size, "row", "rows");
    if (this.#rows.childElementCount === 0) this.#rows.append(el("li", { class: "empty" }, emptyText(asked)));
    this.#learn(rows);
  }

  /** Kinds that were seen can be chosen. */
  #learn(rows: readonly RowView[]): void {
    for (const { kind } of rows) this.#kinds.add(kind);
    const options = [...this.#kinds].toSorted().map((kind) => el("option", { value: kind }));
    byId("kinds", HTMLElement).replaceChildren(...options);
  }

  async #verify(): Promise<void> {
    const again = byId("verify", HTMLButtonElement);
    again.disabled = true;
    this.#verdict.dataset["state"] = "checking";
    this.#verdict.replaceChildren(el("h2", null, "Checking every row…"));
    const done = await attempt(async () => {
      this.#showVerdict(await ask({ call: "audit.verify" }));
    });
    if (!done) {
      this.#verdict.dataset["state"] = "unchecked";
      this.#verdict.replaceChildren(el("h2", null, "The record was not checked"));
    }
    again.disabled = false;
  }

  #showVerdict({ state, sentences }: Verdict): void {
    const [first = "", ...others] = sentences;
    const list = el("ul", null, ...others.map((sentence) => el("li", null, visible(sentence))));
    const summary = el("summary", null, "What was checked, and what no log proves");
    this.#verdict.dataset["state"] = state;
    this.#verdict.replaceChildren(
      el("h2", null, HEADLINE[state]),
      el("p", null, visible(first)),
      // What is wrong is read without a press.
      el("details", { open: state === "broken" }, summary, list),
      el("p", { class: "hint" }, "The same on the terminal, for someone who does not trust this page:"),
      command("wirken audit verify"),
    );
  }
}

/** In this browser's own zone. */
function timeOf(field: HTMLInputElement): string | null {
  const time = new Date(field.value);
  return field.value === "" || Number.isNaN(time.getTime()) ? null : time.toISOString();
}

function isSession(text: string): text is SessionId {
  return /^s_[0-9a-hjkmnp-tv-z]{26}$/.test(text);
}

function emptyText(asked: Omit<RowFilter, "limit">): string {
  if (Object.keys(asked).length === 0) return "Nothing yet.";
  return asked.kind === undefined || Object.keys(asked).length > 1
    ? "No row is like that."
    : `No row of kind ${asked.kind}.`;
}

function rowElement(row: RowView): HTMLElement {
  const details = el(
    "details",
    null,
    el(
      "summary",
      null,
      el("span", { class: "seq" }, `#${row.seq}`),
      el("span", { class: "chip", "data-kind": family(row.kind) }, visible(row.kind)),
      el("span", { class: "gist" }, gist(row)),
      el("time", { title: row.at }, when(row.at)),
    ),
  );
  // Built when it is opened: a page of rows stays light.
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) details.append(rowBody(row));
  });
  return el("li", { id: `row-${row.seq}` }, details);
}

function rowBody(row: RowView): HTMLElement {
  const facts = el(
    "dl",
    null,
    ...fact("at", row.at),
    ...(row.cause === null ? [] : fact("caused by", `#${row.cause}`)),
  );
  for (const [name, value] of Object.entries(row.fields)) facts.append(...fact(name, value));
  const contents = Object.entries(row.content).map(([part, text]) =>
    el(
      "div",
      { class: "content" },
      el("h4", null, visible(part)),
      text === null
        ? el("p", { class: "hint" }, "Erased, or the vault is locked: only its commitment is on the log.")
        : el("pre", { tabindex: 0, dir: "ltr", "aria-label": visible(part) }, visibleLines(text)),
    ),
  );
  const chain = el("div", { class: "chain" });
  const explain = button("Explain", () => attempt(() => explainInto(chain, row.seq)).then(() => undefined), {
    class: "quiet",
  });
  return el("div", { class: "row-body" }, facts, ...contents, explain, chain);
}

function fact(name: string, value: unknown): Node[] {
  return [el("dt", null, visible(name)), el("dd", null, plain(value))];
}

/** Whose doing it was: the rows that led to this one. */
async function explainInto(place: HTMLElement, seq: number): Promise<void> {
  const { chain, sentences, held } = await ask({ call: "audit.explain", seq });
  place.replaceChildren(
    el("h4", null, "How it came to this"),
    el("ol", { class: "sentences" }, ...sentences.map((sentence) => el("li", { dir: "auto" }, visible(sentence)))),
    el("h4", null, "What held then"),
    el("ul", { class: "sentences" }, ...held.map((sentence) => el("li", { dir: "auto" }, visible(sentence)))),
    el("ol", { class: "rows" }, ...chain.filter((row) => row.seq !== seq).map(rowElement)),
  );
}

function gist(row: RowView): string {
  const told = TELLING.flatMap((name) => {
    const value = row.fields[name];
    return typeof value === "string" || typeof value === "number" ? [plain(value)] : [];
  });
  return told.slice(0, MAX_VALUES).join(" · ");
}

function family(kind: string): string {
  return kind.split(".", 1)[0] ?? kind;
}
