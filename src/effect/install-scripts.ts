/** What runs inside the sandbox to install one package below `tree`, and says what came of it. The manifests and lock files that it reads are foreign: they
 *  are read there and nowhere else. Whatever it says is at most {@link MAX_SAID} bytes, line by line a word and its value, as {@link readSaid} takes it. */

/** Arguments: the specification, the name in it, the program that is wanted (empty: the package's own), the registry, a file of certificates (empty: none). */
const NPM = String.raw`
const { spawnSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const [spec, name, wanted, registry, ca] = process.argv.slice(1);
const say = (word, value) => fs.writeSync(1, word + " " + String(value).replace(/[^\x20-\x7e]+/g, " ").slice(0, 400) + "\n");
const stop = (why) => { say("failed", why); process.exit(0); };
fs.mkdirSync("tree");
for (const empty of ["user.npmrc", "global.npmrc"]) fs.writeFileSync(empty, "");
fs.writeFileSync("tree/package.json", JSON.stringify({ name: "wirken-mcp-server", version: "1.0.0", private: true }) + "\n");
const argv = ["install", "--prefix=tree", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--save-exact", "--omit=dev",
  "--no-bin-links", "--userconfig=user.npmrc", "--globalconfig=global.npmrc", "--cache=cache", "--fetch-retries=2", "--fetch-timeout=60000",
  "--registry=" + registry, ...(ca === "" ? [] : ["--cafile=" + ca]), "--", spec];
const done = spawnSync("npm", argv, { stdio: ["ignore", "pipe", "pipe"], encoding: "utf8", maxBuffer: 1 << 24 });
if (done.status !== 0) {
  const lines = String(done.stderr || done.error).split("\n").map((line) => line.replace(/^npm (error|ERR!) ?/, "").trim());
  stop(lines.filter((line) => line !== "" && !/^A complete log|\.log$|^\s*at /.test(line)).slice(0, 4).join("; ") || "npm ended with status " + done.status);
}
const lock = JSON.parse(fs.readFileSync("tree/package-lock.json", "utf8"));
const there = "node_modules/" + name;
const manifest = JSON.parse(fs.readFileSync(path.join("tree", there, "package.json"), "utf8"));
const version = lock.packages && lock.packages[there] && lock.packages[there].version;
if (typeof version !== "string") stop("the lock file names no version of " + name);
const own = name.slice(name.lastIndexOf("/") + 1);
const bins = typeof manifest.bin === "string" ? { [own]: manifest.bin } : manifest.bin || {};
const names = Object.keys(bins);
const chosen = wanted !== "" ? wanted : names.includes(own) ? own : names.length === 1 ? names[0] : null;
if (names.length === 0) stop(name + " " + version + " has no program to start");
if (chosen === null || !names.includes(chosen)) stop("it has no program " + (chosen || own) + ", but " + names.slice(0, 8).join(", ") + ": name one as npx -p " + name + " PROGRAM");
const program = path.posix.normalize(path.posix.join(there, bins[chosen]));
if (!program.startsWith(there + "/")) stop("its program lies outside of it");
const first = fs.readFileSync(path.join("tree", program)).subarray(0, 256).toString("latin1").split("\n")[0];
if (first.startsWith("#!") && !/\bnode\b/.test(first)) stop("its program is not one of Node: " + first);
fs.rmSync("tree/node_modules/.package-lock.json", { force: true });
say("version", version);
say("program", program);
say("packages", Object.keys(lock.packages).length - 1);
`;

