import { buffer } from "node:stream/consumers";
import { fromBufferPromise, type Entry, type ZipFile } from "yauzl";
import { refusedArchive, type Unpacked } from "./unpacked.ts";

/** Where an entry's mode lies, if a Unix made it; and what of a mode says what it is. */
const UNIX = 3;
const [TYPE, LINK, FOLDER, FILE] = [0o170000, 0o120000, 0o040000, 0o100000];

/** Unpacks a .zip into memory. @throws {SkillError}. */
export async function unpackZip(archive: Uint8Array, files: Unpacked): Promise<void> {
  try {
    const zip = await fromBufferPromise(Buffer.from(archive), {
      lazyEntries: true,
      strictFileNames: true,
      validateEntrySizes: true,
    });
    for await (const entry of zip.eachEntry()) await take(zip, entry, files);
  } catch (cause) {
    if (cause instanceof Error && cause.name === "SkillError") throw cause;
    throw refusedArchive("it is no zip archive, or a broken one", { cause });
  }
}

async function take(zip: ZipFile, entry: Entry, files: Unpacked): Promise<void> {
  const mode = entry.versionMadeBy >> 8 === UNIX ? entry.externalFileAttributes >>> 16 : 0;
  const type = mode & TYPE;
  if (type === LINK) files.link(entry.fileName);
  if (entry.fileName.endsWith("/") || type === FOLDER) {
    files.folder(entry.fileName);
    return;
  }
  if (type !== 0 && type !== FILE) throw refusedArchive("it holds something that is neither a file nor a folder");
  if (entry.isEncrypted()) throw refusedArchive("it is encrypted");
  // Before anything of it is decompressed: the library ends a stream that is longer than it says.
  files.expect(entry.uncompressedSize);
  const stream = await zip.openReadStreamPromise(entry);
  files.file(entry.fileName, await buffer(stream), (mode & 0o100) !== 0);
}
