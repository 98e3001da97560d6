import { isSea } from "node:sea";
import { Worker } from "node:worker_threads";

/** Read and hashed in a thread of its own: the executable has more than a hundred megabytes, and the daemon has other things to do when it starts.
 *  A string, for there is no loader in the executable that a thread could use. */
const DIGEST = `
  const { createHash } = require("node:crypto");
  const { openSync, readSync } = require("node:fs");
  const { parentPort, workerData } = require("node:worker_threads");
  const hash = createHash("sha256");
  const piece = Buffer.allocUnsafeSlow(1_048_576);
  const descriptor = openSync(workerData, "r");
  for (let read = readSync(descriptor, piece); read > 0; read = readSync(descriptor, piece))
    hash.update(read === piece.length ? piece : piece.subarray(0, read));
  parentPort.postMessage(hash.digest("hex"));
`;

/** SHA-256 of the running executable, hex: of the very image, even when another build was renamed over its file. */
export async function executableDigest(): Promise<string> {
  const path = isSea() && process.platform === "linux" ? "/proc/self/exe" : process.execPath;
  const worker = new Worker(DIGEST, { eval: true, workerData: path, env: {}, stdout: false, stderr: false });
  try {
    return await new Promise<string>((resolve, reject) => {
      worker.once("message", (digest: unknown) => {
        if (typeof digest === "string") resolve(digest);
        else reject(new TypeError("a digest is text"));
      });
      worker.once("error", reject);
      worker.once("exit", (status) => reject(new Error(`the thread that reads the executable ended with ${status}`)));
    });
  } finally {
    await worker.terminate();
  }
}
