/** So many characters of a secret in a row are taken for a piece of it. Fewer, such as the last four, are how platforms name a key. */
const PIECE = 8;
/** The shortest secret that is looked for: what is shorter would be found in words that have nothing to do with it. */
const SHORTEST = 4;
/** What is longer is no credential of anybody's, and is shown to nobody: so much of it is looked for. */
const LONGEST = 8_192;

/** Takes a secret out of what somebody else wrote: the whole of it, and any piece of 8 characters or more, as it is and in each form in which a
 *  platform, a proxy or an error may quote it: percent-encoded, in a JSON string, in base64, in hex.
 *  @param mark what stands in its place, such as `[token]`. */
export function withoutSecret(text: string, secret: string, mark: string): string {
  if (secret.length < SHORTEST || text === "") return text;
  const pieces = piecesOf(secret.slice(0, LONGEST).toWellFormed());
  const lengths = [...new Set([...pieces].map(({ length }) => length))];
  let clean = "";
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const end = endOfPiece(text, at, pieces, lengths);
    if (end === null) continue;
    clean += text.slice(from, at) + mark;
    from = end;
    at = end - 1;
  }
  return clean + text.slice(from);
}

/** Where the run of pieces ends that begins at `at`; null if none begins there. */
function endOfPiece(text: string, at: number, pieces: ReadonlySet<string>, lengths: readonly number[]): number | null {
  let end: number | null = null;
  for (let start = at; start === at || (end !== null && start < end); start++)
    for (const length of lengths)
      if (start + length > (end ?? at) && pieces.has(text.slice(start, start + length))) end = start + length;
  return end;
}

/** Every piece of every form. A form that says a character in two or three has pieces as much longer. */
function piecesOf(secret: string): Set<string> {
  const pieces = new Set<string>();
  for (const form of formsOf(secret)) {
    const length = Math.min(form.length, Math.floor((PIECE * form.length) / Math.min(secret.length, form.length)));
    const size = secret.length <= PIECE ? form.length : length;
    for (let at = 0; at + size <= form.length; at++) pieces.add(form.slice(at, at + size));
  }
  return pieces;
}

function formsOf(secret: string): Set<string> {
  const bytes = new TextEncoder().encode(secret);
  const hex = bytes.toHex();
  const percent = hex.replaceAll(/../g, "%$&");
  const base64 = [0, 1, 2].map((before) => insideBase64(bytes, before));
  return new Set([
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret),
    encodeURI(secret),
    percent,
    percent.toUpperCase(),
    hex,
    hex.toUpperCase(),
    ...base64,
    ...base64.map((form) => form.replaceAll("+", "-").replaceAll("/", "_")),
  ]);
}

/** The characters that these bytes alone decide, where so many others (modulo 3) stand before them. */
function insideBase64(bytes: Uint8Array, before: number): string {
  const whole = new Uint8Array(before + bytes.length);
  whole.set(bytes, before);
  return whole.toBase64({ omitPadding: true }).slice(Math.ceil((before * 8) / 6), Math.floor((whole.length * 8) / 6));
}