/** Arguments: the specification, the package's name, the program that is wanted (empty: that of the package's name), the index, a file of certificates. */
const PYTHON = String.raw`
import configparser, glob, json, os, re, subprocess, sys
spec, name, wanted, index, ca = sys.argv[1:6]
def say(word, value):
    sys.stdout.write(word + " " + re.sub(r"[^\x20-\x7e]+", " ", str(value))[:400] + "\n")
def stop(why):
    say("failed", why)
    sys.exit(0)
def plain(text):
    return re.sub(r"[-_.]+", "-", text).lower()
os.mkdir("tree")
argv = [sys.executable, "-I", "-m", "pip", "--isolated", "--disable-pip-version-check", "--no-input", "--no-cache-dir", "--timeout", "60", "--retries", "2"]
if ca: argv += ["--cert", ca]
argv += ["install", "--target", "tree/site", "--only-binary", ":all:", "--no-compile", "--no-warn-script-location", "--report", "report.json", "--index-url", index, "--", spec]
environment = {**os.environ, "PIP_CONFIG_FILE": "/dev/null", "PIP_BREAK_SYSTEM_PACKAGES": "1"}
done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment)
if done.returncode != 0:
    lines = [line[7:] for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
    stop("; ".join(lines[:3]) or "pip ended with status %d" % done.returncode)
with open("report.json") as file: installed = json.load(file)["install"]
locked, version = [], None
for one in sorted(installed, key=lambda one: plain(one["metadata"]["name"])):
    hashes = one["download_info"].get("archive_info", {}).get("hashes", {})
    locked.append("%s==%s --hash=sha256:%s\n" % (plain(one["metadata"]["name"]), one["metadata"]["version"], hashes.get("sha256", "")))
    if plain(one["metadata"]["name"]) == plain(name): version = one["metadata"]["version"]
if version is None: stop("pip installed no " + name)
with open("tree/requirements.lock", "w") as file: file.writelines(locked)
scripts = {}
for path in glob.glob("tree/site/*.dist-info/entry_points.txt"):
    if plain(os.path.basename(os.path.dirname(path)).split("-")[0]) != plain(name): continue
    parser = configparser.RawConfigParser(delimiters=("=",))
    parser.optionxform = str
    parser.read(path)
    if parser.has_section("console_scripts"): scripts.update(parser.items("console_scripts"))
chosen = wanted or (name if name in scripts else next((one for one in scripts if plain(one) == plain(name)), None)) or (next(iter(scripts)) if len(scripts) == 1 else None)
if not scripts: stop("%s %s has no program to start" % (name, version))
if chosen not in scripts: stop("it has no program %s, but %s: name one as uvx --from %s PROGRAM" % (chosen or name, ", ".join(list(scripts)[:8]), name))
found = re.fullmatch(r"([A-Za-z_][\w.]*):([A-Za-z_][\w.]*)(\s*\[.*\])?", scripts[chosen].strip())
if found is None: stop("its program cannot be read")
with open("tree/run.py", "w") as file:
    file.write("import os, sys\nsys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'site'))\nsys.argv[0] = %r\n" % chosen)
    file.write("import importlib\nprogram = importlib.import_module(%r)\nfor name in %r.split('.'):\n    program = getattr(program, name)\nsys.exit(program())\n" % (found[1], found[2]))
say("version", version)
say("program", "run.py")
say("packages", len(installed))
`;

/** Bytes of what a script may say. */
export const MAX_SAID = 4096;

/** What each registry's packages are installed and run with. */
export const MANAGERS = {
  npm: {
    script: NPM,
    run: ["node", "-e"],
    needs: ["node", "npm"],
    lock: "package-lock.json",
    missing: "Node.js with npm is not among the programs that commands have",
    hint: 'install it for everybody (Debian: apt-get install nodejs npm), or name its folder as "toolchains" in config.json',
  },
  pypi: {
    script: PYTHON,
    run: ["python3", "-c"],
    needs: ["python3", "pip3"],
    lock: "requirements.lock",
    missing: "Python 3 with pip is not among the programs that commands have",
    hint: 'install it for everybody (Debian: apt-get install python3-pip), or name its folder as "toolchains" in config.json',
  },
} as const;
export type Registry = keyof typeof MANAGERS;

/** The whole command. Where a program is missing it says so and ends.
 *  @param given what the script takes. */
export function installCommand(registry: Registry, given: readonly string[]): string[] {
  const { run, script, needs } = MANAGERS[registry];
  const look = needs.map((one) => `command -v ${one} >/dev/null`).join(" && ");
  const separator = registry === "npm" ? ["--"] : [];
  return [
    "/bin/sh",
    "-c",
    `${look} || { echo missing; exit 0; }; exec "$@"`,
    "sh",
    ...run,
    script,
    ...separator,
    ...given,
  ];
}

export type Said =
  | { readonly state: "installed"; readonly version: string; readonly program: string; readonly packages: number }
  | { readonly state: "missing" }
  | { readonly state: "failed"; readonly why: string };

const INSTALLED =
  /^version ([A-Za-z0-9][A-Za-z0-9._+-]{0,63})\nprogram ((?:[A-Za-z0-9@_+-][A-Za-z0-9@._+-]{0,127}\/){0,15}[A-Za-z0-9@_+-][A-Za-z0-9@._+-]{0,127})\npackages (\d{1,5})\n$/;

/** What a script said; null: nothing that it says. */
export function readSaid(bytes: Uint8Array): Said | null {
  if (bytes.length > MAX_SAID) return null;
  const text = Buffer.from(bytes).toString("latin1");
  if (text === "missing\n") return { state: "missing" };
  const failed = /^failed ([\x20-\x7e]{0,400})\n$/.exec(text)?.[1];
  if (failed !== undefined) return { state: "failed", why: failed };
  const [, version, program, packages] = INSTALLED.exec(text) ?? [];
  if (version === undefined || program === undefined) return null;
  return { state: "installed", version, program, packages: Number(packages) };
}
