import { type ActionOfType, USUAL_SECONDS } from "../../effect/action.ts";
import { WEAKER } from "../../effect/effects.ts";
import { block, line, lines, place } from "./lines.ts";

export function renderExec(action: ActionOfType<"exec">): string {
  const { argv, script, hosts = [], timeoutSeconds } = action;
  const background = action.background === true;
  const what = [
    `run a ${script === undefined ? "command" : "script"}`,
    ...(background ? ["IN THE BACKGROUND"] : []),
    action.write ? "that CAN CHANGE the workspace" : "that can only read the workspace",
    ...(hosts.length === 0 ? [] : ["and REACHES THE NETWORK"]),
  ];
  return lines(
    what.join(" "),
    ...(argv ?? []).map((word, index) => line(`argv ${index}`, word)),
    ...(script === undefined ? [] : [block(`script, run by /bin/${script.shell}`, script.text)]),
    action.stdin === null ? "  standard input: none" : block("standard input", action.stdin),
    ...place(
      action,
      `it reaches ${hosts.length === 0 ? "no network" : "the hosts below"} and no other file of this machine, and ${action.write ? "may change anything in the workspace but protected files" : "cannot change anything"}`,
    ),
    ...(action.skill === undefined
      ? []
      : [
          line("scripts of the skill", action.skill.name),
          line("its files", `sha256 ${action.skill.digest}`),
          line("in", action.skill.folder),
        ]),
    ...hosts.map((host) => line("reaches the host", `${host} (ports 443 and 80)`)),
    ...(hosts.length === 0 ? [] : ["  to those it can send whatever it can read"]),
    ...(action.sandbox === undefined ? [] : [line("sandbox", `weaker: ${WEAKER}`)]),
    line(
      "killed after",
      `${timeoutSeconds} s${timeoutSeconds > USUAL_SECONDS ? `, where ${USUAL_SECONDS} s are usual` : ""}`,
    ),
    ...(background ? ["  it goes on after the answer to this call, until it ends, is stopped, or its time is up"] : []),
    ...(action.unkept?.named ?? []).map((path) => line("cannot be taken back if it changes", path)),
    ...(action.unkept === undefined || action.unkept.more === 0
      ? []
      : [line("cannot be taken back if they change", `${action.unkept.more} more`)]),
    ...action.files.flatMap(({ path, digest }) => [
      line("uses the file", path),
      line("only if it is still", `sha256 ${digest}`),
    ]),
  );
}

/** What is asked of commands in the background. */
export function renderProcess({ do: what, command, network }: ActionOfType<"process">): string {
  const asked = {
    list: "list its own commands",
    output: "see what one of its own commands wrote",
    stop: "stop one of its own commands",
  };
  return lines(
    `${asked[what]} in the background`,
    ...(command === null ? [] : [line("command", command)]),
    `  it ${network ? "reaches" : "does not reach"} the network`,
  );
}
