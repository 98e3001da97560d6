import type { AnswerTo } from "../../ipc/operator.ts";
import { type Child, el } from "./element.ts";
import { visible } from "./format.ts";
import { command, withCode } from "./notices.ts";

type Server = AnswerTo<"mcp.list">["servers"][number];

/** In words, and whether it is good, wants something, or is bad. */
const STATE: Readonly<Record<Server["state"], readonly ["good" | "wants" | "bad" | "off", string]>> = {
  up: ["good", "running"],
  starting: ["wants", "starting"],
  waiting: ["wants", "starts again soon"],
  "given-up": ["bad", "does not start"],
  stopped: ["off", "stopped"],
  off: ["off", "disabled"],
};

/** The servers there are, and how they are. They are managed on the terminal. */
export function serverList(servers: readonly Server[]): Child[] {
  if (servers.length === 0)
    return [el("p", { class: "hint" }, "None yet."), command("wirken mcp add NAME -- npx -y PACKAGE")];
  return [el("ul", { class: "plain" }, ...servers.map((one) => row(one))), command("wirken mcp list")];
}

function row({ name, what, state, accepted, note }: Server): HTMLElement {
  const [lit, words] = STATE[state];
  return el(
    "li",
    null,
    el("strong", null, visible(name)),
    " ",
    el("span", { class: "lamp", "data-state": lit }, words),
    ` ${accepted === 1 ? "1 tool" : `${accepted} tools`} `,
    el("code", null, visible(what)),
    note === null ? null : el("p", { class: "hint" }, ...withCode(visible(note))),
  );
}
