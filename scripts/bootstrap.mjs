// Plain JavaScript for Node 18 and later, without a dependency: this is what runs before anything is installed.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** The Node that everything runs on: it comes with the packages, whatever Node started this file. */
export const node = join(root, "node_modules", ".bin", process.platform === "win32" ? "node.cmd" : "node");

const OLDEST_NODE = 18;
const stamp = join(root, "node_modules", ".lock-digest");

/** Ends the process with a sentence and what to do. @returns {never} */
export function fail(sentence, hint) {
  process.stderr.write(`wirken: ${sentence}\nhint: ${hint}\n`);
  process.exit(2);
}

/** Installs the packages of the lock file if they are not there yet. */
export function ensurePackages() {
  const major = Number(process.versions.node.split(".")[0]);
  if (major < OLDEST_NODE) {
    fail(
      `this is Node ${process.versions.node}; ${OLDEST_NODE} or later is needed to install the rest`,
      "see https://nodejs.org/en/download",
    );
  }
  const lock = readFileSync(join(root, "package-lock.json"));
  const digest = createHash("sha256").update(lock).digest("hex");
  if (readText(stamp) === digest && existsSync(node)) return;
  if (!isInstalled(JSON.parse(lock.toString("utf8")))) install();
  if (!existsSync(node)) {
    fail(
      `the packages bring no Node for ${process.platform}-${process.arch}`,
      "Wirken runs on Linux and macOS (x64, arm64) and on Windows (x64)",
    );
  }
  writeFileSync(stamp, digest);
}

function install() {
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  if (spawnSync(npm, ["--version"], { stdio: "ignore", shell: process.platform === "win32" }).status !== 0) {
    fail("npm is not on PATH", "it comes with Node; on Debian and Ubuntu: apt-get install npm");
  }
  process.stderr.write("installing the packages of package-lock.json (npm ci)\n");
  const started = Date.now();
  const { status } = spawnSync(npm, ["ci", "--no-progress", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32",
    // A production environment would leave out what builds it.
    env: { ...process.env, NODE_ENV: "development", npm_config_omit: "", npm_config_dry_run: "" },
  });
  if (status !== 0) fail("npm ci failed", "its message stands above; without a network it cannot work");
  process.stderr.write(`installed in ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
}

/** Does `node_modules` hold exactly what the lock file names? So somebody who installed by hand is not made to wait again. */
function isInstalled(lock) {
  const text = readText(join(root, "node_modules", ".package-lock.json"));
  if (text === null) return false;
  const present = JSON.parse(text).packages ?? {};
  const wanted = Object.entries(lock.packages ?? {}).filter(([path]) => path !== "");
  return (
    wanted.every(([path, { version, integrity, optional }]) => {
      const found = present[path];
      if (found === undefined) return optional === true;
      return found.version === version && found.integrity === integrity;
    }) && Object.keys(present).every((path) => path in lock.packages)
  );
}

function readText(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

/** Runs a program on this terminal and ends as it ends, with the same status or the same signal. */
export function become(program, words, environment = process.env) {
  const child = spawn(program, words, { stdio: "inherit", env: environment });
  // A terminal sends Ctrl-C and its closing to the whole group: the child has had them already.
  const onTerminal = [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY);
  for (const signal of ["SIGINT", "SIGHUP", "SIGTERM", "SIGQUIT"]) {
    process.on(signal, () => {
      if (signal === "SIGTERM" || !onTerminal) child.kill(signal);
    });
  }
  child.on("error", (error) => fail(`cannot start ${program}: ${error.message}`, "run npm ci and try again"));
  child.on("exit", (status, signal) => {
    if (signal === null) process.exit(status ?? 1);
    for (const name of ["SIGINT", "SIGHUP", "SIGTERM", "SIGQUIT"]) process.removeAllListeners(name);
    process.kill(process.pid, signal);
    // Where the signal is ignored by inheritance, the shell's way of saying the same.
    process.exitCode = 128 + (constants.signals[signal] ?? 0);
  });
}
