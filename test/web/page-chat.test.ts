import { expect, test } from "vitest";
import { mint, Name } from "../../src/ipc/ids.ts";
import { approvalOf } from "../support/page-script.ts";
import { shown, usePage } from "../support/page-world.ts";

const world = usePage();

const turn = () => ({ event: "turn", session: mint("session"), conversation: mint("conversation") }) as const;

test("what is said is sent by Enter, and the reply streams in as formatted text, tools named", async () => {
  world.script.said = () => {
    world.supervisor.emit(turn());
    world.supervisor.emit({ event: "notice", about: "tool" }, "list_files .");
    for (const piece of [
      "You have **th",
      "ree** files:\n\n",
      "- `a",
      ".txt`\n- b\n",
      "\n| n | s |\n|---|---|\n| a | 1 |",
    ])
      world.supervisor.emit({ event: "text" }, piece);
    world.supervisor.emit({ event: "text.end" });
    world.supervisor.emit({ event: "turn.end", end: "done" });
  };
  await world.driver.logIn(world.supervisor.link());
  await world.page.getByLabel("Message", { exact: true }).focus();
  await world.page.keyboard.type("list my");
  await world.page.keyboard.press("Shift+Enter");
  await world.page.keyboard.type("files");
  await world.page.keyboard.press("Enter");
  expect(await world.driver.reply("three")).toContain("You have three files:");
  expect(world.supervisor.calls.filter(({ call }) => call.call === "say")).toEqual([
    { call: { call: "say", agent: "default", fresh: false }, text: "list my\nfiles" },
  ]);
  const reply = world.page.getByRole("log").getByLabel("Wirken").last();
  expect(await reply.locator("strong").textContent()).toBe("three");
  expect(await reply.locator("li").allTextContents()).toEqual(["a.txt", "b"]);
  expect(await reply.locator("td").allTextContents()).toEqual(["a", "1"]);
  expect(await world.page.getByRole("log").locator(".notice").allTextContents()).toEqual(["list_files ."]);
  expect(await world.page.locator("#announcer").textContent()).toContain("You have **three** files");
  await world.page.getByRole("button", { name: "Stop" }).waitFor({ state: "hidden" });
});

test("a running turn is stopped by its button and by Escape", async () => {
  await world.driver.logIn(world.supervisor.link());
  world.supervisor.emit(turn());
  await world.page.getByRole("button", { name: "Stop" }).click();
  await world.page.getByLabel("Message", { exact: true }).press("Escape");
  await expect.poll(() => world.supervisor.calls.filter(({ call }) => call.call === "session.stop").length).toBe(2);
  world.supervisor.emit({ event: "turn.end", end: "stopped" });
  await shown(world.page, "Stopped.").waitFor();
  // What is loaded anew, as by coming into the middle of a turn, does not take it away.
  world.script.entries = [{ who: "person", at: new Date().toISOString(), text: "said elsewhere" }];
  world.supervisor.emit({ event: "text" }, "rest of ");
  world.supervisor.emit({ event: "turn.end", end: "stopped" });
  await world.page.getByText("said elsewhere").waitFor();
  await shown(world.page, "Stopped.").waitFor();
});

test("a new conversation starts with the next message", async () => {
  world.script.entries = [{ who: "person", at: new Date().toISOString(), text: "said earlier" }];
  await world.driver.logIn(world.supervisor.link());
  await world.page.getByText("said earlier").waitFor();
  await world.page.getByRole("button", { name: "New conversation" }).click();
  await world.page.getByText("said earlier").waitFor({ state: "detached" });
  await world.driver.say("after");
  await expect
    .poll(() => world.supervisor.calls.at(-1))
    .toMatchObject({ call: { call: "say", fresh: true }, text: "after" });
});

test("what was not taken comes back to be sent again, with the reason", async () => {
  const answer = world.script.answer;
  await world.driver.logIn(world.supervisor.link());
  world.supervisor.script = async (call, text) => {
    if (call.call === "say") await world.supervisor.ingress.stop(); // the page's way is gone before the answer
    return await answer(call, text);
  };
  await world.driver.say("hello?");
  await world.page.getByText("Wirken does not answer.").first().waitFor();
  await expect.poll(() => world.page.getByLabel("Message", { exact: true }).inputValue()).toBe("hello?");
});

