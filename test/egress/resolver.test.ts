import { execFile } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";

const HARNESS = join(import.meta.dirname, "resolver-harness.ts");
const PUBLIC = "93.184.216.34";

let said: unknown;
beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), "resolver-"));
  try {
    const resolver = join(folder, "resolv.conf");
    writeFileSync(resolver, "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
    const alone = "--unshare-user --uid 0 --gid 0 --unshare-net --cap-add ALL --die-with-parent --dev-bind / /".split(
      " ",
    );
    const asks = ["--ro-bind", resolver, realpathSync("/etc/resolv.conf")];
    const script = `ip addr add ${PUBLIC}/32 dev lo && exec "$@"`;
    const { stdout } = await promisify(execFile)(
      "bwrap",
      [alone, asks, "sh", "-c", script, "sh", process.execPath, HARNESS].flat(),
    );
    said = JSON.parse(stdout);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("a name is reached at the public address that a real resolver says", () => {
  expect(said).toMatchObject({ first: { reason: null, reached: { [PUBLIC]: 1, "127.0.0.1": 0 } } });
});

test("a resolver that then says loopback gains nothing, though somebody listens there", () => {
  expect(said).toMatchObject({
    second: { reason: "private", reached: { [PUBLIC]: 1, "127.0.0.1": 0 } },
    allowed: { reason: null, reached: { [PUBLIC]: 1, "127.0.0.1": 1 } },
  });
});

test("a name that does not exist is not found", () => {
  expect(said).toMatchObject({ nowhere: "unresolved" });
});

test("one lane's questions that nobody answers do not hold up another's", () => {
  expect(said).toMatchObject({ honest: null, slowReasons: Array.from({ length: 6 }, () => "unresolved") });
  expect(said).toHaveProperty("order", ["honest", ...Array.from({ length: 6 }, () => "slow")]);
});
