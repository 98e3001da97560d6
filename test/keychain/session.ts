import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { NODE_FLAGS } from "../../src/confine/flags.ts";
import type { Image } from "../../src/supervisor/own-image.ts";

/** The helper as it runs without the executable. */
export const HELPER: Image = {
  command: process.execPath,
  args: [...NODE_FLAGS, join(import.meta.dirname, "..", "..", "src", "keychain", "main.ts")],
};

/** What is on the session's bus: gnome-keyring with an open login keyring, one that nobody opened, or nothing that keeps secrets. */
export type OnTheBus = "open" | "closed" | "nothing";

/** A D-Bus session of its own with a real gnome-keyring: it ends when it is disposed of, or with this process. */
export class KeyringSession implements AsyncDisposable {
  readonly address: string;
  /** The keyring daemon's process, 0 if there is none. */
  readonly keyring: number;
  readonly #process: ChildProcess;

  private constructor(started: ChildProcess, address: string, keyring: number) {
    this.#process = started;
    this.address = address;
    this.keyring = keyring;
  }

  /** @param home the folder that holds the keyrings: with one, they outlive the session. */
  static async start(home: string, what: OnTheBus): Promise<KeyringSession> {
    const started = spawn(
      "dbus-run-session",
      [...(what === "nothing" ? [`--config-file=${bareBus(home)}`] : []), "--", "bash", "-c", SCRIPTS[what]],
      { env: { PATH: process.env["PATH"], HOME: home }, stdio: ["pipe", "pipe", "ignore"] },
    );
    const [line] = await Promise.race([
      once(createInterface({ input: started.stdout }), "line"),
      once(started, "exit").then(() => {
        throw new Error("dbus-run-session did not start: apt-get install dbus-daemon gnome-keyring libsecret-1-0");
      }),
    ]);
    const [address = "", keyring = "0"] = String(line).split(" ");
    return new KeyringSession(started, address, Number(keyring));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const gone = once(this.#process, "exit");
    if (this.keyring > 0) process.kill(this.keyring, "SIGCONT");
    this.#process.stdin?.end();
    await gone;
  }
}

/** Each says where the bus is and which process keeps the keyring, then waits for the end of its input. */
const WAIT_FOR_SERVICE = `
  for i in $(seq 100); do
    dbus-send --session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.GetNameOwner string:org.freedesktop.secrets >/dev/null 2>&1 && break
    sleep 0.02
  done
  echo "$DBUS_SESSION_BUS_ADDRESS $PID"; cat >/dev/null; kill $PID`;
const SCRIPTS: Readonly<Record<OnTheBus, string>> = {
  open: `exec 4< <(printf 'pw\\n'); gnome-keyring-daemon --foreground --unlock --components=secrets <&4 >/dev/null & PID=$!; ${WAIT_FOR_SERVICE}`,
  closed: `gnome-keyring-daemon --foreground --components=secrets </dev/null >/dev/null & PID=$!; ${WAIT_FOR_SERVICE}`,
  nothing: `echo "$DBUS_SESSION_BUS_ADDRESS 0"; cat >/dev/null`,
};

/** A bus that starts no services. */
function bareBus(home: string): string {
  const path = join(home, "bus.conf");
  writeFileSync(
    path,
    `<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><auth>EXTERNAL</auth>
     <policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy></busconfig>`,
  );
  return path;
}

/** A folder for keyrings, and the whole environment that a helper finds the session by. Removed when it is disposed of. */
export class KeyringHome implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "wirken-keyring-"));

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Points this process, and so the helpers that it starts, at a session; null: there is no bus. */
export function useSession(address: string | null): void {
  for (const name of ["DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"])
    delete process.env[name];
  if (address !== null) process.env["DBUS_SESSION_BUS_ADDRESS"] = address;
}
