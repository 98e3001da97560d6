/** A value that has no canonical form. */
export class CanonicalError extends TypeError {
  override readonly name = "CanonicalError";
  readonly code = "NOT_CANONICAL";
}

/** Deeper is no value of ours, and a writer that recurses must end. */
const MAX_DEPTH = 32;

/** Writes JSON in the one form that RFC 8785 allows: keys in the order of their UTF-16 units, no spaces, numbers and strings as ECMAScript writes them.
 *
 *  Refuses what two implementations could write in two ways, or what JSON cannot hold: integers beyond ±(2^53−1), -0, NaN, infinities, undefined, holes, BigInt,
 *  dates and other objects with a class, functions, symbols, lone surrogates. Text is not normalised.
 *  @throws {CanonicalError} naming the place.
 *  @see https://www.rfc-editor.org/rfc/rfc8785 */
export function canonical(value: unknown): string {
  return write(value, "", 0);
}

function write(value: unknown, place: string, depth: number): string {
  if (typeof value === "string") return writeString(value, place);
  if (typeof value === "number") return writeNumber(value, place);
  if (typeof value === "boolean") return value ? "true" : "false";
  if (value === null) return "null";
  if (typeof value !== "object") throw refused(place, `is of type ${typeof value}`);
  if (depth === MAX_DEPTH) throw refused(place, `is nested more than ${MAX_DEPTH} deep`);
  return Array.isArray(value) ? writeArray(value, place, depth) : writeObject(value, place, depth);
}

function writeString(value: string, place: string): string {
  if (!value.isWellFormed()) throw refused(place, "holds half of a surrogate pair");
  return JSON.stringify(value);
}

function writeNumber(value: number, place: string): string {
  if (!Number.isFinite(value)) throw refused(place, "is not a finite number");
  if (Object.is(value, -0)) throw refused(place, "is minus zero");
  if (Number.isInteger(value) && !Number.isSafeInteger(value))
    throw refused(place, "is an integer that a double cannot hold exactly");
  return String(value);
}

function writeArray(value: readonly unknown[], place: string, depth: number): string {
  // Not map: it skips holes.
  return `[${Array.from(value, (item, at) => write(item, `${place}/${at}`, depth + 1)).join(",")}]`;
}

function writeObject(value: object, place: string, depth: number): string {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) throw refused(place, "is not a plain object");
  if (Object.getOwnPropertySymbols(value).length > 0) throw refused(place, "has a symbol for a key");
  const entries: [string, unknown][] = Object.entries(value);
  // The default order of strings is that of their UTF-16 units.
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  let text = "{";
  for (const [key, item] of entries) {
    if (text.length > 1) text += ",";
    text += `${writeString(key, place)}:${write(item, `${place}/${key}`, depth + 1)}`;
  }
  return `${text}}`;
}

function refused(place: string, why: string): CanonicalError {
  return new CanonicalError(`${place === "" ? "the value" : place} ${why}: it has no canonical form`);
}

/** Is this line the one form of the value it holds? Duplicate keys, spaces and other spellings are not. */
export function isCanonical(line: string): boolean {
  try {
    return canonical(JSON.parse(line)) === line;
  } catch {
    return false;
  }
}
