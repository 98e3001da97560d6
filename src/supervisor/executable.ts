import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { isSea } from "node:sea";

const PIECE_BYTES = 4 * 1_048_576;

/** SHA-256 of the running executable, hex: of the very image, even when another build was renamed over its file. It yields between pieces. */
export async function executableDigest(): Promise<string> {
  const path = isSea() && process.platform === "linux" ? "/proc/self/exe" : process.execPath;
  const hash = createHash("sha256");
  const descriptor = openSync(path, "r");
  try {
    const piece = Buffer.allocUnsafe(PIECE_BYTES);
    for (let read = readSync(descriptor, piece); read > 0; read = readSync(descriptor, piece)) {
      hash.update(piece.subarray(0, read));
      await new Promise<void>((resolve) => {
        setImmediate(resolve);
      });
    }
  } finally {
    closeSync(descriptor);
  }
  return hash.digest("hex");
}
