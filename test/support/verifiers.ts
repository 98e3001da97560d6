import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Programs that are not ours, run as the export's VERIFY.md says. Each answers whether it accepts, and what it said. */

export interface Said {
  readonly accepts: boolean;
  readonly text: string;
}

export interface Verifiers extends Disposable {
  /** The Go program that lies in the export, built once. */
  go(folder: string, vkey: string): Said;
  /** The shell script that lies in the export: openssl and sha256sum. */
  shell(folder: string, vkey: string, ...rows: readonly string[]): Said;
  /** The script that lies in the export, with the npm package @sigstore/verify. */
  sigstore(folder: string, vkey: string): Said;
}

function run(program: string, words: readonly string[], cwd: string): Said {
  const { status, stdout, stderr, error } = spawnSync(program, words, { cwd, encoding: "utf8" });
  if (error !== undefined) throw error;
  const text = `${stdout}${stderr}`;
  // Neither a crash nor a wrong call is a refusal.
  if (status === 0 && !/^GOOD/m.test(stdout)) throw new Error(`${program} says nothing: ${text}`);
  if (status !== 0 && !/^REFUSED/m.test(stdout)) throw new Error(`${program} did not get to a verdict: ${text}`);
  return { accepts: status === 0, text };
}

/** @param folder an export, whose Go program is built. */
export function verifiersOf(folder: string): Verifiers {
  const built = mkdtempSync(join(tmpdir(), "wirken-go-"));
  copyFileSync(join(folder, "verify.go"), join(built, "verify.go"));
  const build = spawnSync("go", ["build", "-o", "verify", "verify.go"], {
    cwd: built,
    encoding: "utf8",
    env: { ...process.env, GO111MODULE: "off", GOPATH: "/usr/share/gocode", GOCACHE: join(built, "cache") },
  });
  if (build.status !== 0) throw new Error(`the Go program does not build: ${build.stderr}`);
  // The script looks for the package from the folder that it is run in.
  const installed = dirname(fileURLToPath(import.meta.resolve("@sigstore/verify")));
  return {
    go: (at, vkey) => run(join(built, "verify"), [at, vkey], built),
    shell: (at, vkey, ...rows) => run("sh", [join(at, "verify.sh"), vkey, ...rows], built),
    sigstore: (at, vkey) => run(process.execPath, [join(at, "verify-sigstore.mjs"), at, vkey], installed),
    [Symbol.dispose]: () => rmSync(built, { recursive: true, force: true }),
  };
}
