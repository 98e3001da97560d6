import type { BudgetView, UsageBy } from "../../ipc/budget-calls.ts";
import type { AnswerTo } from "../../ipc/operator.ts";
import { ask } from "./call.ts";
import { byId, el } from "./element.ts";
import { visible } from "./format.ts";
import { attempt, command } from "./notices.ts";
import { svg } from "./svg.ts";

type Usage = AnswerTo<"usage.show">;
type Row = Usage["rows"][number];

/** Days in the plot. */
const DAYS = 30;
const DAY_MS = 24 * 3_600_000;
/** Of the drawing, in its own units: it is as wide as the page makes it. */
const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [720, 240, 64, 28, 12];
const GAP = 3;

/** What models used: by the day as a plot, and by agent, person and model as tables. */
export class UsageTab {
  readonly #cards = byId("usage-cards", HTMLElement);

  show(): void {
    void attempt(() => this.load());
  }

  clear(): void {
    this.#cards.replaceChildren();
  }

  async load(): Promise<void> {
    const today = Date.now();
    const [from, to] = [dayOf(today - (DAYS - 1) * DAY_MS), dayOf(today)];
    const used = async (by: UsageBy): Promise<Usage> => await ask({ call: "usage.show", by, from, to });
    const [day, agent, person, model, { budgets }] = await Promise.all([
      used("day"),
      used("agent"),
      used("person"),
      used("model"),
      ask({ call: "budget.show" }),
    ]);
    this.#cards.replaceChildren(
      card(`Used in ${DAYS} days`, ...plotted(day)),
      card(
        "Budgets",
        budgetTable(budgets),
        el("p", { class: "hint" }, "Set one in a terminal: "),
        command("wirken budget set"),
      ),
      ...(day.total.calls === 0
        ? []
        : [
            card("By agent", usageTable(agent)),
            card("By person", usageTable(person)),
            card("By model", usageTable(model)),
          ]),
    );
  }
}

function card(title: string, ...children: readonly (Node | string)[]): HTMLElement {
  return el("section", { class: "panel-card" }, el("h2", null, title), ...children);
}

/** The plot, what it says in words, and its numbers as a table that can be opened. */
function plotted(usage: Usage): Node[] {
  const { total, rows } = usage;
  if (total.calls === 0) return [el("p", { class: "hint" }, "No model was called.")];
  const unpriced = total.unpriced === 0 ? "" : `, and ${tokens(total.unpriced)} without a price`;
  return [
    el(
      "p",
      null,
      `${dollars(total.microDollars)} for ${tokens(total.inputTokens + total.outputTokens)} in ${total.calls.toLocaleString("en")} calls${unpriced}.`,
    ),
    el("p", { class: "hint" }, total.microDollars > 0 ? "US dollars a day" : "Tokens a day"),
    // Where nothing has a price there is still something to see.
    total.microDollars > 0
      ? bars(rows, "US dollars a day", ({ microDollars }) => microDollars, dollars, dollars)
      : bars(rows, "Tokens a day", ({ inputTokens, outputTokens }) => inputTokens + outputTokens, tokens, compact),
    el(
      "details",
      null,
      el("summary", null, "The numbers"),
      usageTable({ ...usage, rows: rows.filter(({ calls }) => calls > 0) }),
    ),
  ];
}

