import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { mint } from "../../src/ipc/ids.ts";
import { openBrowser, outside, PageDriver, type Watch, watch } from "../support/browser.ts";
import { buildPage } from "../support/page-build.ts";
import { approvalOf, CARD, PageScript } from "../support/page-script.ts";
import { WebSupervisor } from "../support/web-supervisor.ts";

/** The real page in Chromium, from the real processes; the test is the supervisor. */
let browser: Browser;
let script: PageScript;
let supervisor: WebSupervisor;
let context: BrowserContext;
let seen: Watch;
let page: Page;
let driver: PageDriver;

beforeAll(async () => {
  await buildPage();
  browser = await openBrowser();
});
afterAll(async () => {
  await browser.close();
  await supervisor[Symbol.asyncDispose]();
});
beforeEach(async () => {
  script = new PageScript();
  if (supervisor === undefined || supervisor.ends.web !== undefined || supervisor.ends.ingress !== undefined) {
    await supervisor?.[Symbol.asyncDispose]();
    supervisor = await WebSupervisor.start(script.answer);
  }
  supervisor.renew(script.answer);
  context = await browser.newContext();
  context.setDefaultTimeout(10_000); // before the test's own, so that what was waited for is named
  seen = watch(context);
  page = await context.newPage();
  driver = new PageDriver(page);
});
afterEach(async () => {
  await context.close();
  // Whatever a test did: nothing left the page's origin, and its policy had nothing to forbid.
  const faults = [
    ...outside(seen, supervisor.origin),
    ...seen.complaints.filter((text) => /Content Security Policy|Trusted|TypeError/.test(text)),
  ];
  if (faults.length > 0) throw new Error(faults.join("\n"));
});

/** A text in the part of the page that is looked at; the announcer repeats some for who listens. */
const shown = (text: string, where: Page = page) =>
  where.locator("main").getByText(text).filter({ visible: true }).first();
const turn = () => ({ event: "turn", session: mint("session"), conversation: mint("conversation") }) as const;

test("without a session the page says how to get a link", async () => {
  await page.goto(`${supervisor.origin}/`);
  await page.getByText("type this in a terminal").waitFor();
  expect(await page.locator("main:visible code").textContent()).toBe("wirken web");
  expect(supervisor.calls).toEqual([]);
});

test("a link logs in once; its token does not stay in the address; a reload stays logged in", async () => {
  const link = supervisor.link();
  await driver.logIn(link);
  expect(page.url()).toBe(`${supervisor.origin}/`);
  expect(await page.evaluate("document.cookie")).toBe("");
  await page.reload();
  await page.getByRole("log").locator("> *").first().waitFor();

  const stranger = await browser.newContext();
  const other = await stranger.newPage();
  await other.goto(link);
  await other.getByText("a link works once, for two minutes").waitFor();
  expect(other.url()).toBe(`${supervisor.origin}/`);
  await stranger.close();
});

test("a login that is locked says so and for how long", async () => {
  supervisor.locked = 600;
  await page.goto(supervisor.link());
  await page.getByText("Logging in is closed for 10 minutes").waitFor();
  expect(await page.evaluate("localStorage.length")).toBe(0);
});

test("a link opened in a tab that has the page already logs it in again", async () => {
  await page.goto(`${supervisor.origin}/`);
  await page.getByText("type this in a terminal").waitFor();
  await page.evaluate(`location.href = ${JSON.stringify(supervisor.link())}`);
  await page.getByRole("log").locator("> *").first().waitFor();
  expect(page.url()).toBe(`${supervisor.origin}/`);
});

