import type { McpTool } from "../effect/mcp-port.ts";
import { toolDigest } from "../ipc/mcp-digest.ts";
import type { OfferedTool } from "../ipc/mcp-frames.ts";
import { keyOfTool, offeredNames } from "./mcp-names.ts";
import type { McpToolState } from "./mcp-servers.ts";

/** What a server offers against what was accepted of it.
 *  @param offered null: it was not asked since the daemon's start. Then what was accepted stands: a call is made of that very tool or not at all. */
export function standingsOf(
  server: string,
  offered: readonly OfferedTool[] | null,
  accepted: ReadonlyMap<string, OfferedTool>,
): McpToolState[] {
  const now = new Map((offered ?? [...accepted.values()]).map((tool) => [tool.name, tool]));
  const names = [...new Set([...now.keys(), ...accepted.keys()])].toSorted();
  const offeredAs = offeredNames(server, names);
  return names.map((name): McpToolState => {
    const [is, was] = [now.get(name) ?? null, accepted.get(name) ?? null];
    const digest = is === null ? null : toolDigest(is);
    const acceptedDigest = was === null ? null : toolDigest(was);
    return {
      standing:
        is === null ? "gone" : was === null ? "new" : digest === acceptedDigest && usable(was) ? "accepted" : "changed",
      offeredAs: offeredAs.get(name) ?? null,
      now: is,
      digest,
      accepted: was,
      acceptedDigest,
    };
  });
}

/** The tools that agents have of it, as the model is told of them: in the words that were accepted. */
export function acceptedTools(server: string, states: readonly McpToolState[]): McpTool[] {
  return states.flatMap(({ standing, offeredAs, accepted, acceptedDigest }): McpTool[] => {
    if (standing !== "accepted" || accepted === null || acceptedDigest === null || offeredAs === null) return [];
    const parameters = schemaOf(accepted.schema);
    if (parameters === null) return [];
    const { name, title, description } = accepted;
    return [
      {
        server,
        name,
        offeredAs,
        key: keyOfTool(name),
        description: `${title === null ? "" : `${title}. `}${description}`,
        parameters,
        digest: acceptedDigest,
      },
    ];
  });
}

function usable(tool: OfferedTool): boolean {
  return schemaOf(tool.schema) !== null;
}

function schemaOf(text: string): Record<string, unknown> | null {
  const schema: unknown = JSON.parse(text);
  return typeof schema === "object" && schema !== null && !Array.isArray(schema)
    ? Object.fromEntries(Object.entries(schema))
    : null;
}
