import { expect, test } from "vitest";
import { approvalOf, CARD } from "../support/page-script.ts";
import { shown, usePage } from "../support/page-world.ts";
import { mint, Name } from "../../src/ipc/ids.ts";

const world = usePage();

test("the audit log is shown newest first with its verdict, in pages, filtered, opened and explained", async () => {
  await world.driver.logIn(world.supervisor.link());
  expect(await world.driver.verdict()).toBe("The record is whole");
  await world.page.getByText("130 rows are unchanged since they were written").waitFor();
  // What was checked one by one is a press away.
  const detail = world.page.getByText("10 rows are newer than the newest checkpoint.");
  expect(await detail.isVisible()).toBe(false);
  await world.page.getByText("What was checked, and what no log proves").click();
  await detail.waitFor();
  const seqs = world.page.locator("#rows > li > details > summary .seq");
  // The verdict and the rows are two answers.
  await expect.poll(async () => (await seqs.allTextContents()).slice(0, 2)).toEqual(["#129", "#128"]);
  await world.page.getByRole("button", { name: "Older rows" }).click();
  await world.page.getByRole("button", { name: "Older rows" }).click();
  await expect.poll(() => seqs.count()).toBe(130);
  await world.page.getByRole("button", { name: "Older rows" }).waitFor({ state: "hidden" });
  await world.page.getByLabel("Kind").fill("tool.finished");
  await world.page.keyboard.press("Enter");
  await expect.poll(() => seqs.count()).toBe(21);
  await world.page.locator("#rows summary").first().press("Enter");
  await world.page.getByText("README.md").first().waitFor();
  await world.page.getByRole("button", { name: "Explain" }).click();
  await world.page.getByText("nobody had to approve it").waitFor();
  await world.page.getByText("The policy 5f5f5f5f5f5f5f5f was in force.").waitFor();
});

test("whoever presses twice before the first answer has come is shown each row once", async () => {
  await world.driver.logIn(world.supervisor.link());
  await world.driver.verdict();
  const seqs = world.page.locator("#rows > li > details > summary .seq");
  await expect.poll(() => seqs.count()).toBeGreaterThan(0);
  const first = await seqs.count();
  await world.page.evaluate(`for (const _ of [1, 2, 3]) document.getElementById("older").click()`);
  await expect.poll(() => seqs.count()).toBe(130);
  expect(new Set(await seqs.allTextContents()).size).toBe(130);
  // It was more than one page, and more than one answer.
  expect(first * 2).toBeLessThan(130);
});

test("Enter in a filter asks once, so that what is opened in its answer stays open", async () => {
  await world.driver.logIn(world.supervisor.link());
  await world.driver.verdict();
  const asked = (): number => world.supervisor.calls.filter(({ call }) => call.call === "audit.rows").length;
  await expect.poll(asked).toBe(1);
  await world.page.getByLabel("Kind").fill("tool.finished");
  await world.page.keyboard.press("Enter");
  await expect.poll(() => world.page.locator("#rows > li").count()).toBe(21);
  expect(asked()).toBe(2);
});

test("rows are asked for by session and time; a session that is none is said to be none, and not asked for", async () => {
  await world.driver.logIn(world.supervisor.link());
  await world.driver.verdict();
  const asked = (): unknown[] =>
    world.supervisor.calls.map(({ call }) => call).filter(({ call }) => call === "audit.rows");
  const session = `s_${"0".repeat(26)}`;
  await world.page.getByLabel("Session").fill(session);
  await world.page.keyboard.press("Enter");
  await expect.poll(() => asked().at(-1)).toMatchObject({ filter: { session } });
  await world.page.getByLabel("From").fill("2026-11-28T14:03:00");
  await world.page.getByRole("button", { name: "Filter" }).click();
  const since: unknown = await world.page.evaluate(`new Date("2026-11-28T14:03:00").toISOString()`);
  await expect.poll(() => asked().at(-1)).toMatchObject({ filter: { session, since } });
  await world.page.getByLabel("Session").fill("nobody");
  await world.page.keyboard.press("Enter");
  await world.page.getByText("nobody is not a session's id").first().waitFor();
  // Counting them would count what the filter before asked for late.
  expect(JSON.stringify(asked())).toContain(session);
  expect(JSON.stringify(asked())).not.toContain("nobody");
});

test("while something is wrong with the record the tab says so first, as an alarm", async () => {
  world.script.stopped = "nothing runs: row 7 was changed. If you know why, go on with: wirken audit acknowledge";
  await world.driver.logIn(world.supervisor.link());
  await world.driver.verdict();
  const alarm = world.page.getByRole("alert").getByText("nothing runs: row 7 was changed");
  await alarm.waitFor();
  expect(await alarm.count()).toBe(1);
});

