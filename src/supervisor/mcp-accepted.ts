import { createHash } from "node:crypto";
import * as z from "zod/mini";
import type { AuditLog } from "../../audit/log.ts";
import { toolDigest } from "../ipc/mcp-digest.ts";
import { MAX_OFFERED, OfferedTool } from "../ipc/mcp-frames.ts";
import type { By } from "./people.ts";
import type { Placed } from "./standing.ts";

const Tools = z.array(OfferedTool).check(z.maxLength(MAX_OFFERED));

export interface McpAcceptedParts {
  readonly log: Pick<AuditLog, "row" | "append">;
  readonly placed: (what: Placed) => readonly number[];
}

/** What was accepted of each server's tools, on the log: whole, so that agents are told of what somebody has read, and not of what the server says today. */
export class McpAccepted {
  readonly #parts: McpAcceptedParts;
  #all: Map<string, ReadonlyMap<string, OfferedTool>> | null = null;

  constructor(parts: McpAcceptedParts) {
    this.#parts = parts;
  }

  /** By name. */
  of(server: string): ReadonlyMap<string, OfferedTool> {
    return this.#read().get(server) ?? NOTHING;
  }

  #read(): Map<string, ReadonlyMap<string, OfferedTool>> {
    if (this.#all !== null) return this.#all;
    const all = new Map<string, ReadonlyMap<string, OfferedTool>>();
    for (const seq of this.#parts.placed("mcp-tools")) {
      const row = this.#parts.log.row(seq);
      if (row?.action.kind !== "mcp.tools-accepted") continue;
      const text = row.content("tools");
      // What was erased is not known any more: it is to be accepted again.
      const tools = text === null ? [] : (Tools.safeParse(jsonOf(text)).data ?? []);
      if (listDigest(tools) === row.action.digest) all.set(row.action.server, byName(tools));
    }
    this.#all = all;
    return all;
  }

  /** In the place of everything that was accepted of that server before. */
  async accept(server: string, tools: readonly OfferedTool[], who: By): Promise<void> {
    await this.#parts.log.append(
      { kind: "mcp.tools-accepted", server, tools: tools.length, digest: listDigest(tools), ...who },
      { cause: null, content: { tools: JSON.stringify(tools) } },
    );
    this.#read().set(server, byName(tools));
  }
}

const NOTHING: ReadonlyMap<string, OfferedTool> = new Map();

/** Of several tools, in whatever order. */
export function listDigest(tools: readonly OfferedTool[]): string {
  const digests = tools.map(toolDigest).toSorted();
  return createHash("sha256")
    .update(`wirken/mcp-tools/v1\n${digests.join("\n")}`)
    .digest("hex");
}

function byName(tools: readonly OfferedTool[]): ReadonlyMap<string, OfferedTool> {
  return new Map(tools.map((tool) => [tool.name, tool]));
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
