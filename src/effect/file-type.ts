/** What a file is, by its bytes: what its sender or its name says is not believed. */

interface Magic {
  readonly type: string;
  readonly at?: number;
  /** Bytes, each as one character. */
  readonly bytes: string;
}

const MAGIC: readonly Magic[] = [
  { type: "image/png", bytes: "\x89PNG\r\n\x1a\n" },
  { type: "image/jpeg", bytes: "\xff\xd8\xff" },
  { type: "image/gif", bytes: "GIF87a" },
  { type: "image/gif", bytes: "GIF89a" },
  { type: "image/webp", at: 8, bytes: "WEBP" },
  { type: "audio/wav", at: 8, bytes: "WAVE" },
  { type: "image/heic", at: 4, bytes: "ftypheic" },
  { type: "video/mp4", at: 4, bytes: "ftyp" },
  { type: "video/webm", bytes: "\x1a\x45\xdf\xa3" },
  { type: "audio/ogg", bytes: "OggS" },
  { type: "audio/mpeg", bytes: "ID3" },
  { type: "audio/mpeg", bytes: "\xff\xfb" },
  { type: "audio/flac", bytes: "fLaC" },
  { type: "application/pdf", bytes: "%PDF-" },
  { type: "application/zip", bytes: "PK\x03\x04" },
  { type: "application/gzip", bytes: "\x1f\x8b" },
  { type: "application/x-7z-compressed", bytes: "7z\xbc\xaf\x27\x1c" },
  { type: "application/x-xz", bytes: "\xfd7zXZ\x00" },
  { type: "application/vnd.sqlite3", bytes: "SQLite format 3\x00" },
  { type: "application/x-executable", bytes: "\x7fELF" },
  { type: "application/x-msdownload", bytes: "MZ" },
  { type: "application/x-mach-binary", bytes: "\xcf\xfa\xed\xfe" },
];

/** Read to tell a text from other bytes. */
const LOOKED_AT = 65_536;

/** @returns a media type; `application/octet-stream` for what is not known and no text. */
export function typeOf(bytes: Uint8Array): string {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 64)).toString("latin1");
  const known = MAGIC.find(({ at = 0, bytes: magic }) => head.startsWith(magic, at));
  if (known !== undefined) return known.type;
  return isText(bytes.subarray(0, LOOKED_AT)) ? "text/plain" : "application/octet-stream";
}

function isText(bytes: Uint8Array): boolean {
  if (bytes.includes(0)) return false;
  try {
    // What is cut off may end inside a character.
    new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}