test("what is said is sent by Enter, and the reply streams in as formatted text, tools named", async () => {
  script.said = () => {
    supervisor.emit(turn());
    supervisor.emit({ event: "notice", about: "tool" }, "list_files .");
    for (const piece of [
      "You have **th",
      "ree** files:\n\n",
      "- `a",
      ".txt`\n- b\n",
      "\n| n | s |\n|---|---|\n| a | 1 |",
    ])
      supervisor.emit({ event: "text" }, piece);
    supervisor.emit({ event: "text.end" });
    supervisor.emit({ event: "turn.end", end: "done" });
  };
  await driver.logIn(supervisor.link());
  await page.getByLabel("Message", { exact: true }).focus();
  await page.keyboard.type("list my");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("files");
  await page.keyboard.press("Enter");
  expect(await driver.reply("three")).toContain("You have three files:");
  expect(supervisor.calls.filter(({ call }) => call.call === "say")).toEqual([
    { call: { call: "say", agent: "default", fresh: false }, text: "list my\nfiles" },
  ]);
  const reply = page.getByRole("log").getByLabel("Wirken").last();
  expect(await reply.locator("strong").textContent()).toBe("three");
  expect(await reply.locator("li").allTextContents()).toEqual(["a.txt", "b"]);
  expect(await reply.locator("td").allTextContents()).toEqual(["a", "1"]);
  expect(await page.getByRole("log").locator(".notice").allTextContents()).toEqual(["list_files ."]);
  expect(await page.locator("#announcer").textContent()).toContain("You have **three** files");
  await page.getByRole("button", { name: "Stop" }).waitFor({ state: "hidden" });
});

test("a running turn is stopped by its button and by Escape", async () => {
  await driver.logIn(supervisor.link());
  supervisor.emit(turn());
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByLabel("Message", { exact: true }).press("Escape");
  await expect.poll(() => supervisor.calls.filter(({ call }) => call.call === "session.stop").length).toBe(2);
  supervisor.emit({ event: "turn.end", end: "stopped" });
  await shown("Stopped.").waitFor();
});

test("a new conversation starts with the next message", async () => {
  script.entries = [{ who: "person", at: new Date().toISOString(), text: "said earlier" }];
  await driver.logIn(supervisor.link());
  await page.getByText("said earlier").waitFor();
  await page.getByRole("button", { name: "New conversation" }).click();
  await page.getByText("said earlier").waitFor({ state: "detached" });
  await driver.say("after");
  await expect.poll(() => supervisor.calls.at(-1)).toMatchObject({ call: { call: "say", fresh: true }, text: "after" });
});

test("what was not taken comes back to be sent again, with the reason", async () => {
  const answer = script.answer;
  await driver.logIn(supervisor.link());
  supervisor.script = async (call, text) => {
    if (call.call === "say") await supervisor.ingress.stop(); // the page's way is gone before the answer
    return await answer(call, text);
  };
  await driver.say("hello?");
  await page.getByText("Wirken does not answer.").first().waitFor();
  await expect.poll(() => page.getByLabel("Message", { exact: true }).inputValue()).toBe("hello?");
});

test("hostile bytes in what is said, noticed, named or logged stay text", async () => {
  const evil =
    '<img src="http://127.0.0.1:9/x.png" onerror="document.title=\'owned\'"><script>document.title="owned"</script>';
  const short = "<img src=x onerror=1>";
  const markdown = `${evil}\n\n[click](http://127.0.0.1:9/)\n\n![p](http://127.0.0.1:9/p.png)`;
  script.entries = [
    { who: "person", at: new Date().toISOString(), text: evil },
    { who: "agent", at: new Date().toISOString(), text: markdown },
    { who: "notice", at: short, text: evil },
    { who: "tool", at: new Date().toISOString(), text: evil },
  ];
  script.approvals = [approvalOf(evil, { requester: evil, channel: evil, key: evil, agent: evil })];
  script.pending = script.pending.map((one) => ({ ...one, name: evil, id: evil }));
  script.rows = [{ seq: 0, at: short, kind: evil, cause: null, fields: { [evil]: evil }, content: { [evil]: evil } }];
  script.verdict = { state: "broken", sentences: [evil], verdict: {} };
  await driver.logIn(supervisor.link());
  supervisor.emit({ event: "text" }, markdown);
  supervisor.emit({ event: "turn.end", end: evil });
  await driver.card();
  await driver.verdict();
  await page.locator("summary").first().click();
  await driver.tab("Status");
  await shown("Waiting to be paired").waitFor();
  expect(await page.title()).toContain("Wirken");
  expect(
    await page.locator("#app a:not(.skip), img, iframe, #app script, #app svg, #app [src], #app [style]").count(),
  ).toBe(0);
});

