import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";

/** What the tests need from the system: the sandbox, a real keyring, a browser, and tools that check our formats and are not ours. */
const NEEDED: readonly { readonly debian: string; readonly there: () => boolean }[] = [
  { debian: "bubblewrap", there: () => hasCommand("bwrap") },
  { debian: "dbus-daemon", there: () => hasCommand("dbus-run-session") },
  { debian: "gnome-keyring", there: () => hasCommand("gnome-keyring-daemon") },
  { debian: "libsecret-1-0", there: () => hasLibrary("libsecret-1.so.0") },
  { debian: "chromium", there: () => hasCommand("chromium", "chromium-browser", "google-chrome") },
  { debian: "golang-go", there: () => hasCommand("go") },
  { debian: "golang-golang-x-mod-dev", there: () => existsSync("/usr/share/gocode/src/golang.org/x/mod/sumdb") },
  { debian: "gcc", there: () => hasCommand("cc") },
  { debian: "libc6-dev", there: () => existsSync("/usr/include/stdio.h") },
  // The numbers of system calls on the machine that this one is not.
  process.arch === "arm64"
    ? { debian: "linux-libc-dev-amd64-cross", there: () => existsSync("/usr/x86_64-linux-gnu/include/asm/unistd.h") }
    : { debian: "linux-libc-dev-arm64-cross", there: () => existsSync("/usr/aarch64-linux-gnu/include/asm/unistd.h") },
  // An implementation of Matrix's encryption that is not ours: it talks with the adapter.
  { debian: "python3-matrix-nio", there: () => hasPython("nio") },
  { debian: "python3-olm", there: () => hasPython("olm") },
  { debian: "openssl", there: () => hasCommand("openssl") },
];

/** One run of apt-get, in milliseconds; a mirror that does not answer must not take the whole time that there is. */
const APT_MS = 8 * 60_000;

/** Finds what is missing, and installs it where that is possible without asking: as root on Debian or Ubuntu.
 *  @returns false if something is missing still; it has been named then. */
export function ensureSystemPackages(say: (line: string) => void): boolean {
  if (process.platform !== "linux") {
    say("✗ the tests run on Linux: they need its sandbox (bubblewrap) and a Secret Service");
    return false;
  }
  const missing = NEEDED.filter(({ there }) => !there()).map(({ debian }) => debian);
  if (missing.length === 0) return true;
  const line = `apt-get install -y --no-install-recommends ${missing.join(" ")}`;
  if (!isDebian()) {
    say(`✗ the tests need what Debian calls ${missing.join(", ")}: install them by this system's own means`);
    return false;
  }
  if (process.getuid?.() !== 0) {
    say(`✗ the tests need system packages that are missing; run: sudo ${line}`);
    return false;
  }
  say(`installing the system packages that the tests need: ${line}`);
  for (const words of [["update", "-qq"], line.split(" ").slice(1)]) {
    const why = aptGet(words);
    if (why !== null) say(`✗ apt-get ${words[0]} failed: ${why}`);
  }
  const still = NEEDED.filter(({ there }) => !there()).map(({ debian }) => debian);
  if (still.length === 0) return true;
  say(`✗ still missing after ${line}: ${still.join(", ")}`);
  return false;
}

/** @returns why it failed, with all that it said, or null. */
function aptGet(words: readonly string[]): string | null {
  const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const run = spawnSync("apt-get", words, {
    env: environment,
    encoding: "utf8",
    maxBuffer: 1 << 28,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: APT_MS,
  });
  if (run.error !== undefined) return run.error.message;
  if (run.status === 0) return null;
  return `status ${run.status ?? run.signal ?? "unknown"}\n${run.stdout}${run.stderr}`.trimEnd();
}

function hasCommand(...names: readonly string[]): boolean {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return names.some((name) => folders.some((folder) => existsSync(join(folder, name))));
}

/** Debian's own Python: packages of Debian are not seen by another. */
function hasPython(module: string): boolean {
  return spawnSync("/usr/bin/python3", ["-c", `import ${module}`], { stdio: "ignore" }).status === 0;
}

function hasLibrary(name: string): boolean {
  const { stdout } = spawnSync("/sbin/ldconfig", ["-p"], { encoding: "utf8" });
  return typeof stdout === "string" && stdout.includes(name);
}

function isDebian(): boolean {
  try {
    return /^ID(_LIKE)?=.*debian/m.test(readFileSync("/etc/os-release", "utf8"));
  } catch {
    return false;
  }
}
