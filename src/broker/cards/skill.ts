import type { ActionOfType } from "../../effect/action.ts";
import { line, lines } from "./lines.ts";

export function renderSkillRead(action: ActionOfType<"skill.read">): string {
  return lines(
    action.file === null ? "read the instructions of a skill" : "read a file of a skill",
    line("skill", `${action.skill} ${action.version}`),
    line("signed by", action.signer),
    line("its files", `sha256 ${action.digest}`),
    ...(action.file === null ? [] : [line("file", action.file)]),
  );
}