test("a card shows the whole action, and what is approved is what stands on the page", async () => {
  const view = approvalOf(CARD);
  script.approvals = [view];
  await driver.logIn(supervisor.link());
  expect(await driver.card()).toBe(CARD);
  expect(await page.title()).toBe("(1) Wirken");
  const group = page.getByRole("group", { name: "decide" });
  expect(await group.textContent()).toContain("commands that write in the workspace, until this conversation ends");
  await driver.approve("Approve for this session");
  await expect
    .poll(() => script.decided)
    .toEqual([
      {
        call: "approvals.decide",
        approval: view.approval,
        decision: "approve",
        scope: "session",
        card: view.digest,
        reason: null,
      },
    ]);
  await page.getByText("Waiting for you", { exact: true }).waitFor({ state: "hidden" });
  expect(await page.title()).toBe("Wirken");
});

test("a card that was changed on the page is not the one that is approved", async () => {
  script.approvals = [approvalOf(CARD)];
  await driver.logIn(supervisor.link());
  await driver.card();
  await page.evaluate("document.querySelector('.card .line').textContent = 'list files'");
  await driver.approve();
  await page.getByText("another card was shown").waitFor();
  expect(script.approvals).toHaveLength(1);
});

test("a card comes while the page is open, cannot be pressed in the moment it comes, and is denied with a reason", async () => {
  await driver.logIn(supervisor.link());
  const view = approvalOf("read a file\n  path: notes/plan.txt", {
    scopes: [{ scope: "once", means: "this file, now" }],
  });
  script.approvals = [view];
  supervisor.emit({ event: "approval", approval: view });
  await driver.card();
  expect(await page.getByRole("button", { name: "Deny" }).isDisabled()).toBe(true);
  expect(await page.getByRole("button", { name: /^Approve/ }).count()).toBe(1);
  await driver.deny("not that one");
  await expect
    .poll(() => script.decided.at(-1))
    .toMatchObject({ decision: "deny", scope: "once", reason: "not that one", card: view.digest });
});

test("a card that is decided elsewhere goes away, and says how it ended", async () => {
  const view = approvalOf(CARD);
  script.approvals = [view];
  await driver.logIn(supervisor.link());
  await driver.card();
  supervisor.emit({
    event: "approval.closed",
    approval: view.approval,
    state: "denied",
    sentence: "denied on the terminal by the owner",
  });
  await shown("denied on the terminal by the owner").waitFor();
  expect(await page.locator(".approval").count()).toBe(0);
});

test("a card that the page may not decide says where, with the command", async () => {
  script.approvals = [
    approvalOf(CARD, {
      tier: 3,
      scopes: [],
      decidable: false,
      elsewhere: "What the page asked is decided on the terminal.",
    }),
  ];
  await driver.logIn(supervisor.link());
  expect(await driver.card()).toBe(CARD);
  await page.getByText("What the page asked is decided on the terminal.").waitFor();
  await page.getByText("wirken approvals approve 7Q4M2KXA").waitFor();
  expect(await page.getByRole("button", { name: /^(Approve|Deny)/ }).count()).toBe(0);
});

test("the audit log is shown newest first with its verdict, in pages, filtered, opened and explained", async () => {
  await driver.logIn(supervisor.link());
  expect(await driver.verdict()).toBe("The record is whole");
  await page.getByText("10 rows are newer than the newest checkpoint.").waitFor();
  const seqs = page.locator("#rows > li > details > summary .seq");
  expect((await seqs.allTextContents()).slice(0, 2)).toEqual(["#129", "#128"]);
  await page.getByRole("button", { name: "Older rows" }).click();
  await page.getByRole("button", { name: "Older rows" }).click();
  await expect.poll(() => seqs.count()).toBe(130);
  await page.getByRole("button", { name: "Older rows" }).waitFor({ state: "hidden" });
  await page.getByLabel("Kind").fill("tool.finished");
  await page.keyboard.press("Enter");
  await expect.poll(() => seqs.count()).toBe(21);
  await page.locator("summary").first().press("Enter");
  await page.getByText("README.md").first().waitFor();
  await page.getByRole("button", { name: "Explain" }).click();
  await page.getByText("nobody had to approve it").waitFor();
});