test("a broken record is said first and in words", async () => {
  world.script.verdict = {
    state: "broken",
    sentences: ["it is broken", "row 7 was changed after it was written"],
    verdict: {},
  };
  await world.driver.logIn(world.supervisor.link());
  expect(await world.driver.verdict()).toBe("The record is broken");
  await world.page.getByText("row 7 was changed after it was written").waitFor();
});

test("the status says how things are; a pairing is approved and a session ended from it; secrets have a command, no field", async () => {
  await world.driver.logIn(world.supervisor.link());
  await world.driver.tab("Status");
  await shown(world.page, "protected by this system's keychain").waitFor();
  for (const text of [
    "ollama/qwen3:8b",
    "@an_example_bot",
    "wirken vault add slack",
    "wirken pair approve 4KD7Q2ZM",
    "/home/ada/.wirken",
  ])
    await shown(world.page, text).waitFor();
  expect(await world.page.locator("#panel-status input:not(#folder-path)").count()).toBe(0);
  await world.page.getByRole("button", { name: "Let them ask", exact: true }).click();
  await world.page.getByText("Sam may speak to Wirken now, as user.").waitFor();
  await shown(world.page, "Nobody waits to be paired").waitFor();
  await world.page.getByRole("button", { name: /^end the session of/ }).click();
  await expect.poll(() => world.page.locator(".browser").count()).toBe(1);
  expect(world.supervisor.calls.map(({ call }) => call)).toContainEqual({
    call: "pair.approve",
    code: "4KD7Q2ZM",
    role: "user",
    as: null,
  });
});

test("a folder is added and removed, and what a turn did to files is seen before it is taken back", async () => {
  await world.driver.logIn(world.supervisor.link());
  await world.driver.tab("Status");
  await world.page.getByLabel("Another folder, by its whole path").fill("/home/ada/documents");
  await world.page.getByLabel("For which agent").selectOption("helper");
  await world.page.getByRole("button", { name: "Add, to be read" }).click();
  await world.page.getByText("/home/ada/documents is documents/ in the workspace of helper now.").waitFor();
  await world.page.getByRole("button", { name: "remove the folder documents of agent helper" }).click();
  await world.page.getByRole("button", { name: "Show the newest turns" }).click();
  await world.page.getByRole("button", { name: /^see what would be taken back/ }).click();
  await shown(world.page, "cannot be taken back: a reply was sent").waitFor();
  await world.page.getByRole("button", { name: "Take it back" }).click();
  await expect
    .poll(() => world.supervisor.calls.map(({ call }) => call))
    .toContainEqual({ call: "undo", turn: world.script.turn, force: false, preview: false });
  const calls = world.supervisor.calls.map(({ call }) => call);
  expect(calls).toContainEqual({ call: "folder.remove", name: "documents", agent: "helper" });
});

test("a command is copied", async () => {
  await world.context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: world.supervisor.origin });
  await world.page.goto(`${world.supervisor.origin}/`);
  await world.page.getByRole("button", { name: "copy wirken web" }).click();
  expect(await world.page.evaluate("navigator.clipboard.readText()")).toBe("wirken web");
});

