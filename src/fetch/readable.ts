import { MAX_TEXT } from "../ipc/fetch-frames.ts";
import type { Exchanged } from "./exchange.ts";
import { htmlToText } from "./html-text.ts";

/** Headers that a reader has use for. Others, cookies above all, are left out. */
const SHOWN = [
  "content-type",
  "content-range",
  "last-modified",
  "etag",
  "link",
  "location",
  "retry-after",
  "www-authenticate",
  "x-ratelimit-limit",
  "x-ratelimit-remaining",
  "x-ratelimit-reset",
];
/** Of one header's value that is shown, in characters. */
const MAX_VALUE = 500;
/** Bytes of a page in which its charset is looked for: HTML says no more. */
const PRESCAN = 1024;

/** An answer as a model reads it: status, a few headers, then text; what is no text is said by type and size. At most {@link MAX_TEXT} bytes. */
export function readable(answer: Exchanged, url: string): string {
  const head = [
    `${answer.status} ${answer.words}`.trim(),
    ...SHOWN.flatMap((name) => {
      const value = answer.headers[name];
      return value === undefined ? [] : [`${name}: ${String(value).slice(0, MAX_VALUE)}`];
    }),
  ].join("\n");
  const room = MAX_TEXT - Buffer.byteLength(head) - 200;
  const { text, note } = contentOf(answer, url);
  const cut = headOf(text, room);
  const notes = [
    ...(note === null ? [] : [`[${note}]`]),
    ...(answer.whole ? [] : ["[the answer is longer than 1 MiB: the rest was not read]"]),
    ...(cut.left === 0 ? [] : [`[… ${cut.left} more bytes of text are left out]`]),
  ];
  return [head, "", ...(cut.text === "" ? [] : [cut.text]), ...notes].join("\n").trimEnd();
}

function contentOf({ body, headers, encoding }: Exchanged, url: string): { text: string; note: string | null } {
  const { type, charset } = contentType(headers["content-type"] ?? "");
  const shown = type === "" ? "no content type" : type;
  if (body.length === 0) return { text: "", note: "the answer has no body" };
  if (encoding !== null) return { text: "", note: `${shown}, ${body.length} bytes, encoded as ${encoding}: not shown` };
  const isHtml = type === "text/html" || type === "application/xhtml+xml";
  const text =
    isHtml || isText(type) || type === "" ? decoded(body, charset ?? (isHtml ? metaCharset(body) : null)) : null;
  // A text holds no NUL, whatever its type says.
  if (text === null || text.includes("\0"))
    return { text: "", note: `${shown}, ${body.length} bytes: no text, so it is not shown` };
  if (!isHtml) return { text, note: null };
  const page = htmlToText(text, url);
  return page === ""
    ? { text: "", note: `${shown}, ${body.length} bytes: the page has no text of its own` }
    : { text: page, note: null };
}

/** `text/html; charset="utf-8"` in its parts, in lower case. */
function contentType(header: string): { type: string; charset: string | null } {
  const [type = "", ...parameters] = header.toLowerCase().split(";");
  const found = parameters.map((one) => /^\s*charset\s*=\s*"?([a-z0-9_.:-]{1,40})"?\s*$/.exec(one)?.[1]).find(Boolean);
  return { type: type.trim().slice(0, 100), charset: found ?? null };
}

const TEXT_TYPES: ReadonlySet<string> = new Set([
  "application/json",
  "application/ld+json",
  "application/x-ndjson",
  "application/xml",
  "application/javascript",
  "application/x-javascript",
  "application/ecmascript",
  "application/yaml",
  "application/x-yaml",
  "application/toml",
  "application/sql",
  "application/graphql",
  "application/x-sh",
  "application/x-www-form-urlencoded",
  "image/svg+xml",
]);

function isText(type: string): boolean {
  return type.startsWith("text/") || type.endsWith("+json") || type.endsWith("+xml") || TEXT_TYPES.has(type);
}

/** What a page says of itself, where its server says nothing. */
function metaCharset(body: Uint8Array): string | null {
  const start = Buffer.from(body.subarray(0, PRESCAN)).toString("latin1");
  return /<meta[^>]{0,200}charset\s{0,8}=\s{0,8}["']?([a-zA-Z0-9_.:-]{1,40})/i.exec(start)?.[1]?.toLowerCase() ?? null;
}

/** Text of bytes: by their mark, by the charset that was named, else as UTF-8; null where they are none and none was named. */
function decoded(body: Uint8Array, charset: string | null): string | null {
  const mark = markOf(body);
  try {
    return new TextDecoder(mark ?? charset ?? "utf-8", { fatal: mark === null && charset === null }).decode(body);
  } catch {
    // A charset that nobody knows; or no UTF-8, and nothing else was said: the last character may be cut off.
    return charset === null && !isUtf8ButForItsEnd(body) ? null : new TextDecoder("utf-8").decode(body);
  }
}

function isUtf8ButForItsEnd(body: Uint8Array): boolean {
  const text = new TextDecoder("utf-8").decode(body);
  const at = text.indexOf("\ufffd");
  return at >= text.length - 3;
}

function markOf(body: Uint8Array): string | null {
  if (body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf) return "utf-8";
  if (body[0] === 0xff && body[1] === 0xfe) return "utf-16le";
  return body[0] === 0xfe && body[1] === 0xff ? "utf-16be" : null;
}

/** The first `max` bytes of a text, whole characters only, and how many bytes are left. */
function headOf(text: string, max: number): { text: string; left: number } {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= max) return { text, left: 0 };
  let end = max;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return { text: new TextDecoder().decode(bytes.subarray(0, end)), left: bytes.length - end };
}
