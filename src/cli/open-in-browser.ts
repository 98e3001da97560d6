import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Context } from "./context.ts";

/** A browser that was started has read the file by then. */
const READ_MS = 5_000;

/** Opens a login link on the desktop, where there is one. The link holds a token and every user can read the arguments of a process: so the
 *  browser is given a private file that leads there, which is removed again. The link stands on the terminal in any case. */
export async function openInBrowser(link: string, { environment, home, terminal }: Context): Promise<void> {
  const program = opener(environment);
  if (program === null) return;
  const file = join(home.root, `login-${randomUUID()}.html`);
  const target = JSON.stringify(link).replaceAll("<", "\\u003c");
  writeFileSync(file, `<!doctype html><title>Wirken</title><script>location.replace(${target})</script>`, {
    mode: 0o600,
    flag: "wx",
  });
  try {
    // Node would hand our own flags on to every program: a browser has no use for them.
    const { NODE_OPTIONS: _flags, ...clean } = environment;
    const child = spawn("env", ["-u", "NODE_OPTIONS", program, file], { stdio: "ignore", detached: true, env: clean });
    child.on("error", () => terminal.say("wirken: no browser could be started"));
    child.unref();
    await new Promise((resolve) => {
      setTimeout(resolve, READ_MS);
    });
  } finally {
    rmSync(file, { force: true });
  }
}

function opener(environment: NodeJS.ProcessEnv): string | null {
  if (process.platform === "darwin") return "open";
  const display = environment["WAYLAND_DISPLAY"] ?? environment["DISPLAY"] ?? "";
  return process.platform === "linux" && display !== "" ? "xdg-open" : null;
}
