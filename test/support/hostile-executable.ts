import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { digestOfInputs } from "../../scripts/build/inputs.ts";

const root = resolve(import.meta.dirname, "../..");
const PROBES = "test/support/probes";
const COPIED = [
  "src",
  "adapters",
  "audit",
  "vault",
  "skills",
  "scripts",
  PROBES,
  "package.json",
  "package-lock.json",
  "sea-config.json",
  "tsconfig.json",
];

/** Files of ours in whose place hostile code stands. Everything else is the product's own: its main chooses the role, the role's main builds the
 *  walls, and then comes this. */
const SWAPPED: Readonly<Record<string, (honest: string) => string>> = {
  "adapters/telegram/connection.ts": () =>
    `export { HostileConnection as TelegramConnection } from "../../${PROBES}/adapter.ts";\n`,
  "src/agent/loop.ts": (honest) => wrapped(honest, "agent", "step"),
  "src/web/server.ts": (honest) => wrapped(honest, "web", "serve"),
  "src/cli/terminal.ts": (honest) => wrapped(honest, "command", "processTerminal"),
  // Not hostile: it keeps what goes over the pipes of a run for a test to read.
  "src/ipc/pipe.ts": (honest) =>
    [
      `export * from "./${honest}";`,
      `import { Pipe as Honest } from "./${honest}";`,
      `import { recorded } from "../../${PROBES}/frames.ts";`,
      "export class Pipe extends Honest {",
      "  constructor(stream, ...more) {",
      "    recorded(stream);",
      "    super(stream, ...more);",
      "  }",
      "}",
      "",
    ].join("\n"),
};

function wrapped(honest: string, probe: string, name: string): string {
  return [
    `export * from "./${honest}";`,
    `import { ${name} as honest } from "./${honest}";`,
    `import { takenOver } from "../../${PROBES}/${probe}.ts";`,
    `export const ${name} = takenOver(honest);`,
    "",
  ].join("\n");
}

/** How long another test file may take to build it. */
const BUILD_MS = 120_000;

/** Builds the executable from these very sources, with hostile code in its Telegram adapter, its agent, its page's server
 *  and its commands, and with what can record the supervisor's pipes. It is made once
 *  for the same inputs, in `dist/hostile`, and ships nowhere. @returns its path. */
export async function hostileExecutable(): Promise<string> {
  const probes = createHash("sha256");
  for (const name of readdirSync(join(root, PROBES)).toSorted()) probes.update(readFileSync(join(root, PROBES, name)));
  probes.update(readFileSync(import.meta.filename));
  const folder = join(root, "dist/hostile", digestOfInputs(root, [process.version, probes.digest("hex")]));
  const target = join(folder, "wirken");
  mkdirSync(join(root, "dist/hostile"), { recursive: true });
  const lock = `${folder}.lock`;
  const until = Date.now() + BUILD_MS;
  while (!existsSync(target)) {
    if (tookLock(lock)) {
      try {
        if (!existsSync(target)) build(folder, target);
      } finally {
        rmSync(lock, { recursive: true, force: true });
      }
    } else if (Date.now() > until) throw new Error(`nobody built ${target}: remove ${lock}`);
    else await new Promise((done) => setTimeout(done, 100));
  }
  return target;
}

/** One of two test files builds it, the other waits; one that was killed in the middle is not waited for. */
function tookLock(lock: string): boolean {
  try {
    mkdirSync(lock);
    return true;
  } catch {
    try {
      if (Date.now() - statSync(lock).mtimeMs > BUILD_MS) rmSync(lock, { recursive: true, force: true });
    } catch {
      // It is done.
    }
    return false;
  }
}

function build(folder: string, target: string): void {
  for (const name of readdirSync(join(root, "dist/hostile")))
    if (!name.endsWith(".lock")) rmSync(join(root, "dist/hostile", name), { recursive: true, force: true });
  const tree = `${folder}.tree`;
  mkdirSync(tree, { recursive: true });
  try {
    for (const path of COPIED) cpSync(join(root, path), join(tree, path), { recursive: true });
    symlinkSync(join(root, "node_modules"), join(tree, "node_modules"));
    for (const [path, text] of Object.entries(SWAPPED)) {
      const honest = path.replace(/([^/]+)$/, "honest-$1");
      renameSync(join(tree, path), join(tree, honest));
      writeFileSync(join(tree, path), text(honest.replace(/^.*\//, "")));
    }
    const made = join(tree, "out/wirken");
    execFileSync(process.execPath, ["scripts/build.ts", "--out", made], { cwd: tree, stdio: "pipe" });
    mkdirSync(folder, { recursive: true });
    renameSync(made, target);
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}
