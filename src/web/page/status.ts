import type { AnswerTo } from "../../ipc/operator.ts";
import { ask } from "./call.ts";
import { FolderCards } from "./folders.ts";
import { serverList } from "./mcp.ts";
import { button, byId, type Child, el } from "./element.ts";
import { count, until, visible, when } from "./format.ts";
import { scheduleList } from "./schedules.ts";
import { instructionCard } from "./instructions.ts";
import { attempt, command, tell, withCode } from "./notices.ts";

const EVERY_MS = 10_000;

type Status = AnswerTo<"status">;
type Pairs = AnswerTo<"pair.list">;
type Sessions = AnswerTo<"web.sessions">["sessions"];
type Credentials = AnswerTo<"vault.list">["credentials"];

/** Good, wants something, or bad: said in words beside the colour. */
const CHANNEL_STATE: Record<Status["channels"][number]["state"], "good" | "wants" | "bad" | "off"> = {
  connected: "good",
  connecting: "wants",
  reconnecting: "wants",
  refused: "bad",
  disabled: "off",
  "no-credentials": "wants",
  locked: "wants",
  failed: "bad",
};

/** How Wirken is: what protects it, what it is connected to, who may speak to it. */
export class StatusTab {
  readonly #cards = byId("status-cards", HTMLElement);
  #timer: ReturnType<typeof setInterval> | null = null;
  #last = "";
  readonly #folders = new FolderCards(() => this.load());

  show(): void {
    void attempt(() => this.load());
    this.#timer ??= setInterval(() => {
      if (document.visibilityState === "visible") void this.load().catch(() => undefined); // the stream says when nothing answers
    }, EVERY_MS);
  }

  hide(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  clear(): void {
    this.hide();
    this.#last = "";
    this.#cards.replaceChildren();
  }

  async load(): Promise<void> {
    const [status, pairs, { sessions }, { credentials }, folders, { schedules }, { files }, { servers }] =
      await Promise.all([
        ask({ call: "status" }),
        ask({ call: "pair.list" }),
        ask({ call: "web.sessions" }),
        ask({ call: "vault.list" }),
        ask({ call: "folder.list", agent: null }),
        ask({ call: "schedule.list" }),
        ask({ call: "instructions.show", agent: null }),
        ask({ call: "mcp.list" }),
      ]);
    // What has not changed stays, and with it the focus.
    const now = JSON.stringify([
      status,
      pairs,
      sessions.map((one) => ({ ...one, last: null, until: null })),
      credentials,
      folders,
      schedules,
      files,
      servers,
    ]);
    if (now === this.#last) return;
    this.#last = now;
    const focused = document.activeElement?.id ?? "";
    this.#cards.replaceChildren(
      ...notes(status),
      pairs.pending.length === 0 ? "" : pending(pairs, () => this.load()),
      model(status),
      channels(status),
      vault(status, credentials),
      people(pairs),
      this.#folders.folders(folders),
      this.#folders.changes(),
      ...(files.length === 0 ? [] : [instructionCard(files, () => this.load())]),
      card("Schedules", scheduleList(schedules), command("wirken schedule list")),
      card("MCP servers", ...serverList(servers)),
      browsers(sessions, () => this.load()),
      processes(status),
      daemon(status),
    );
    if (focused !== "") document.getElementById(focused)?.focus();
  }
}

function card(title: string, ...children: readonly Child[]): HTMLElement {
  return el("section", { class: "panel-card" }, el("h2", null, title), ...children);
}

function lamp(state: "good" | "wants" | "bad" | "off", words: string): HTMLElement {
  return el("span", { class: "lamp", "data-state": state }, words);
}

function notes(status: Status): HTMLElement[] {
  const all = [...status.notes];
  if (status.log.stopped !== null) all.unshift(status.log.stopped);
  return all.map((note) => el("p", { class: "note", role: "note" }, ...withCode(visible(note))));
}

function vault({ vault: { state, protector, sentence } }: Status, credentials: Credentials): HTMLElement {
  const rows = credentials.map((one) =>
    el(
      "li",
      null,
      el("strong", null, visible(one.scope)),
      ` ${one.names.map(visible).join(", ")}`,
      el(
        "span",
        { class: "hint" },
        one.checked ? ` checked${one.account === null ? "" : `: ${visible(one.account)}`}` : " not checked yet",
      ),
    ),
  );
  return card(
    "Vault",
    el(
      "p",
      null,
      lamp(state === "open" ? "good" : state === "locked" ? "wants" : "bad", state),
      ` ${visible(sentence)}`,
    ),
    state === "open" && protector !== "none"
      ? null
      : command(state === "locked" ? "wirken vault unlock" : "wirken vault protect"),
    rows.length === 0 ? el("p", { class: "hint" }, "No credentials.") : el("ul", { class: "plain" }, ...rows),
    el("p", { class: "hint" }, "Secrets are typed on the terminal, never here:"),
    el(
      "div",
      { class: "commands" },
      ...["slack", "telegram", "anthropic"].map((what) => command(`wirken vault add ${what}`)),
    ),
  );
}

function model({ model: { agent, ref, note }, sandbox }: Status): HTMLElement {
  return card(
    "Agent",
    el("p", null, el("strong", null, visible(agent)), " thinks with ", el("code", null, visible(ref))),
    note === null ? null : el("p", { class: "hint" }, ...withCode(visible(note))),
    el("p", null, lamp(...sandboxLamp(sandbox))),
    sandbox.note === null ? null : el("p", { class: "hint" }, ...withCode(visible(sandbox.note))),
  );
}

