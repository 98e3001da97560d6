import { closeSync, fstatSync, openSync, readSync } from "node:fs";

const WAL_HEADER = 32;
const FRAME_HEADER = 24;

/** Transactions in a write-ahead log: the last frame of each says how large the database then is, and one is synced once.
 *  @see https://www.sqlite.org/fileformat2.html#the_write_ahead_log */
export function commitsIn(path: string): number {
  const file = openSync(path, "r");
  try {
    const head = Buffer.alloc(WAL_HEADER);
    readSync(file, head, 0, WAL_HEADER, 0);
    const step = FRAME_HEADER + head.readUInt32BE(8);
    const salt = head.subarray(16, 24);
    let commits = 0;
    const frame = Buffer.alloc(FRAME_HEADER);
    for (let at = WAL_HEADER; at + step <= fstatSync(file).size; at += step) {
      readSync(file, frame, 0, FRAME_HEADER, at);
      if (!frame.subarray(8, 16).equals(salt)) break;
      if (frame.readUInt32BE(4) > 0) commits += 1;
    }
    return commits;
  } finally {
    closeSync(file);
  }
}
