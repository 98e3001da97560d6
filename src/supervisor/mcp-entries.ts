import { createHash } from "node:crypto";
import type { ActionOf } from "../../audit/action.ts";
import type { AuditLog } from "../../audit/log.ts";
import { Config, type McpServer } from "../config/schema.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";

export interface McpEntriesParts {
  readonly log: Pick<AuditLog, "append">;
  readonly config: () => Config;
  /** Sets one value of config.json, or removes it. */
  readonly set: (path: readonly string[], value: unknown) => Promise<void>;
}

/** The entries of servers in config.json, which are what counts. The rows say who changed them. */
export class McpEntries {
  readonly #parts: McpEntriesParts;

  constructor(parts: McpEntriesParts) {
    this.#parts = parts;
  }

  get all(): Config["mcp"] {
    return this.#parts.config().mcp;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.all, name);
  }

  /** @throws {OperatorError} if there is none of that name. */
  get(name: string): McpServer {
    const entry = this.has(name) ? this.all[name] : undefined;
    if (entry === undefined)
      throw new OperatorError("not-found", `there is no MCP server ${name}`, "wirken mcp list shows those there are");
    return entry;
  }

  async write(name: string, entry: McpServer, change: ActionOf<"mcp.configured">["change"], who: By): Promise<void> {
    const plain = plainEntry(entry);
    const text = JSON.stringify(plain);
    await this.#parts.log.append(
      { kind: "mcp.configured", server: name, change, entry: createHash("sha256").update(text).digest("hex"), ...who },
      { cause: null, content: { entry: text } },
    );
    await this.#parts.set(["mcp", name], plain);
  }

  async remove(name: string, who: By): Promise<void> {
    await this.#parts.log.append({ kind: "mcp.removed", server: name, ...who }, { cause: null });
    await this.#parts.set(["mcp", name], undefined);
  }

  /** For as long as something is tried, under a name that nobody uses. @param entry null: it is over. */
  async lend(name: string, entry: McpServer | null): Promise<void> {
    await this.#parts.set(["mcp", name], entry === null ? undefined : plainEntry(entry));
  }
}

/** @throws {OperatorError} usage, with what the schema says. */
export function checkedEntry(name: string, entry: Readonly<Record<string, unknown>>): McpServer {
  const read = Config.safeParse({ mcp: { [name]: entry } });
  if (!read.success) {
    const [issue] = read.error.issues;
    const place = issue?.path.slice(2).map(String).join(".") ?? "";
    throw new OperatorError(
      "usage",
      `${place === "" ? "the entry" : place}: ${issue?.message ?? "it is not as it should be"}`,
    );
  }
  const [found] = Object.values(read.data.mcp);
  if (found === undefined) throw new OperatorError("usage", "there is no entry");
  return found;
}

/** An entry as somebody would have written it: what is as it is anyway stands nowhere. */
export function plainEntry(entry: McpServer): Record<string, unknown> {
  const bare: Readonly<Record<string, unknown>> = checkedEntry("bare", { command: ["true"] });
  return Object.fromEntries(
    Object.entries(entry).filter(
      ([key, value]) =>
        value !== undefined && (key === "command" || JSON.stringify(value) !== JSON.stringify(bare[key])),
    ),
  );
}
