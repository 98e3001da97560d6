import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { approveNext, ask, needLine, verifies, workspaceOf } from "../support/claims-world.ts";
import { TestDaemon } from "../support/daemon.ts";

/** A namespace in which there is nothing to be run where bubblewrap is looked for. */
const HIDE =
  'for f in /usr/bin/bwrap /usr/local/bin/bwrap; do [ ! -e "$f" ] || mount --bind /dev/null "$f" || exit 9; done; exec "$@"';
const WITHOUT_BUBBLEWRAP =
  process.getuid?.() === 0
    ? ["unshare", "--mount", "sh", "-c", HIDE, "sh"]
    : [
        ..."unshare --user --map-root-user --mount sh -c".split(" "),
        HIDE,
        ...`sh unshare --user --map-user=${process.getuid?.()} --map-group=${process.getgid?.()}`.split(" "),
      ];
/** A namespace of an ordinary user in which no other can be made. */
const FORBIDDEN = [
  ...`unshare --user --map-user=${process.getuid?.() || 1000} --map-group=${process.getgid?.() || 1000}`.split(" "),
  "--keep-caps",
  "sh",
  "-c",
  'echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --ambient-caps=-all --inh-caps=-all "$@"',
  "sh",
];
const WEAKER = "Landlock and seccomp alone, no namespaces";

/** One content of the newest row of a kind. */
async function newest(daemon: TestDaemon, kind: string, content: string): Promise<string> {
  await using line = await needLine(daemon);
  const { rows } = await line.call({ call: "audit.rows", filter: { limit: 1000, kind } });
  const last = rows.toSorted((a, b) => a.seq - b.seq).at(-1);
  return last?.content[content] ?? "";
}

describe.for([
  ["is not installed", WITHOUT_BUBBLEWRAP, "bubblewrap is not installed"],
  ["is not allowed", FORBIDDEN, "this system allows no user namespaces at all"],
] as const)("where bubblewrap %s", ([, inside, why]) => {
  let daemon: TestDaemon;
  beforeAll(async () => {
    daemon = await TestDaemon.start({ inside });
  }, 60_000);
  afterAll(async () => {
    await daemon?.[Symbol.asyncDispose]();
  });

  test("the start, the status and doctor say that the sandbox is weaker, and what is", async () => {
    expect(daemon.stdout).toMatch(new RegExp(`^  sandbox   WEAKER: .*${WEAKER}.*${why}`, "m"));
    const { stdout } = await daemon.wirken(["status"]);
    expect(stdout).toMatch(new RegExp(`^sandbox +weaker\\n.*${WEAKER}`, "m"));
    const doctor = await daemon.wirken(["doctor", "confinement"]);
    expect([doctor.status, doctor.stdout]).toEqual([1, expect.stringContaining(WEAKER)]);
  }, 120_000);

  test("a command that reads runs, and reaches nothing else", async () => {
    const { end } = await ask(daemon, "run uname -s");
    expect(end).toBe("done");
    expect(await newest(daemon, "tool.called", "action")).toContain('"sandbox":"weaker"');
    expect(await newest(daemon, "tool.finished", "result")).toContain("Linux");
    await ask(daemon, `run cat ${join(daemon.data, "config.json")}`);
    expect(await newest(daemon, "tool.finished", "result")).toContain("Permission denied");
  }, 60_000);

  test("a command that changes the workspace is asked for, on a card that says what is weaker, and runs", async () => {
    const asked = ask(daemon, "run with write access touch made");
    expect(await approveNext(daemon)).toContain(`sandbox | weaker: ${WEAKER}`);
    expect((await asked).end).toBe("done");
    expect(existsSync(join(workspaceOf(daemon), "made"))).toBe(true);
    await verifies(daemon);
  }, 60_000);

  test("a start that requires every wall is refused", async () => {
    await using other = TestDaemon.spawn({ inside, args: ["--require", "full"] });
    await expect.poll(() => other.ended, { timeout: 60_000, interval: 50 }).toBe(true);
    expect([other.child.exitCode, other.stderr]).toEqual([3, expect.stringContaining("bubblewrap is missing here")]);
  }, 90_000);
});
