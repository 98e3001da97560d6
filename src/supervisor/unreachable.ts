import type { AuditLog } from "../../audit/log.ts";
import type { AnswerTo } from "../ipc/operator.ts";
import type { State } from "./state.ts";

/** So many exports are named one by one; more are counted. */
const MAX_EXPORTS = 1_000;
/** Channels that are this machine's own: no platform has a copy. */
const LOCAL: ReadonlySet<string> = new Set(["terminal", "web"]);

type Beyond = Pick<AnswerTo<"audit.erase">, "exports" | "unreachable">;

/** What an erasure cannot reach, because it left this machine or lies where we do not write. @param sessions those that are erased. */
export async function unreachable(log: AuditLog, state: State, sessions: readonly string[]): Promise<Beyond> {
  const exports = await exportsOf(log);
  const channels = [...new Set(sessions.map((session) => state.session(session)?.channel ?? "terminal"))].filter(
    (channel) => !LOCAL.has(channel),
  );
  const providers = new Set<string>();
  for (const session of sessions) {
    for (const { action } of await log.search({ kind: "model.called", session, limit: MAX_EXPORTS }))
      if (action.kind === "model.called" && action.provider !== "offline") providers.add(action.provider);
  }
  return {
    exports,
    unreachable: [
      ...channels.map((channel) => `what ${platform(channel)} keeps of it: delete it there`),
      ...[...providers].map((provider) => `what the model provider ${provider} keeps of the requests it was sent`),
      "what was already sent to a log collector outside of this data directory",
      "backups of this data directory: whoever has one, and the key that protects its vault, can still read it there",
      "files that the agent wrote into its workspace: they are yours, and stay",
    ],
  };
}

function platform(channel: string): string {
  return channel.split(":")[0] ?? channel;
}

async function exportsOf(log: AuditLog): Promise<Beyond["exports"]> {
  const rows = await log.search({ kind: "log.exported", limit: MAX_EXPORTS });
  return rows.flatMap(({ at, cause, action }) => {
    const begun = cause === null ? null : log.row(cause);
    if (action.kind !== "log.exported" || begun?.action.kind !== "log.exporting") return [];
    return [{ at, digest: action.digest, disclosure: begun.action.disclosure }];
  });
}
