import { PrincipalId, SessionId } from "../ipc/ids.ts";
import { usage } from "./command-error.ts";
import type { OperatorPort } from "./operator-port.ts";
import { personOf } from "./person.ts";

type Target =
  | { readonly subject: "session"; readonly session: SessionId }
  | { readonly subject: "principal"; readonly principal: PrincipalId };

/** What `--session` or `--principal` means. @throws {CommandError} unless it is exactly one of them. */
export async function targetOf(
  operator: OperatorPort,
  given: { readonly session?: string | undefined; readonly principal?: string | undefined },
): Promise<Target> {
  const { session, principal } = given;
  if ((session === undefined) === (principal === undefined))
    throw usage("say of which session or of which person", "give one of --session <id> and --principal <id or name>");
  if (session !== undefined) {
    const id = SessionId.safeParse(session);
    if (!id.success) throw usage("that is not a session's id", "it begins with s_ and stands in: wirken audit log");
    return { subject: "session", session: id.data };
  }
  // Somebody who was revoked is listed nowhere, and still has an id.
  const id = PrincipalId.safeParse(principal);
  if (id.success) return { subject: "principal", principal: id.data };
  const { people } = await operator.call({ call: "pair.list" });
  return { subject: "principal", principal: personOf(principal ?? "", people) };
}
