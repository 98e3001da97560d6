import type { AnswerTo } from "../../ipc/operator.ts";
import { ask } from "./call.ts";
import { button, el } from "./element.ts";
import { visible, when } from "./format.ts";
import { attempt, tell } from "./notices.ts";

type Folders = AnswerTo<"folder.list">;
type Folder = Folders["folders"][number];

/** Turns that can be taken back from here; older ones are for the terminal. */
const SHOWN = 5;

/** Folders of this machine that agents see, and what turns did to files. */
export class FolderCards {
  readonly #reload: () => Promise<void>;
  /** Made once: what is being typed stays while the cards around it are made anew. */
  readonly #path = el("input", {
    id: "folder-path",
    type: "text",
    autocomplete: "off",
    maxlength: 4096,
    placeholder: "/home/me/documents",
  });
  readonly #agent = el("select", { id: "folder-agent" });
  #agents: Folders["agents"] = [];
  readonly #turns = el("ul", { class: "plain" });

  constructor(reload: () => Promise<void>) {
    this.#reload = reload;
  }

  folders({ folders, agents }: Folders): HTMLElement {
    if (agents.join() !== this.#agents.join())
      this.#agent.replaceChildren(...agents.map((name) => el("option", { value: name }, name)));
    this.#agents = agents;
    return el(
      "section",
      { class: "panel-card" },
      el("h2", null, "Folders"),
      el(
        "p",
        { class: "hint" },
        "Agents see their own workspaces and these folders, and nothing else of this machine.",
      ),
      el("ul", { class: "plain" }, ...folders.map((folder) => this.#folder(folder))),
      el("label", { for: "folder-path" }, "Another folder, by its whole path"),
      this.#path,
      el("label", { for: "folder-agent" }, "For which agent"),
      this.#agent,
      el(
        "div",
        { class: "buttons" },
        button("Add, to be read", () => this.#add(false), { id: "folder-read" }),
        button("Add, to be changed", () => this.#add(true), { id: "folder-write" }),
      ),
    );
  }

  #folder({ folder, name, path, agent, write, person, wrong }: Folder): HTMLElement {
    const remove = button("Remove", () => this.#remove(name, agent), {
      id: `remove-${folder}`,
      "aria-label": `remove the folder ${name} of agent ${agent}`,
    });
    const whose = person === null ? "" : `, for ${visible(person)} alone`;
    return el(
      "li",
      null,
      el("strong", null, name),
      ` ${visible(path)}`,
      el("span", { class: "hint" }, ` agent ${agent}, to be ${write ? "changed" : "read"}${whose}`),
      wrong === null ? null : el("p", { class: "note", role: "note" }, visible(wrong)),
      remove,
    );
  }

  async #add(write: boolean): Promise<void> {
    await attempt(async () => {
      const path = this.#path.value.trim();
      const agent = this.#agents.find((name) => name === this.#agent.value);
      if (agent === undefined) return;
      const answer = await ask({ call: "folder.add", path, name: null, agent, write, principal: null });
      this.#path.value = "";
      tell(`${visible(answer.path)} is ${answer.name}/ in the workspace of ${agent} now.`, null, "info");
      await this.#reload();
    });
  }

  async #remove(name: string, agent: Folder["agent"]): Promise<void> {
    await attempt(async () => {
      await ask({ call: "folder.remove", name, agent });
      await this.#reload();
    });
  }

  /** Looked up when it is asked for: it is a search of the whole log. */
  changes(): HTMLElement {
    return el(
      "section",
      { class: "panel-card" },
      el("h2", null, "Changes to files"),
      el("p", { class: "hint" }, "What a turn did to files can be taken back; what was changed since is left alone."),
      this.#turns,
      button("Show the newest turns that changed files", () => this.#show(), { id: "undo-list" }),
    );
  }

  async #show(): Promise<void> {
    await attempt(async () => {
      const { turns } = await ask({ call: "undo.list" });
      const rows = turns.slice(0, SHOWN).map((one) => this.#turn(one));
      this.#turns.replaceChildren(...(rows.length === 0 ? [el("li", { class: "hint" }, "None did.")] : rows));
    });
  }

  #turn({ turn, at, agent }: AnswerTo<"undo.list">["turns"][number]): HTMLElement {
    const said = el("div", null);
    const back = button(
      "See what would be taken back",
      async () => {
        await attempt(async () => {
          said.replaceChildren(...lines(await ask({ call: "undo", turn, force: false, preview: true })));
          said.append(
            button("Take it back", async () => {
              await attempt(async () => {
                const call = { call: "undo", turn, force: false, preview: false } as const;
                said.replaceChildren(...lines(await ask(call)));
              });
            }),
          );
        });
      },
      { "aria-label": `see what would be taken back of the turn of ${when(at)}` },
    );
    return el("li", null, `agent ${visible(agent)}, ${when(at)} `, back, said);
  }
}

function lines({ files, beyond }: AnswerTo<"undo">): HTMLElement[] {
  return [
    ...files.map(({ path, state, why }) =>
      el("p", null, `${state}: ${visible(path)}${why === null ? "" : `, ${visible(why)}`}`),
    ),
    ...beyond.map((sentence) => el("p", { class: "hint" }, `cannot be taken back: ${visible(sentence)}`)),
  ];
}