function bars(
  rows: readonly Row[],
  what: string,
  valueOf: (row: Row) => number,
  say: (value: number) => string,
  /** For the axis, which has little room. */
  short: (value: number) => string,
): SVGElement {
  const most = Math.max(1, ...rows.map((row) => valueOf(row)));
  const step = (WIDTH - LEFT) / Math.max(1, rows.length);
  const height = HEIGHT - BOTTOM - TOP;
  const yOf = (value: number): number => TOP + height * (1 - value / most);
  const highest = rows.reduce((a, b) => (valueOf(b) > valueOf(a) ? b : a));
  const drawn = rows.map((row, index) => {
    const y = yOf(valueOf(row));
    const place = { x: LEFT + index * step + GAP / 2, y, width: step - GAP, height: HEIGHT - BOTTOM - y, rx: 2 };
    return svg("rect", { class: "bar", ...place }, svg("title", {}, `${row.key}: ${say(valueOf(row))}`));
  });
  const lines = [0, most / 2, most].map((value) =>
    svg(
      "g",
      {},
      svg("line", { class: "grid", x1: LEFT, x2: WIDTH, y1: yOf(value), y2: yOf(value) }),
      svg("text", { class: "tick", x: LEFT - 8, y: yOf(value) + 4, "text-anchor": "end" }, short(value)),
    ),
  );
  const named = [rows[0], rows[Math.floor(rows.length / 2)], rows.at(-1)].flatMap((row, place) => {
    if (row === undefined) return [];
    const x = [LEFT, LEFT + (WIDTH - LEFT) / 2, WIDTH][place] ?? LEFT;
    const anchor = (["start", "middle", "end"] as const)[place] ?? "start";
    return [svg("text", { class: "tick", x, y: HEIGHT - 8, "text-anchor": anchor }, row.key)];
  });
  return svg(
    "svg",
    { class: "plot", role: "img", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-labelledby": "plot-title plot-desc" },
    svg("title", { id: "plot-title" }, what),
    svg(
      "desc",
      { id: "plot-desc" },
      `One bar for each of ${rows.length} days, from ${rows[0]?.key ?? ""} to ${rows.at(-1)?.key ?? ""}; the most on ${highest.key}: ${say(valueOf(highest))}. They stand in the table below.`,
    ),
    ...lines,
    ...drawn,
    ...named,
  );
}

const COLUMNS: Readonly<Record<UsageBy, string>> = {
  agent: "Agent",
  person: "Person",
  model: "Model",
  day: "Day (UTC)",
};

function usageTable({ by, rows }: Usage): HTMLElement {
  return tableOf(
    [COLUMNS[by], "Calls", "Tokens in", "Tokens out", "Money"],
    rows.map((row) => [
      visible(row.name ?? row.key),
      row.calls.toLocaleString("en"),
      row.inputTokens.toLocaleString("en"),
      row.outputTokens.toLocaleString("en"),
      row.unpriced === 0
        ? dollars(row.microDollars)
        : `${dollars(row.microDollars)} and ${tokens(row.unpriced)} without a price`,
    ]),
  );
}

function budgetTable(budgets: readonly BudgetView[]): HTMLElement {
  return tableOf(
    ["For", "Per", "Limit", "Used", "Set aside"],
    budgets.map(({ subject, id, name, per, unit, most, used, reserved }) => {
      const say = unit === "usd" ? dollars : tokens;
      return [subject === "agent" ? `agent ${id}` : visible(name ?? id), per, say(most), say(used), say(reserved)];
    }),
  );
}

function tableOf(headings: readonly string[], rows: readonly (readonly string[])[]): HTMLElement {
  return el(
    "div",
    { class: "wide" },
    el(
      "table",
      null,
      el("thead", null, el("tr", null, ...headings.map((heading) => el("th", { scope: "col" }, heading)))),
      el(
        "tbody",
        null,
        ...rows.map(([first = "", ...cells]) =>
          el("tr", null, el("th", { scope: "row" }, first), ...cells.map((cell) => el("td", null, cell))),
        ),
      ),
    ),
  );
}

function dollars(microDollars: number): string {
  return `$${(microDollars / 1e6).toFixed(microDollars > 0 && microDollars < 10_000 ? 4 : 2)}`;
}
/** Such as 1.8K. */
function compact(number: number): string {
  return number.toLocaleString("en", { notation: "compact" });
}

function tokens(number: number): string {
  return `${Math.round(number).toLocaleString("en")} tokens`;
}
function dayOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}
