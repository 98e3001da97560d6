import { MAX_SCHEMA, MAX_SCHEMA_DEPTH } from "../ipc/mcp-frames.ts";

/** JSON with its keys in order, so that the same schema has the same digest however its server writes it.
 *  @throws {RangeError} if it is too deep or too long. */
export function canonical(value: unknown): string {
  const text = JSON.stringify(ordered(value, 0));
  if (text.length > MAX_SCHEMA) throw new RangeError(`a schema of ${text.length} characters`);
  return text;
}

function ordered(value: unknown, depth: number): unknown {
  if (depth > MAX_SCHEMA_DEPTH) throw new RangeError(`a schema deeper than ${MAX_SCHEMA_DEPTH}`);
  if (typeof value === "string") return value.toWellFormed();
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((one) => ordered(one, depth + 1));
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, one]) => [key.toWellFormed(), ordered(one, depth + 1)]),
  );
}
