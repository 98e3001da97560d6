import { execFile } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** Runs a file of ours in a network of its own, in which a public address is this machine's, and whose resolver is whoever listens on 127.0.0.1:53.
 *  @returns what it printed, as JSON. @throws {Error} with what it said, if it does not end well. */
export async function inOwnNetwork(harness: string, address: string): Promise<unknown> {
  const folder = mkdtempSync(join(tmpdir(), "resolver-"));
  try {
    const resolver = join(folder, "resolv.conf");
    writeFileSync(resolver, "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
    const alone = "--unshare-user --uid 0 --gid 0 --unshare-net --cap-add ALL --die-with-parent --dev-bind / /".split(
      " ",
    );
    const asks = ["--ro-bind", resolver, realpathSync("/etc/resolv.conf")];
    const script = `ip addr add ${address}/32 dev lo && exec "$@"`;
    const { stdout } = await promisify(execFile)(
      "bwrap",
      [alone, asks, "sh", "-c", script, "sh", process.execPath, harness].flat(),
    );
    return JSON.parse(stdout);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
