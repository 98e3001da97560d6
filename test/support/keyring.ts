import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";

const PASSWORD = "the password of a test";
const PATIENCE_MS = 20_000;

/** A D-Bus session of its own, on which a real gnome-keyring comes, goes and is locked, as on a desktop where somebody logs in and out. */
export class Desktop implements AsyncDisposable {
  readonly address: string;
  readonly #home: string;
  readonly #bus: ChildProcess;
  #keyring: ChildProcess | null = null;

  private constructor(home: string, bus: ChildProcess, address: string) {
    this.#home = home;
    this.#bus = bus;
    this.address = address;
  }

  static async start(): Promise<Desktop> {
    const home = mkdtempSync(join(tmpdir(), "wirken-desktop-"));
    const bus = spawn("dbus-daemon", ["--session", "--nofork", "--print-address"], {
      env: { PATH: process.env["PATH"], HOME: home },
      stdio: ["ignore", "pipe", "ignore"],
    });
    const [line] = await Promise.race([
      once(createInterface({ input: bus.stdout }), "line"),
      once(bus, "error").then(() => {
        throw new Error("no D-Bus: apt-get install dbus-daemon gnome-keyring libsecret-1-0");
      }),
    ]);
    return new Desktop(home, bus, String(line));
  }

  /** What a process of this session finds its keychain by. */
  get environment(): Record<string, string> {
    return { DBUS_SESSION_BUS_ADDRESS: this.address };
  }

  /** Somebody has logged in: the login keyring is there, and open. */
  async unlocked(): Promise<void> {
    await this.#run(["--unlock"], `${PASSWORD}\n`);
  }

  /** The keyring is there, and nobody has opened it. */
  async locked(): Promise<void> {
    await this.#run([], "");
  }

  /** Another keyring is in its place, open and empty, as after a new installation. */
  async replaced(): Promise<void> {
    await this.#end();
    rmSync(join(this.#home, ".local/share/keyrings"), { recursive: true, force: true });
    await this.unlocked();
  }

  async #run(options: readonly string[], input: string): Promise<void> {
    await this.#end();
    const keyring = spawn("gnome-keyring-daemon", ["--foreground", "--components=secrets", ...options], {
      env: { PATH: process.env["PATH"], HOME: this.#home, ...this.environment },
      stdio: ["pipe", "ignore", "ignore"],
    });
    keyring.stdin.end(input);
    this.#keyring = keyring;
    for (const until = performance.now() + PATIENCE_MS; this.#keeper() !== keyring.pid; await delay(20)) {
      if (performance.now() > until) throw new Error("gnome-keyring does not answer on its bus");
    }
  }

  async #end(): Promise<void> {
    const keyring = this.#keyring;
    this.#keyring = null;
    if (keyring !== null && keyring.exitCode === null) {
      const gone = once(keyring, "exit");
      keyring.kill();
      await gone;
    }
    // The bus itself starts one where somebody asks and there is none.
    for (let pid = this.#keeper(); pid !== null; pid = this.#keeper()) {
      process.kill(pid);
      await delay(20);
    }
  }

  /** The process that keeps the secrets of the bus. */
  #keeper(): number | null {
    try {
      const said = execFileSync("dbus-send", [...ASK, "string:org.freedesktop.secrets"], {
        env: { PATH: process.env["PATH"], ...this.environment },
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      });
      const pid = /uint32 (\d+)/.exec(said)?.[1];
      return pid === undefined ? null : Number(pid);
    } catch {
      return null;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
    const gone = once(this.#bus, "exit");
    this.#bus.kill();
    await gone;
    rmSync(this.#home, { recursive: true, force: true });
  }
}

const ASK = [
  "--session",
  "--print-reply",
  "--dest=org.freedesktop.DBus",
  "/",
  "org.freedesktop.DBus.GetConnectionUnixProcessID",
];
