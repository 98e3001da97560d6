import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Context } from "./context.ts";

/** A browser that was started has read the file by then. */
const READ_MS = 5_000;
/** Reads one line, the path of a page, and becomes the program that opens it; nothing at all if no line comes. */
const OPEN_LATER = 'IFS= read -r page && exec "$0" "$page"';

/** A shell that waits for what it is to open. */
interface Browser extends Disposable {
  /** Opens a login link. The link stands on the terminal in any case. */
  open(link: string): Promise<void>;
}

/** Starts, where there is a desktop, what will open a link on it: before this command is held to local sockets, which whatever it starts
 *  afterwards would be held to as well. @returns null where there is no desktop. */
export function waitingBrowser({ environment, home, terminal }: Context): Browser | null {
  const program = opener(environment);
  if (program === null) return null;
  // Node would hand our own flags on to every program: a browser has no use for them.
  const { NODE_OPTIONS: _flags, ...clean } = environment;
  const shell = spawn("env", ["-u", "NODE_OPTIONS", "sh", "-c", OPEN_LATER, program], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
    env: clean,
  });
  const ended = exitOf(shell);
  shell.stdin.on("error", () => undefined);
  shell.unref();
  return {
    open: async (link) => {
      // Every user can read the arguments of a process, and the link holds a token: the browser is given a private file that leads there.
      const file = join(home.root, `login-${randomUUID()}.html`);
      const target = JSON.stringify(link).replaceAll("<", "\\u003c");
      writeFileSync(file, `<!doctype html><title>Wirken</title><script>location.replace(${target})</script>`, {
        mode: 0o600,
        flag: "wx",
      });
      try {
        shell.stdin.end(`${file}\n`);
        const outcome = Promise.withResolvers<"read" | "failed">();
        const timer = setTimeout(outcome.resolve, READ_MS, "read");
        void ended.then((status) => status === 0 || outcome.resolve("failed"));
        if ((await outcome.promise) === "failed")
          terminal.say("wirken: no browser could be started: open the link in one");
        clearTimeout(timer);
      } finally {
        rmSync(file, { force: true });
      }
    },
    [Symbol.dispose]: () => void shell.stdin.end(),
  };
}

/** @returns its exit status; null if it could not be started or a signal ended it. */
async function exitOf(shell: ChildProcess): Promise<number | null> {
  return await new Promise((resolve) => {
    shell.once("exit", (status) => resolve(status));
    shell.once("error", () => resolve(null));
  });
}

function opener(environment: NodeJS.ProcessEnv): string | null {
  if (process.platform === "darwin") return "open";
  const display = environment["WAYLAND_DISPLAY"] ?? environment["DISPLAY"] ?? "";
  return process.platform === "linux" && display !== "" ? "xdg-open" : null;
}