function channels({ channels: all }: Status): HTMLElement {
  const rows = all.map(({ channel, state, account, note }) =>
    el(
      "li",
      null,
      el("strong", null, visible(channel)),
      " ",
      lamp(CHANNEL_STATE[state], state.replace("-", " ")),
      account === null ? null : ` ${visible(account)}`,
      note === null ? null : el("p", { class: "hint" }, ...withCode(visible(note))),
    ),
  );
  return card(
    "Channels",
    rows.length === 0
      ? el("p", { class: "hint" }, "None yet: enrol one with the commands under Vault.")
      : el("ul", { class: "plain" }, ...rows),
  );
}

function pending({ pending: all }: Pairs, reload: () => Promise<void>): HTMLElement {
  const rows = all.map((one) => {
    const approve = async (role: "user" | "approver") => {
      await attempt(async () => {
        const { name } = await ask({ call: "pair.approve", code: one.code, role, as: null });
        tell(`${visible(name)} may speak to Wirken now, as ${role}.`, null, "info");
        await reload();
      });
    };
    return el(
      "li",
      { class: "pairing" },
      el(
        "p",
        null,
        el("strong", { dir: "auto" }, visible(one.name)),
        ` on ${visible(one.channel)} (${visible(one.id)}), expires ${until(one.expires)}`,
      ),
      el(
        "p",
        { class: "hint" },
        "Approve only someone who told you this code themselves: ",
        el("code", { class: "code" }, one.code),
      ),
      el(
        "div",
        { class: "buttons" },
        button("Let them ask", () => approve("user"), { class: "primary", id: `user-${one.code}` }),
        button("Let them ask and approve", () => approve("approver"), { id: `approver-${one.code}` }),
      ),
      command(`wirken pair approve ${one.code}`),
    );
  });
  return card("Waiting to be paired", el("ul", { class: "plain" }, ...rows));
}

function people({ people: all, pending: waiting }: Pairs): HTMLElement {
  const rows = all.map(({ principal, name, role, identities }) =>
    el(
      "li",
      null,
      el("strong", { dir: "auto", title: principal }, visible(name)),
      ` ${role}`,
      el(
        "span",
        { class: "hint" },
        identities.length === 0
          ? ""
          : ` ${identities.map((one) => `${visible(one.channel)}: ${visible(one.name)}`).join(", ")}`,
      ),
    ),
  );
  const nobody =
    waiting.length > 0
      ? null
      : el(
          "p",
          { class: "hint" },
          "Nobody waits to be paired. Whoever writes to a bot gets a code, which you approve here.",
        );
  return card("People", el("ul", { class: "plain" }, ...rows), nobody);
}

function browsers(sessions: Sessions, reload: () => Promise<void>): HTMLElement {
  const rows = sessions.map(({ session, since, last, until: end, current }) => {
    const over = button(
      "End",
      async () => {
        await attempt(async () => {
          await ask({ call: "web.sessions.end", session });
          if (!current) await reload();
        });
      },
      {
        id: `end-${session}`,
        "aria-label": current ? "end this browser's session" : `end the session of ${when(since)}`,
      },
    );
    return el(
      "li",
      { class: "browser" },
      el(
        "span",
        null,
        current ? el("strong", null, "This browser") : "A browser",
        `, since ${when(since)}, last seen ${when(last)}`,
      ),
      el("span", { class: "hint" }, ` ends ${until(end)} at most`),
      over,
    );
  });
  return card("Logged in", el("ul", { class: "plain" }, ...rows));
}

function processes({ processes: all }: Status): HTMLElement {
  const rows = all.map(({ role, subject, pid, since, restarts, state }) =>
    el(
      "tr",
      null,
      el("td", null, `${visible(role)}${subject === null ? "" : ` ${visible(subject)}`}`),
      el("td", null, state === "ready" ? lamp("good", state) : lamp("wants", state)),
      el("td", { class: "number" }, String(pid)),
      el("td", null, when(since)),
      el("td", { class: "number" }, String(restarts)),
    ),
  );
  const head = ["process", "state", "pid", "since", "restarts"].map((title) => el("th", { scope: "col" }, title));
  return card(
    "Processes",
    el(
      "div",
      { class: "wide", tabindex: 0 },
      el("table", null, el("thead", null, el("tr", null, ...head)), el("tbody", null, ...rows)),
    ),
  );
}

function daemon({ version, build, pid, since, home, log }: Status): HTMLElement {
  return card(
    "Daemon",
    el(
      "dl",
      null,
      ...fact("version", version),
      ...fact("build", build.slice(0, 16)),
      ...fact("running since", `${when(since)} (pid ${pid})`),
      ...fact("data", home),
      ...fact(
        "audit log",
        `${count(log.rows, "row", "rows")}, ${log.checkpoint === 0 ? "no checkpoint yet" : `checkpoint at ${log.checkpoint.toLocaleString("en")}`}`,
      ),
    ),
  );
}

function fact(name: string, value: string): HTMLElement[] {
  return [el("dt", null, name), el("dd", null, visible(value))];
}

function sandboxLamp({ works, note }: Status["sandbox"]): Parameters<typeof lamp> {
  if (!works) return ["bad", "no sandbox"];
  return note === null ? ["good", "sandbox works"] : ["wants", "a weaker sandbox"];
}
