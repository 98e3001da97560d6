import { createHash } from "node:crypto";
import type { OfferedTool } from "./mcp-frames.ts";

/** What a tool is accepted as: SHA-256, lower-case hex, over everything that its server says of it. */
export function toolDigest({ name, title, description, schema, output, hints }: OfferedTool): string {
  const { readOnly, destructive, idempotent, openWorld } = hints;
  const all = [name, title, description, schema, output, readOnly, destructive, idempotent, openWorld];
  return createHash("sha256").update("wirken/mcp-tool/v1\n").update(JSON.stringify(all)).digest("hex");
}
