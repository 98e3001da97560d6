import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";

/** A namespace of a user's own is another way than root's: where tests run as root, this goes it as somebody else. */
const place = mkdtempSync(join(tmpdir(), "wirken-ordinary-"));
const root = process.getuid?.() === 0;
const NOBODY = 65_534;

beforeAll(() => {
  // The checkout and its Node may lie where nobody else can read.
  chmodSync(place, 0o777);
  buildSync({
    entryPoints: [join(import.meta.dirname, "as-user.ts")],
    bundle: true,
    platform: "node",
    format: "esm",
    outfile: join(place, "as-user.mjs"),
  });
  copyFileSync(process.execPath, join(place, "node"));
  chmodSync(join(place, "node"), 0o755);
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

test("the sandbox holds for an ordinary user as it does for root", () => {
  const answer: unknown = JSON.parse(
    execFileSync(join(place, "node"), [join(place, "as-user.mjs"), place], {
      env: { PATH: "/usr/bin:/bin", TMPDIR: place },
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
      ...(root ? { uid: NOBODY, gid: NOBODY } : {}),
    }),
  );
  const user = root ? NOBODY : process.getuid?.();
  expect(answer).toEqual({
    user,
    state: { state: "works" },
    readOnly: { reason: "exited", status: 0, out: "mine" },
    write: { reason: "exited", status: 0, out: "1\nmine" },
    walls: { reason: "exited", status: 1, out: `${user}\nCapEff:\t0000000000000000\n` },
    names: { reason: "exited", status: 0, out: "out\n" },
    bomb: { reason: "processes", status: null, out: "" },
    kept: "mine",
  });
});