test("a broken record is said first and in words", async () => {
  script.verdict = { state: "broken", sentences: ["row 7 was changed after it was written"], verdict: {} };
  await driver.logIn(supervisor.link());
  expect(await driver.verdict()).toBe("The record is broken");
  await page.getByText("row 7 was changed after it was written").waitFor();
});

test("the status says how things are; a pairing is approved and a session ended from it; secrets have a command, no field", async () => {
  await driver.logIn(supervisor.link());
  await driver.tab("Status");
  await shown("protected by this system's keychain").waitFor();
  for (const text of [
    "ollama/qwen3:8b",
    "@an_example_bot",
    "wirken vault add slack",
    "wirken pair approve 4KD7Q2ZM",
    "/home/ada/.wirken",
  ])
    await shown(text).waitFor();
  expect(await page.locator("#panel-status input").count()).toBe(0);
  await page.getByRole("button", { name: "Let them ask", exact: true }).click();
  await page.getByText("Sam may speak to Wirken now, as user.").waitFor();
  await shown("Nobody waits to be paired").waitFor();
  await page.getByRole("button", { name: /^end the session of/ }).click();
  await expect.poll(() => page.locator(".browser").count()).toBe(1);
  expect(supervisor.calls.map(({ call }) => call)).toContainEqual({
    call: "pair.approve",
    code: "4KD7Q2ZM",
    role: "user",
    as: null,
  });
});

test("a command is copied", async () => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: supervisor.origin });
  await page.goto(`${supervisor.origin}/`);
  await page.getByRole("button", { name: "copy wirken web" }).click();
  expect(await page.evaluate("navigator.clipboard.readText()")).toBe("wirken web");
});

