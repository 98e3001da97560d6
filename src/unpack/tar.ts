import { constants, gunzipSync } from "node:zlib";
import { SkillError } from "../../skills/skill-error.ts";
import { refusedArchive, type Unpacked } from "./unpacked.ts";

/** Blocks of a tar archive (POSIX.1-2017, pax and ustar; the long names of GNU tar). */
const BLOCK = 512;
/** Of what it is decompressed to: a skill, and a header for each file of it. */
const MAX_TAR = 24 * 1024 * 1024;
/** Of a pax header or a long name. */
const MAX_NAMES = 8_192;

/** Unpacks a .tar.gz into memory. @throws {SkillError} for what is none, or holds a link, a device or a path that no skill has. */
export function unpackTarGz(archive: Uint8Array, files: Unpacked): void {
  let tar: Buffer;
  try {
    // One member; what lies behind its end is not a second archive that somebody else would see.
    tar = gunzipSync(archive, { maxOutputLength: MAX_TAR, finishFlush: constants.Z_FINISH });
  } catch (cause) {
    const large = cause instanceof Error && "code" in cause && cause.code === "ERR_BUFFER_TOO_LARGE";
    if (large)
      throw new SkillError(
        "too-large",
        `the archive unpacks to more than ${MAX_TAR} bytes`,
        "a skill is instructions and a few files",
        { cause },
      );
    throw refusedArchive("it is not compressed with gzip, or cut short", { cause });
  }
  let at = 0;
  let next: string | null = null;
  while (at + BLOCK <= tar.length) {
    const head = tar.subarray(at, at + BLOCK);
    at += BLOCK;
    if (head.every((byte) => byte === 0)) return;
    checkSum(head);
    const size = octal(head, 124, 12);
    const type = String.fromCharCode(head[156] ?? 0);
    const data = tar.subarray(at, at + size);
    if (data.length !== size) throw refusedArchive("it is cut short");
    at += Math.ceil(size / BLOCK) * BLOCK;
    if (type === "x" || type === "L") {
      if (size > MAX_NAMES) throw refusedArchive("a name in it is too long");
      next = type === "x" ? (paxPath(data) ?? next) : text(data);
      continue;
    }
    if (type === "g") continue; // for the whole archive: a commit's id, as git writes it
    const path: string = next ?? pathOf(head);
    next = null;
    if (type === "5") files.folder(path);
    else if (type === "0" || type === "\0") files.file(path, Buffer.from(data), (octal(head, 100, 8) & 0o100) !== 0);
    else if (type === "1" || type === "2") files.link(path);
    else throw refusedArchive("it holds something that is neither a file nor a folder");
  }
  throw refusedArchive("it has no end");
}

function pathOf(head: Buffer): string {
  const name = text(head.subarray(0, 100));
  const prefix = head.toString("latin1", 257, 262) === "ustar" ? text(head.subarray(345, 500)) : "";
  return prefix === "" ? name : `${prefix}/${name}`;
}

/** `<length> path=<value>\n` among records. */
function paxPath(data: Buffer): string | null {
  let at = 0;
  let path: string | null = null;
  while (at < data.length) {
    const blank = data.indexOf(0x20, at);
    const length = Number(data.toString("latin1", at, blank));
    if (
      blank === -1 ||
      !Number.isSafeInteger(length) ||
      length < 5 ||
      at + length > data.length ||
      data[at + length - 1] !== 0x0a
    )
      throw refusedArchive("a header in it is broken");
    const record = text(data.subarray(blank + 1, at + length - 1));
    if (record.startsWith("path=")) path = record.slice(5);
    // A size of its own would be another one than a reader of the plain header sees.
    if (record.startsWith("size=")) throw refusedArchive("a header in it says two sizes");
    at += length;
  }
  return path;
}

function checkSum(head: Buffer): void {
  const said = octal(head, 148, 8);
  const sum = head.reduce((all, byte, at) => all + (at >= 148 && at < 156 ? 0x20 : byte), 0);
  if (sum !== said) throw refusedArchive("a header in it is broken");
}

function octal(head: Buffer, from: number, length: number): number {
  const digits = head
    .toString("latin1", from, from + length)
    .replace(/[\0 ]+$/, "")
    .trim();
  if (!/^[0-7]{1,11}$/.test(digits)) throw refusedArchive("a number in it is none");
  return Number.parseInt(digits, 8);
}

function text(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(end === -1 ? bytes : bytes.subarray(0, end));
  } catch (cause) {
    throw refusedArchive("a name in it is not UTF-8", { cause });
  }
}
