import { afterAll, beforeAll, expect, test } from "vitest";
import { PageClient } from "../support/page-client.ts";
import { sleepers } from "../support/sleeping-command.ts";
import { Spine } from "../support/spine.ts";

/** No other program sleeps so long: it is found by that. */
const SECONDS = "3131.75";
const HALTED = "I am halted by the owner: your message is recorded, and nothing is done about it.";

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

async function turnsEnded(): Promise<unknown[]> {
  return (await spine.rows("turn.ended")).map(({ fields }) => fields["reason"]);
}

/** Writes something and waits until its turn is over. @returns what was said to it. */
async function told(text: string): Promise<string> {
  const [shown, ended] = [spine.shownTo().length, (await turnsEnded()).length];
  spine.write(text);
  await spine.eventually(`an end of ${text}`, async () => (await turnsEnded()).length > ended);
  return await spine.eventually(`an answer to ${text}`, () => spine.shownTo()[shown]?.text);
}

test("the detector detects: before a halt a message is acted on", async () => {
  expect(await told("hello")).toBe("you said: hello");
});

test("a halt ends what runs within a second, says why on the log, and is said in the status", async () => {
  spine.write("sleep");
  await spine.eventually("the command running", () => sleepers(SECONDS) === 1);
  const ran = await spine.daemon.wirken(["halt", "--reason", "the drill of today", "--json"]);
  expect(ran.status, ran.stderr).toBe(0);
  expect(JSON.parse(ran.stdout)).toMatchObject({ sentence: "every agent", ended: 1 });
  await spine.eventually("the command gone", () => sleepers(SECONDS) === 0);
  const [begun] = await spine.rows("halt.begun");
  expect(begun).toMatchObject({
    fields: { subject: "all", via: "terminal" },
    content: { reason: "the drill of today" },
  });
  const status = await spine.daemon.wirken(["status"]);
  expect(status.stdout).toContain("every agent is halted since ");
  expect(status.stdout).toContain("(the drill of today)");
  // Again is no second halt.
  expect((await spine.daemon.wirken(["halt", "--reason", "again"])).status).toBe(0);
  expect(await spine.rows("halt.begun")).toHaveLength(1);
});

test.for(["SIGTERM", "SIGKILL"] as const)(
  "halted, what people write is recorded, answered and not acted on, also after a restart by %s",
  async (signal) => {
    const asked = spine.model.requests;
    expect(await told(`before ${signal}`)).toBe(HALTED);
    await spine.restart(signal);
    await spine.connected("telegram");
    expect(await told(`after ${signal}`)).toBe(HALTED);
    const terminal = await spine.daemon.wirken(["ask", "and here?"]);
    expect(terminal.status).toBe(4);
    expect(terminal.stdout + terminal.stderr).toContain(HALTED);
    expect(spine.model.requests).toBe(asked);
    expect((await turnsEnded()).slice(-3)).toEqual(["halted", "halted", "halted"]);
    expect(JSON.stringify(await spine.rows("message.received"))).toContain(`after ${signal}`);
  },
);

test("only the terminal lets agents go on, and what was written meanwhile is not taken up again", async () => {
  const page = await PageClient.logIn((await (await spine.operator()).call({ call: "web.link" })).link);
  const resume = page.call({ call: "halt.end", target: { subject: "all" }, reason: null });
  await expect(resume).rejects.toThrow("is done on the terminal");
  const other = await spine.daemon.wirken(["resume", "--agent", "default"]);
  expect(other.status).toBe(2);
  expect(other.stderr).toContain("agent default is not halted\nhint: what is: wirken resume");
  const ran = await spine.daemon.wirken(["resume"]);
  expect(ran.status, ran.stderr).toBe(0);
  expect(ran.stdout).toBe("no longer halted: every agent\n");
  expect(await told("hello again")).toBe("you said: hello again");
  await spine.restart();
  await spine.connected("telegram");
  expect(await told("and again")).toBe("you said: and again");
  expect((await spine.daemon.wirken(["status"])).stdout).not.toContain("halted");
});

test("one session can be halted alone, and one agent", async () => {
  const session = (await spine.rows("session.opened")).findLast(({ fields }) => fields["channel"] === "telegram")
    ?.fields["session"];
  expect((await spine.daemon.wirken(["halt", "--session", String(session), "--reason", "only this one"])).status).toBe(
    0,
  );
  expect(await told("in it")).toBe(HALTED);
  expect((await spine.daemon.wirken(["ask", "elsewhere"])).status).toBe(0);
  expect((await spine.daemon.wirken(["halt", "--agent", "default", "--reason", "the agent"])).status).toBe(0);
  expect((await spine.daemon.wirken(["ask", "elsewhere"])).status).toBe(4);
  expect((await spine.daemon.wirken(["resume", "--agent", "default"])).status).toBe(0);
  expect((await spine.daemon.wirken(["resume", "--session", String(session)])).status).toBe(0);
  expect(await told("free again")).toBe("you said: free again");
  const nobody = await spine.daemon.wirken(["halt", "--agent", "nobody", "--reason", "x"]);
  expect(nobody.stderr).toContain("there is no agent nobody");
  const verified = await spine.daemon.wirken(["audit", "verify"]);
  expect(verified.stdout).toContain("whole and in order");
});
