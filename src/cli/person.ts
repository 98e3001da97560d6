import { PrincipalId } from "../ipc/ids.ts";
import type { AnswerTo } from "../ipc/operator.ts";
import { CommandError, usage } from "./command-error.ts";
import { EXIT } from "./exit-status.ts";

/** Whom a command means by an id or a name. @throws {CommandError} when nobody or several are called that. */
export function personOf(who: string, people: AnswerTo<"pair.list">["people"]): PrincipalId {
  const found = people.filter(({ principal, name }) => principal === who || name === who);
  if (found.length > 1)
    throw new CommandError(EXIT.usage, `${found.length} people are called ${who}`, "use the id: wirken pair list");
  const id = PrincipalId.safeParse(found[0]?.principal);
  if (!id.success) throw usage(`nobody here is ${who}`, "see: wirken pair list");
  return id.data;
}
