import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A disk so small that a test can fill it: a tmpfs, mounted by root, else in a user namespace. Where neither is allowed, a file-size limit of
 *  the daemon stands in: then it is said (`kind`), and what only room can show (a row written from the reserve) is not. */
export class TinyDisk implements AsyncDisposable {
  readonly kind: "mounted" | "namespace" | "limit";
  /** As the daemon sees it. */
  readonly path: string;
  /** As this process sees it. */
  readonly view: string;
  /** What a command is started through, so that it sees the disk. */
  readonly inside: readonly string[];
  readonly #holder: ChildProcess | null;

  private constructor(kind: TinyDisk["kind"], path: string, holder: ChildProcess | null) {
    this.kind = kind;
    this.path = path;
    this.#holder = holder;
    const pid = String(holder?.pid ?? "");
    this.view = holder === null ? path : `/proc/${pid}/root${path}`;
    this.inside =
      holder === null ? [] : ["nsenter", "--target", pid, "--user", "--mount", "--preserve-credentials", "--"];
  }

  static async make(megabytes: number): Promise<TinyDisk> {
    const path = mkdtempSync(join(tmpdir(), "wirken-tiny-"));
    const mount = ["-t", "tmpfs", "-o", `size=${megabytes}m,mode=0700`, "wirken-tiny", path];
    if (spawnSync("mount", mount, { stdio: "ignore" }).status === 0) return new TinyDisk("mounted", path, null);
    const script = `mount ${mount.join(" ")} && echo mounted && exec sleep infinity`;
    const holder = spawn("unshare", ["--user", "--map-root-user", "--mount", "sh", "-c", script], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    const mounted = once(holder.stdout, "data").then(() => true);
    const failed = once(holder, "close").then(() => false);
    // Without the package of `unshare` there is an error and no end.
    const absent = once(holder, "error").then(() => false);
    if (await Promise.race([mounted, failed, absent])) return new TinyDisk("namespace", path, holder);
    return new TinyDisk("limit", path, null);
  }

  /** Takes all the room that is left. @param pid the daemon's, or null while none runs. */
  fill(pid: number | null): void {
    if (this.kind === "limit") {
      if (pid !== null) limit(pid, "0");
      return;
    }
    const file = openSync(join(this.view, "filler"), "a", 0o600);
    try {
      for (const chunk of [Buffer.alloc(1 << 20), Buffer.alloc(4096), Buffer.alloc(1)]) {
        try {
          for (;;) writeSync(file, chunk);
        } catch (error) {
          if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
        }
      }
    } finally {
      closeSync(file);
    }
  }

  /** Gives it back. */
  free(pid: number | null): void {
    if (this.kind !== "limit") rmSync(join(this.view, "filler"), { force: true });
    else if (pid !== null) limit(pid, "unlimited");
  }

  /** What a start is to be made through while the disk is full. */
  get whileFull(): readonly string[] {
    return this.kind === "limit" ? ["prlimit", "--fsize=0"] : [];
  }

  /** Mounts it again, as a system does that found its disk damaged. No file on it may be open for writing. */
  remount(as: "ro" | "rw"): void {
    const [first, ...rest] = [...this.inside, "mount", "-o", `remount,${as}`, this.path];
    execFileSync(first, rest);
  }

  /** A folder for a data directory. @returns its path as the daemon sees it. */
  folder(name: string): { readonly path: string; readonly view: string } {
    mkdirSync(join(this.view, name), { mode: 0o700 });
    return { path: join(this.path, name), view: join(this.view, name) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#holder !== null) {
      const closed = once(this.#holder, "close");
      this.#holder.kill("SIGKILL");
      await closed;
    }
    if (this.kind === "mounted") execFileSync("umount", ["--lazy", this.path]);
    rmSync(this.path, { recursive: true, force: true });
  }
}

function limit(pid: number, bytes: string): void {
  execFileSync("prlimit", ["--pid", String(pid), `--fsize=${bytes}:`]);
}
