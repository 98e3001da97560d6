import { afterAll, beforeAll, expect, test } from "vitest";
import { SessionId } from "../../src/ipc/ids.ts";
import { sleepers } from "../support/sleeping-command.ts";
import { Spine, STRANGER } from "../support/spine.ts";

/** No other program sleeps so long: it is found by that. */
const SECONDS = "2717.25";

let spine: Spine;
beforeAll(async () => {
  spine = await Spine.start();
  spine.model.script(
    "begin",
    { calls: [{ name: "exec", arguments: { argv: ["sleep", SECONDS], background: true, timeout_seconds: 3600 } }] },
    { text: "it goes on" },
  );
});
afterAll(async () => {
  await spine[Symbol.asyncDispose]();
});

/** One that goes on after its turn has ended. */
async function begins(): Promise<void> {
  const said = (): number => spine.shownTo().filter(({ text }) => text === "it goes on").length;
  const before = said();
  spine.write("begin");
  await spine.eventually("the answer of its turn", () => said() > before);
  await spine.eventually("the command running", () => sleepers(SECONDS) === 1);
}

async function goneWithinASecond(): Promise<void> {
  await spine.eventually("the command gone", () => sleepers(SECONDS) === 0, 1_000);
}

test("neither a stop in its conversation, nor one by the terminal, after its turn has ended", async () => {
  await begins();
  spine.write("/stop");
  await goneWithinASecond();
  await begins();
  const [opened] = (await spine.rows("session.opened")).slice(-1);
  await (await spine.operator()).call({ call: "session.stop", session: SessionId.parse(opened?.fields["session"]) });
  await goneWithinASecond();
  expect((await spine.rows("command.ended")).map(({ fields }) => fields["outcome"])).toEqual(["stopped", "stopped"]);
});

test("nor a new conversation", async () => {
  await begins();
  spine.write("/new");
  await goneWithinASecond();
  await spine.eventually("its end on the log", async () => (await spine.rows("session.closed")).length === 1);
  expect((await spine.rows("command.ended")).at(-1)?.fields["outcome"]).toBe("stopped");
});

test("nor a halt", async () => {
  await begins();
  expect((await spine.daemon.wirken(["halt", "--reason", "a drill"])).status).toBe(0);
  await goneWithinASecond();
  expect((await spine.daemon.wirken(["resume"])).status).toBe(0);
});

test("nor the removal of the person it runs for", async () => {
  spine.write("hello", STRANGER);
  const { text } = await spine.shown("wirken pair approve", STRANGER);
  const code = /approve (\w{8})/.exec(text)?.[1] ?? "";
  expect((await spine.daemon.wirken(["pair", "approve", code, "--as", "Kim"])).status).toBe(0);
  spine.write("begin", STRANGER);
  await spine.eventually("the command running", () => sleepers(SECONDS) === 1);
  expect((await spine.daemon.wirken(["people", "remove", "Kim"])).status).toBe(0);
  await goneWithinASecond();
  await spine.eventually("its end on the log", async () => {
    const ended = (await spine.rows("command.ended")).at(-1);
    const started = (await spine.rows("command.started")).at(-1);
    return ended?.cause === started?.seq && ended?.fields["outcome"] === "stopped";
  });
});

test.for(["SIGTERM", "SIGKILL"] as const)(
  "nor the daemon's end by %s, and then it is on the log how it ended",
  async (signal) => {
    await begins();
    await spine.stop(signal);
    await goneWithinASecond();
    await spine.restart();
    const [started] = (await spine.rows("command.started")).slice(-1);
    const after = await spine.rows(signal === "SIGTERM" ? "command.ended" : "action.interrupted");
    expect(after.some(({ cause }) => cause === started?.seq)).toBe(true);
    expect(await spine.verified()).toMatchObject({ status: 0 });
  },
);
