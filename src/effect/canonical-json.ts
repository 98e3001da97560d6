/** How deep arguments may be. */
const MAX_DEPTH = 64;

/** JSON with its keys in order: the same arguments are the same bytes, however a model wrote them.
 *  @throws {RangeError} if it is too deep. @throws {TypeError} for a lone surrogate. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(ordered(value, 0));
}

function ordered(value: unknown, depth: number): unknown {
  if (depth > MAX_DEPTH) throw new RangeError(`deeper than ${MAX_DEPTH}`);
  if (typeof value === "string" && !value.isWellFormed()) throw new TypeError("half a character");
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((one) => ordered(one, depth + 1));
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, one]) => {
        if (!key.isWellFormed()) throw new TypeError("half a character");
        return [key, ordered(one, depth + 1)];
      }),
  );
}
