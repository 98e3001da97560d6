import { AdapterChannel, platformOf } from "../ipc/channel.ts";
import type { NamedBytes } from "../ipc/named-bytes.ts";
import { exchangedOf, PLATFORM_CREDENTIALS } from "../ipc/platform-credentials.ts";
import type { Checked } from "./credentials.ts";
import { OperatorError } from "./operator-error.ts";

/** What is given for a login, such as a password, is never kept: its platform's process exchanges it for a token when it is checked. */

function namesOf(scope: string, candidate: readonly NamedBytes[]): string[] {
  const [kind, name = ""] = scope.split("/");
  if (kind !== "channel") return [];
  return exchangedOf(
    platformOf(AdapterChannel.parse(name)),
    candidate.map((one) => one.name),
  );
}

/** @throws {OperatorError} where something was given for a login, and nothing came for it. */
export function refuseUnexchanged(scope: string, candidate: readonly NamedBytes[], checked: Checked | null): void {
  if (namesOf(scope, candidate).length === 0 || checked?.instead !== undefined) return;
  if (checked === null)
    throw new OperatorError(
      "usage",
      "a password is not kept: it is exchanged for a token when it is checked",
      "leave --no-check out, or give an access token; nothing was saved",
    );
  throw new OperatorError("bad-answer", checked.sentence ?? "nothing came for that password", "nothing was saved");
}

/** @returns what of a candidate is kept, with what came in the place of the rest. */
export function toKeep(scope: string, candidate: readonly NamedBytes[], checked: Checked | null): NamedBytes[] {
  const gone = namesOf(scope, candidate);
  if (gone.length === 0) return [...candidate];
  return [...candidate.filter(({ name }) => !gone.includes(name)), ...(checked?.instead ?? [])];
}

/** @returns what a process says is to be kept; null where it is not what that platform keeps. */
export function insteadOf(channel: AdapterChannel, given: readonly NamedBytes[]): readonly NamedBytes[] | null {
  const kept = PLATFORM_CREDENTIALS[platformOf(channel)].filter((one) => one.exchanged !== true);
  return given.length > 0 && given.every(({ name }) => kept.some((one) => one.name === name)) ? given : null;
}