test("the keyboard alone is enough, and the focus is seen", async () => {
  await driver.logIn(supervisor.link());
  script.approvals = [approvalOf(CARD)];
  await page.goto(`${supervisor.origin}/#status`);
  await page.reload();
  await shown("protected by this system's keychain").waitFor();
  await page.locator(".approval button.primary:not([disabled])").waitFor({ state: "attached" });
  await page.keyboard.press("Tab");
  expect(await page.evaluate("document.activeElement.textContent")).toBe("Skip to the content");
  expect(await page.evaluate("document.activeElement.getBoundingClientRect().top")).toBeGreaterThan(0);
  await page.keyboard.press("Tab");
  expect(await page.evaluate("document.activeElement.id")).toBe("tab-status");
  expect(await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")).toBe("solid");
  await page.keyboard.press("ArrowLeft");
  expect(await page.evaluate("document.activeElement.id")).toBe("tab-audit");
  await page.locator("#verdict h2").waitFor();
  await page.keyboard.press("End");
  await shown("protected by this system's keychain").waitFor();
  await page.keyboard.press("Home");
  expect(await page.evaluate("document.activeElement.id")).toBe("tab-chat");
  for (let i = 0; i < 12 && (await page.evaluate("document.activeElement.textContent")) !== "Approve once"; i++)
    await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await expect.poll(() => script.decided.length).toBe(1);
  expect(await page.evaluate("document.activeElement.id")).toBe("message");
});

test("every control has a name", async () => {
  script.approvals = [approvalOf(CARD)];
  await driver.logIn(supervisor.link());
  await driver.card();
  await driver.verdict();
  await driver.tab("Status");
  await shown("protected by this system's keychain").waitFor();
  const nameless =
    await page.evaluate(`[...document.querySelectorAll("button, input, textarea, [role=tabpanel], [role=log]")].filter((one) =>
    !(one.textContent.trim() || one.getAttribute("aria-label") || one.getAttribute("aria-labelledby") || (one.labels ?? []).length)).map((one) => one.outerHTML)`);
  expect(nameless).toEqual([]);
});

test("two tabs share one stream; when the first goes, the other goes on", async () => {
  await driver.logIn(supervisor.link());
  const second = await context.newPage();
  await second.goto(`${supervisor.origin}/`);
  await second.getByRole("log").locator("> *").first().waitFor();
  await expect.poll(() => supervisor.watching).toBe(1);
  supervisor.emit({ event: "notice", about: "info" }, "heard by both");
  await shown("heard by both").waitFor();
  await shown("heard by both", second).waitFor();
  await page.close();
  await expect.poll(() => supervisor.calls.filter(({ call }) => call.call === "watch").length).toBe(2);
  supervisor.emit({ event: "notice", about: "info" }, "heard by the other");
  await shown("heard by the other", second).waitFor();
});

test("when Wirken goes away the page says so, comes back by itself, and shows what was said meanwhile", async () => {
  await driver.logIn(supervisor.link());
  const port = Number(new URL(supervisor.origin).port);
  await supervisor[Symbol.asyncDispose]();
  await page.getByText("Wirken does not answer.").waitFor();
  await page.getByText("wirken start").waitFor();
  script.entries = [{ who: "agent", at: new Date().toISOString(), text: "said meanwhile" }];
  supervisor = await WebSupervisor.start(script.answer, { port, after: supervisor });
  await page.getByText("said meanwhile").waitFor();
  expect(await page.locator("#offline").isHidden()).toBe(true);
});

test("a page of another version loads itself anew", async () => {
  await driver.logIn(supervisor.link());
  const port = Number(new URL(supervisor.origin).port);
  await page.evaluate("globalThis.before = true");
  await supervisor[Symbol.asyncDispose]();
  supervisor = await WebSupervisor.start(script.answer, { port, after: supervisor, version: "1.2.4" });
  await expect
    .poll(() => page.evaluate("globalThis.before === true").catch(() => true), { timeout: 15_000 })
    .toBe(false);
  await page.getByText("1.2.3").waitFor(); // what the script's status says
});

test("a turn that was joined in its middle is shown whole when it ends", async () => {
  await driver.logIn(supervisor.link());
  supervisor.emit({ event: "text" }, "…the second half");
  await shown("the second half").waitFor();
  script.entries = [{ who: "agent", at: new Date().toISOString(), text: "the first half, the second half" }];
  supervisor.emit({ event: "text.end" });
  supervisor.emit({ event: "turn.end", end: "done" });
  await shown("the first half, the second half").waitFor();
  expect(await page.getByRole("log").getByLabel("Wirken").count()).toBe(1);
});

test("a session that is ended elsewhere leads to the login, and nothing stays on the page", async () => {
  script.entries = [{ who: "person", at: new Date().toISOString(), text: "something private" }];
  await driver.logIn(supervisor.link());
  await page.getByText("something private").waitFor();
  supervisor.endSessions();
  await page.getByText("This session has ended.").waitFor();
  expect(await page.content()).not.toContain("something private");
});

test("logging out ends the session for every tab", async () => {
  await driver.logIn(supervisor.link());
  const second = await context.newPage();
  await second.goto(`${supervisor.origin}/`);
  await second.getByRole("log").locator("> *").first().waitFor();
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByText("You have logged out.").waitFor();
  await second.getByText("You have logged out.").waitFor();
  expect(await context.cookies()).toEqual([]);
});

test("a narrow window has everything, and nothing to scroll sideways", async () => {
  script.approvals = [approvalOf(`${CARD}\n${"a-very-long-word".repeat(40)}`)];
  script.entries = [
    {
      who: "agent",
      at: new Date().toISOString(),
      text: `${"x".repeat(500)}\n\n\`\`\`\n${"y".repeat(500)}\n\`\`\`\n\n|${"z".repeat(300)}|b|\n|---|---|\n|1|2|`,
    },
  ];
  await page.setViewportSize({ width: 340, height: 640 });
  await driver.logIn(supervisor.link());
  await driver.card();
  for (const tab of ["Chat", "Audit log", "Status"] as const) {
    await driver.tab(tab);
    await page.waitForTimeout(200);
    expect(await page.evaluate("document.documentElement.scrollWidth"), tab).toBeLessThanOrEqual(340);
  }
});
