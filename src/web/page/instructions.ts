import type { AnswerTo } from "../../ipc/operator.ts";
import { ask } from "./call.ts";
import { button, el } from "./element.ts";
import { visible, visibleLines } from "./format.ts";
import { attempt, tell } from "./notices.ts";

type File = AnswerTo<"instructions.show">["files"][number];

const STATE: Readonly<Record<File["state"], string>> = {
  "in force": "told to the agent as it is",
  new: "new, told to nobody yet",
  changed: "changed: what it said before is told",
  unusable: "not told to an agent",
};

/** AGENTS.md, SOUL.md and USER.md: told to an agent once the owner has looked at what is shown here whole. */
export function instructionCard(files: readonly File[], reload: () => Promise<void>): HTMLElement {
  return el(
    "section",
    { class: "panel-card" },
    el("h2", null, "Files that agents are told"),
    el("p", { class: "hint" }, "A new or changed one waits for you: an agent does as it says."),
    el("ul", { class: "plain" }, ...files.map((file) => line(file, reload))),
  );
}

function line(file: File, reload: () => Promise<void>): HTMLElement {
  const { agent, path, person, state, why, digest, difference, untrusted, noticed } = file;
  const waits = (state === "new" || state === "changed") && digest !== null;
  return el(
    "li",
    null,
    el("strong", null, visible(path)),
    el(
      "span",
      { class: "hint" },
      ` agent ${agent}, in turns of ${person === null ? "everybody" : visible(person)}: ${STATE[state]}`,
    ),
    why === null ? null : el("p", { class: "hint" }, visible(why)),
    untrusted
      ? el("p", { class: "note", role: "note" }, "It was written beside something that nobody vouches for.")
      : null,
    ...noticed.map((sentence) => el("p", { class: "note", role: "note" }, `Noticed: ${visible(sentence)}`)),
    difference === "" ? null : el("pre", null, visibleLines(difference)),
    waits
      ? button("Have the agent told this", () => accept(file, digest, reload), {
          id: `accept-${digest}`,
          "aria-label": `have agent ${agent} told what ${visible(path)} says`,
        })
      : null,
  );
}

async function accept({ agent, path }: File, digest: string, reload: () => Promise<void>): Promise<void> {
  await attempt(async () => {
    await ask({ call: "instructions.accept", agent, path, digest });
    tell(`Agent ${agent} is told what ${visible(path)} says.`, null, "info");
    await reload();
  });
}