test("hostile bytes in what is said, noticed, named or logged stay text", async () => {
  const evil =
    '<img src="http://127.0.0.1:9/x.png" onerror="document.title=\'owned\'"><script>document.title="owned"</script>';
  const short = "<img src=x onerror=1>";
  const markdown = `${evil}\n\n[click](http://127.0.0.1:9/)\n\n![p](http://127.0.0.1:9/p.png)`;
  world.script.entries = [
    { who: "person", at: new Date().toISOString(), text: evil },
    { who: "agent", at: new Date().toISOString(), text: markdown },
    { who: "notice", at: short, text: evil },
    { who: "tool", at: new Date().toISOString(), text: evil },
  ];
  world.script.approvals = [approvalOf(evil, { requester: evil, channel: evil, key: evil, agent: evil })];
  world.script.pending = world.script.pending.map((one) => ({ ...one, name: evil, id: evil }));
  world.script.rows = [
    { seq: 0, at: short, kind: evil, cause: null, fields: { [evil]: evil }, content: { [evil]: evil } },
  ];
  world.script.verdict = { state: "broken", sentences: [evil], verdict: {} };
  await world.driver.logIn(world.supervisor.link());
  world.supervisor.emit({ event: "text" }, markdown);
  world.supervisor.emit({ event: "turn.end", end: evil });
  await world.driver.card();
  await world.driver.verdict();
  await world.page.locator("summary").first().click();
  await world.driver.tab("Status");
  await shown(world.page, "Waiting to be paired").waitFor();
  expect(await world.page.title()).toContain("Wirken");
  expect(
    await world.page.locator("#app a:not(.skip), img, iframe, #app script, #app svg, #app [src], #app [style]").count(),
  ).toBe(0);
});

test("a turn that was joined in its middle is shown whole when it ends", async () => {
  await world.driver.logIn(world.supervisor.link());
  world.supervisor.emit({ event: "text" }, "…the second half");
  await shown(world.page, "the second half").waitFor();
  world.script.entries = [{ who: "agent", at: new Date().toISOString(), text: "the first half, the second half" }];
  world.supervisor.emit({ event: "text.end" });
  world.supervisor.emit({ event: "turn.end", end: "done" });
  await shown(world.page, "the first half, the second half").waitFor();
  expect(await world.page.getByRole("log").getByLabel("Wirken").count()).toBe(1);
});

test.for(["status", "transcript"] as const)(
  "what is said while the %s is being fetched is not lost when the conversation comes",
  async (held) => {
    const answer = world.supervisor.script;
    const asked = Promise.withResolvers<undefined>();
    const told = Promise.withResolvers<undefined>();
    world.supervisor.script = async (call, text) => {
      const value = await answer(call, text);
      if (call.call !== held || world.supervisor.watching === 0) return value;
      asked.resolve(undefined);
      await told.promise;
      return value;
    };
    world.script.entries = [{ who: "person", at: new Date().toISOString(), text: "said earlier" }];
    const loggedIn = world.driver.logIn(world.supervisor.link());
    await asked.promise;
    world.supervisor.emit({ event: "notice", about: "info" }, "heard meanwhile");
    await shown(world.page, "heard meanwhile").waitFor();
    told.resolve(undefined);
    await shown(world.page, "said earlier").waitFor();
    await loggedIn;
    expect(await shown(world.page, "heard meanwhile").count()).toBe(1);
  },
);

test("among several agents one is chosen, and what is said goes to that one; with one there is nothing to choose", async () => {
  await world.driver.logIn(world.supervisor.link());
  await world.page.getByText("default · ollama/qwen3:8b").waitFor();
  expect(await world.page.getByLabel("Agent").isVisible()).toBe(false);
  world.script.agents = [
    { agent: Name.parse("default"), ref: "ollama/qwen3:8b" },
    { agent: Name.parse("coder"), ref: "anthropic/some-model" },
  ];
  await world.page.reload();
  await world.page.getByLabel("Agent").selectOption("coder");
  await world.page.getByText("anthropic/some-model").waitFor();
  await world.page.getByLabel("Message").fill("hello");
  await world.page.keyboard.press("Enter");
  const asked = (call: string): unknown[] =>
    world.supervisor.calls.flatMap((one) => (one.call.call === call && "agent" in one.call ? [one.call.agent] : []));
  await expect.poll(() => asked("say")).toEqual(["coder"]);
  expect(asked("transcript").at(-1)).toBe("coder");
});