test("the keyboard alone is enough, and the focus is seen", async () => {
  await world.driver.logIn(world.supervisor.link());
  world.script.approvals = [approvalOf(CARD)];
  await world.page.goto(`${world.supervisor.origin}/#status`);
  await world.page.reload();
  await shown(world.page, "protected by this system's keychain").waitFor();
  await world.page.locator(".approval button.primary:not([disabled])").waitFor({ state: "attached" });
  await world.page.keyboard.press("Tab");
  expect(await world.page.evaluate("document.activeElement.textContent")).toBe("Skip to the content");
  expect(await world.page.evaluate("document.activeElement.getBoundingClientRect().top")).toBeGreaterThan(0);
  await world.page.keyboard.press("Tab");
  expect(await world.page.evaluate("document.activeElement.id")).toBe("tab-status");
  expect(await world.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")).toBe("solid");
  await world.page.keyboard.press("ArrowLeft");
  expect(await world.page.evaluate("document.activeElement.id")).toBe("tab-usage");
  await world.page.keyboard.press("ArrowLeft");
  expect(await world.page.evaluate("document.activeElement.id")).toBe("tab-audit");
  await world.page.locator("#verdict h2").waitFor();
  await world.page.keyboard.press("End");
  await shown(world.page, "protected by this system's keychain").waitFor();
  await world.page.keyboard.press("Home");
  expect(await world.page.evaluate("document.activeElement.id")).toBe("tab-chat");
  for (let i = 0; i < 12 && (await world.page.evaluate("document.activeElement.textContent")) !== "Approve once"; i++)
    await world.page.keyboard.press("Tab");
  await world.page.keyboard.press("Enter");
  await expect.poll(() => world.script.decided.length).toBe(1);
  // The decision is there before the page has heard that it is.
  await expect.poll(() => world.page.evaluate("document.activeElement.id")).toBe("message");
});

test("every control has a name", async () => {
  world.script.approvals = [approvalOf(CARD)];
  await world.driver.logIn(world.supervisor.link());
  await world.driver.card();
  await world.driver.verdict();
  await world.driver.tab("Status");
  await shown(world.page, "protected by this system's keychain").waitFor();
  const nameless =
    await world.page.evaluate(`[...document.querySelectorAll("button, input, textarea, [role=tabpanel], [role=log]")].filter((one) =>
    !(one.textContent.trim() || one.getAttribute("aria-label") || one.getAttribute("aria-labelledby") || (one.labels ?? []).length)).map((one) => one.outerHTML)`);
  expect(nameless).toEqual([]);
});

test("a narrow window has everything, and nothing to scroll sideways", async () => {
  world.script.approvals = [approvalOf(`${CARD}\n${"a-very-long-word".repeat(40)}`)];
  world.script.entries = [
    {
      who: "agent",
      at: new Date().toISOString(),
      text: `${"x".repeat(500)}\n\n\`\`\`\n${"y".repeat(500)}\n\`\`\`\n\n|${"z".repeat(300)}|b|\n|---|---|\n|1|2|`,
    },
  ];
  await world.page.setViewportSize({ width: 340, height: 640 });
  await world.driver.logIn(world.supervisor.link());
  await world.driver.card();
  for (const tab of ["Chat", "Audit log", "Status"] as const) {
    await world.driver.tab(tab);
    await world.page.waitForTimeout(200);
    expect(await world.page.evaluate("document.documentElement.scrollWidth"), tab).toBeLessThanOrEqual(340);
  }
});

test("what is scheduled is listed with the times and whose it is, as text", async () => {
  const one = {
    schedule: mint("schedule"),
    agent: "default",
    principal: mint("principal"),
    owner: "Sam",
    channel: "telegram",
    talk: "direct",
    cron: "0 9 * * 1-5",
    zone: "Europe/Berlin",
    text: "Read <b>my</b> notes",
    paused: null,
    running: false,
    failures: 0,
    next: ["2027-03-29T07:00:00.000Z"],
    last: null,
  } as const;
  world.script.schedules = [
    { ...one, next: [...one.next] },
    { ...one, schedule: mint("schedule"), text: "Water the plants", paused: "failures", next: [] },
  ];
  await world.driver.logIn(world.supervisor.link());
  await world.page.getByRole("tab", { name: "Status" }).click();
  await world.page.getByText("Read <b>my</b> notes").waitFor();
  await world.page.getByText("0 9 * * 1-5 (Europe/Berlin), for Sam, answered on telegram").first().waitFor();
  expect(await world.page.getByText("paused, because it failed too often").isVisible()).toBe(true);
});

test("MCP servers are shown with how they are, and what they say of themselves is text", async () => {
  world.script.servers = [
    {
      name: "files",
      what: "npx -y <b>server</b>",
      state: "given-up",
      version: "1.0.0",
      accepted: 2,
      fresh: 0,
      changed: 0,
      note: "its files are not those that were installed",
    },
  ];
  await world.driver.logIn(world.supervisor.link());
  await world.driver.tab("Status");
  await world.page.getByText("npx -y <b>server</b>").waitFor();
  await world.page.getByText("does not start").waitFor();
  expect(await world.page.getByText("its files are not those that were installed").isVisible()).toBe(true);
});

test("a file that an agent would be told is shown whole, and told once its owner has looked at it here", async () => {
  const digest = "ab".repeat(32);
  const file = { name: "AGENTS.md", principal: null, person: null, why: null, untrusted: false, digest } as const;
  world.script.instructions = [
    {
      ...file,
      agent: Name.parse("default"),
      path: "/agents/AGENTS.md",
      state: "new",
      difference: "--- before\n+++ now\n+Answer <b>briefly</b>.\n",
      noticed: ["it claims to speak for the system"],
    },
  ];
  await world.driver.logIn(world.supervisor.link());
  await world.driver.tab("Status");
  await world.page.getByText("+Answer <b>briefly</b>.").waitFor();
  await world.page.getByText("Noticed: it claims to speak for the system").waitFor();
  await world.page.getByRole("button", { name: "have agent default told what /agents/AGENTS.md says" }).click();
  await world.page.getByText("told to the agent as it is").waitFor();
  // That version and no other.
  expect(world.supervisor.calls.map(({ call }) => call)).toContainEqual({
    call: "instructions.accept",
    agent: "default",
    path: "/agents/AGENTS.md",
    digest,
  });
  await expect.poll(() => world.page.getByRole("button", { name: /told what/ }).count()).toBe(0);
});
