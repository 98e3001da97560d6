import { createHash } from "node:crypto";
import { lstatSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** A data directory that cannot be used; the sentence says why and what to do. */
export class HomeError extends Error {
  override readonly name = "HomeError";
  readonly code: "HOME_UNUSABLE" | "HOME_OPEN_TO_OTHERS" | "SOCKET_PATH_TOO_LONG";
  constructor(code: HomeError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Where everything of ours lies. */
export interface Home {
  readonly root: string;
  readonly config: string;
  readonly vault: string;
  readonly audit: string;
  readonly state: string;
  /** What adapters keep between their runs. */
  readonly kept: string;
  readonly lock: string;
  /** Who runs: `{pid, since, web}`, written by the daemon; only ever a hint, the lock is what counts. */
  readonly running: string;
  readonly token: string;
  readonly provisionalKey: string;
  readonly workspaces: string;
  /** What was installed, each under its name and digest. */
  readonly skills: string;
  /** Packages of MCP servers, each under its name and digest. */
  readonly packages: string;
}

/** `WIRKEN_HOME`, else `~/.wirken`. Creates nothing. */
export function homeFrom(environment: NodeJS.ProcessEnv): Home {
  const chosen = environment["WIRKEN_HOME"];
  const root = chosen === undefined || chosen === "" ? join(homedir(), ".wirken") : resolve(chosen);
  return {
    root,
    config: join(root, "config.json"),
    vault: join(root, "vault.db"),
    audit: join(root, "audit.db"),
    state: join(root, "state.db"),
    kept: join(root, "kept.db"),
    lock: join(root, "lock.db"),
    running: join(root, "running.json"),
    token: join(root, "control.token"),
    provisionalKey: join(root, "provisional.key"),
    workspaces: join(root, "workspaces"),
    skills: join(root, "skills"),
    packages: join(root, "packages"),
  };
}

/** Makes the data directory (0700), or checks that it is a directory of ours that nobody else can enter.
 *  @throws {HomeError} if it is not. */
export function ensureHome(home: Home): void {
  try {
    mkdirSync(home.root, { recursive: true, mode: 0o700 });
    mkdirSync(home.workspaces, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new HomeError(
      "HOME_UNUSABLE",
      `cannot make the data directory ${home.root}: set WIRKEN_HOME to a directory you can write`,
      { cause },
    );
  }
  const found = lstatSync(home.root);
  if (!found.isDirectory())
    throw new HomeError("HOME_UNUSABLE", `${home.root} is not a directory: set WIRKEN_HOME to one`);
  if (process.platform === "win32") return;
  if (process.getuid !== undefined && found.uid !== process.getuid()) {
    throw new HomeError(
      "HOME_OPEN_TO_OTHERS",
      `${home.root} belongs to another user: set WIRKEN_HOME to a directory of your own`,
    );
  }
  if ((found.mode & 0o077) !== 0) {
    throw new HomeError("HOME_OPEN_TO_OTHERS", `others can enter ${home.root}: run chmod 700 ${home.root}`);
  }
}

/** The kernel's limit for the path of a Unix socket is 108 bytes with its final zero. */
const MAX_SOCKET_PATH = 107;

/** Where the daemon of this data directory answers commands. A path that is too long for a socket moves to `$XDG_RUNTIME_DIR`.
 *  @throws {HomeError} if neither is short enough. */
export function controlSocketPath(home: Home, environment: NodeJS.ProcessEnv): string {
  if (process.platform === "win32") return `\\\\.\\pipe\\wirken-${digestOf(home.root)}`;
  const beside = join(home.root, "control.sock");
  if (Buffer.byteLength(beside) <= MAX_SOCKET_PATH) return beside;
  const runtime = environment["XDG_RUNTIME_DIR"];
  const short = runtime === undefined || runtime === "" ? null : join(runtime, `wirken-${digestOf(home.root)}.sock`);
  if (short !== null && Buffer.byteLength(short) <= MAX_SOCKET_PATH) return short;
  throw new HomeError(
    "SOCKET_PATH_TOO_LONG",
    `the path of ${home.root} is too long for a socket (${MAX_SOCKET_PATH} bytes): set XDG_RUNTIME_DIR, or WIRKEN_HOME to a shorter path`,
  );
}

function digestOf(path: string): string {
  return createHash("sha256").update(path).digest("hex").slice(0, 16);
}
