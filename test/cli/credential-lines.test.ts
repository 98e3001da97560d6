import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { decodeNamedBytes } from "../../src/ipc/named-bytes.ts";
import { enrolmentOf } from "../../src/cli/credential-name.ts";
import { readSecrets } from "../../src/cli/secret-input.ts";
import type { Terminal } from "../../src/cli/terminal.ts";

/** Nobody is there to be asked. */
// oxlint-disable-next-line typescript/no-unsafe-type-assertion
const NOBODY = {} as Terminal;

async function read(what: string, lines: readonly string[]): Promise<Record<string, string>> {
  const folder = mkdtempSync(join(tmpdir(), "wirken-lines-"));
  try {
    const file = join(folder, "secrets");
    writeFileSync(file, lines.join("\n"));
    const payload = await readSecrets(enrolmentOf(what, []), { stdin: false, file }, NOBODY);
    const named = decodeNamedBytes(payload);
    return Object.fromEntries(named.map(({ name, bytes }) => [name, Buffer.from(bytes).toString("utf8")]));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const HOME = "https://matrix.example";
const RECOVERY = "EsTc 5rvQ 6jqQ NRMc TF2A uF2p ct3d Z8sA yb8i hLNa A9Kp Q4ZX";

test.for<[string[], Record<string, string>]>([
  [[HOME, "syt_abcdefghij"], { homeserver: HOME, "access-token": "syt_abcdefghij" }],
  [
    [HOME, "syt_abcdefghij", "mar_abcdefghij"],
    { homeserver: HOME, "access-token": "syt_abcdefghij", "refresh-token": "mar_abcdefghij" },
  ],
  [
    [HOME, "syt_abcdefghij", RECOVERY],
    { homeserver: HOME, "access-token": "syt_abcdefghij", "recovery-key": RECOVERY },
  ],
  [
    [HOME, "@bot:matrix.example", "correct horse"],
    { homeserver: HOME, user: "@bot:matrix.example", password: "correct horse" },
  ],
  [
    [HOME, "@bot:matrix.example", "correct horse", RECOVERY],
    { homeserver: HOME, user: "@bot:matrix.example", password: "correct horse", "recovery-key": RECOVERY },
  ],
])("lines are taken for what they look like, and what may be left out is: %j", async ([lines, names]) => {
  expect(await read("matrix", lines)).toEqual(names);
});

test("a line too many is said, and nothing is taken", async () => {
  await expect(read("matrix", [HOME, "@bot:matrix.example", "correct horse", "syt_abcdefghij"])).rejects.toThrow(
    "3 lines were expected, 4 came",
  );
});
