import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LIMITS } from "../../src/sandbox/limits.ts";
import { Sandbox } from "../../src/sandbox/sandbox.ts";

/** Tries the sandbox as whoever runs this, in a directory of theirs, and prints what came of it as JSON. */
const [place = ""] = process.argv.slice(2);
const home = mkdtempSync(join(place, "home-"));
const sandbox = new Sandbox({ home, executable: process.execPath });
const workspace = mkdtempSync(join(home, "workspace-"));
writeFileSync(join(workspace, "AGENTS.md"), "mine");

async function run(script: string, write: boolean, seconds = 10): Promise<object> {
  const argv = ["bash", "-c", script];
  const limits = { ...LIMITS, processes: 60, seconds };
  const end = await sandbox.run({ workspace, argv, write, stdin: null, limits }, new AbortController().signal);
  return { reason: end.reason, status: end.status, out: Buffer.from(end.stdout).toString() };
}

const answer = {
  user: process.getuid?.(),
  state: await sandbox.probe(),
  readOnly: await run("echo 1 >a; echo 1 >AGENTS.md; cat AGENTS.md", false),
  write: await run("echo 1 >a && cat a; echo 1 >AGENTS.md; rm -f AGENTS.md; cat AGENTS.md", true),
  walls: await run(
    `id -u; grep CapEff /proc/self/status; unshare -U true; mount -t tmpfs x /tmp; cat ${home}/x; ls /home /root; chmod 600 /dev/null; (exec 3<>/dev/tcp/1.1.1.1/53) && echo reached`,
    false,
  ),
  names: await run("echo out >/dev/stdout", false),
  bomb: await run("bomb() { bomb | bomb & }; bomb; sleep 9", false, 9),
  kept: readFileSync(join(workspace, "AGENTS.md"), "utf8"),
};
rmSync(home, { recursive: true });
process.stdout.write(JSON.stringify(answer));
