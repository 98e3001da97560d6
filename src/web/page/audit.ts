import type { RowFilter, RowView } from "../../ipc/audit-calls.ts";
import type { AnswerTo } from "../../ipc/operator.ts";
import { ask } from "./call.ts";
import { button, byId, el } from "./element.ts";
import { count, plain, visible, visibleLines, when } from "./format.ts";
import { attempt, command } from "./notices.ts";

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
  readonly #verdict = byId("verdict", HTMLElement);
  readonly #kinds = new Set<string>();
  #oldest: number | null = null;
  #shown = false;

  constructor() {
    this.#older.addEventListener("click", () => void attempt(() => this.#more()));
    byId("newest", HTMLButtonElement).addEventListener("click", () => void attempt(() => this.#reload()));
    byId("verify", HTMLButtonElement).addEventListener("click", () => void this.#verify());
    byId("filter", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      void attempt(() => this.#reload());
    });
    this.#kind.addEventListener("change", () => void attempt(() => this.#reload()));
  }

  /** Called whenever the tab is looked at. */
  show(): void {
    void attempt(() => this.#reload());
    if (!this.#shown) void this.#verify();
    this.#shown = true;
  }

  clear(): void {
    this.#rows.replaceChildren();
    this.#verdict.replaceChildren();
    this.#shown = false;
  }

  async #reload(): Promise<void> {
    this.#oldest = null;
    await this.#more(true);
  }

  async #more(again = false): Promise<void> {
    const kind = this.#kind.value.trim();
    const filter: RowFilter = {
      limit: PAGE_ROWS,
      ...(kind === "" ? {} : { kind }),
      ...(this.#oldest === null ? {} : { before: this.#oldest }),
    };
    const { rows, size } = await ask({ call: "audit.rows", filter });
    const made = rows.map(rowElement);
    if (again) this.#rows.replaceChildren(...made);
    else this.#rows.append(...made);
    this.#oldest = rows.at(-1)?.seq ?? this.#oldest;
    this.#older.hidden = rows.length < PAGE_ROWS || this.#oldest === 0;
    this.#size.textContent = count(size, "row", "rows");
    if (this.#rows.childElementCount === 0)
      this.#rows.append(el("li", { class: "empty" }, kind === "" ? "Nothing yet." : `No row of kind ${kind}.`));
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
    this.#verdict.dataset["state"] = state;
    this.#verdict.replaceChildren(
      el("h2", null, HEADLINE[state]),
      el("ul", null, ...sentences.map((sentence) => el("li", null, visible(sentence)))),
      el("p", { class: "hint" }, "The same on the terminal, for someone who does not trust this page:"),
      command("wirken audit verify"),
    );
  }
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
  const { chain, sentences } = await ask({ call: "audit.explain", seq });
  place.replaceChildren(
    el("h4", null, "How it came to this"),
    el("ol", { class: "sentences" }, ...sentences.map((sentence) => el("li", { dir: "auto" }, visible(sentence)))),
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
