import { createServer } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newHome, run, TestDaemon } from "../support/daemon.ts";
import { sleepers } from "../support/sleeping-command.ts";
import { Spine } from "../support/spine.ts";

/** No other program sleeps so long: it is found by that. */
const SECONDS = "3127.25";
/** A stop with a command running takes no longer. */
const STOPPED_MS = 10_000;

let spine: Spine;

beforeAll(async () => {
  spine = await Spine.start();
  spine.model.script("sleep", {
    calls: [{ name: "exec", arguments: { argv: ["sleep", SECONDS], timeout_seconds: 300 } }],
  });
});
afterAll(async () => {
  await spine[Symbol.asyncDispose]();
});

async function asleep(): Promise<void> {
  spine.write("sleep");
  await spine.eventually("the command running", () => sleepers(SECONDS) === 1);
}

test("a second start on the same data says who runs, and leaves", async () => {
  const second = await run(["start"], { environment: spine.daemon.environment });
  expect(second.status).toBe(3);
  expect(second.stderr).toContain(`process ${spine.daemon.pid}`);
  expect(second.stderr).toMatch(/page at http:\/\/127\.0\.0\.1:\d+/);
  expect(second.stderr).toContain("hint: ");
  spine.write("you go on?");
  await spine.shown("you said: you go on?");
});

test.for(["SIGTERM", "SIGHUP", "SIGINT"] as const)(
  "%s ends what runs, says so, and exits 0; what comes meanwhile waits",
  async (signal) => {
    await asleep();
    const shown = spine.shownTo().length;
    spine.write(`written behind, ${signal}`);
    await spine.eventually("it on the log", async () =>
      JSON.stringify(await spine.rows("message.received")).includes(`behind, ${signal}`),
    );
    const began = performance.now();
    const status = await spine.stop(signal);
    expect(performance.now() - began).toBeLessThan(STOPPED_MS);
    expect(status).toBe(0);
    expect(sleepers(SECONDS)).toBe(0);
    expect(
      spine
        .shownTo()
        .slice(shown)
        .map(({ text }) => text),
    ).toEqual(["Stopped."]);

    await spine.restart();
    await spine.shown(`you said: written behind, ${signal}`);
    expect((await spine.rows("daemon.stopped")).at(-1)?.fields).toMatchObject({ reason: "signal" });
    expect(await spine.rows("action.interrupted")).toEqual([]);
    const ended = await spine.eventually("the end of that turn", async () => {
      const reasons = (await spine.rows("turn.ended")).map(({ fields }) => fields["reason"]);
      return reasons.at(-1) === "done" ? reasons : undefined;
    });
    expect(ended.slice(-2)).toEqual(["stopped", "done"]);
  },
);

test("wirken stop does the same, and finds nothing the second time", async () => {
  await asleep();
  const stop = await spine.daemon.wirken(["stop"]);
  expect(stop.status, stop.stderr).toBe(0);
  expect(await spine.stop()).toBe(0);
  expect(sleepers(SECONDS)).toBe(0);
  expect((await spine.daemon.wirken(["stop"])).status).toBe(3);
  spine.write("while nobody was there");
  await spine.restart();
  await spine.shown("you said: while nobody was there");
  expect((await spine.rows("daemon.stopped")).at(-1)?.fields).toMatchObject({ reason: "command" });
  const verdict = await spine.verified();
  expect(verdict.status, verdict.stdout).toBe(0);
});

test("a taken port is named with who holds it", async () => {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, "127.0.0.1", resolve));
  const address = holder.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const daemon = TestDaemon.spawn({ home: newHome(), config: { web: { port } } });
  try {
    await new Promise((resolve) => daemon.child.once("close", resolve));
    expect(daemon.child.exitCode).toBe(3);
    expect(daemon.stderr).toContain(`port ${port} on 127.0.0.1 is taken by`);
    expect(daemon.stderr).toContain(String(process.pid));
    expect(daemon.stderr).toContain("hint: ");
  } finally {
    await daemon[Symbol.asyncDispose]();
    await new Promise((resolve) => holder.close(resolve));
  }
});
