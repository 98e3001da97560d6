/** A cursor that is kept as JSON. @returns undefined where there is none, or no JSON: what it holds is for its schema to say. */
export function jsonOf(cursor: string | null): unknown {
  try {
    return JSON.parse(cursor ?? "") as unknown;
  } catch {
    return undefined;
  }
}
