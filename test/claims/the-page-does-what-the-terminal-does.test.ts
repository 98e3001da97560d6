import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { LLMock } from "@copilotkit/aimock";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { z } from "zod/mini";
import { openBrowser, outside, PageDriver, type Watch, watch } from "../support/browser.ts";
import { rowsOf } from "../support/claims-log.ts";
import { auditOf, until, workspaceOf } from "../support/claims-world.ts";
import { TestDaemon } from "../support/daemon.ts";
import { askHttp } from "../support/raw-http.ts";

const LINK = /http:\/\/127\.0\.0\.1:\d+\/#login=[\w-]+/;
const Sessions = z.object({ sessions: z.array(z.object({ session: z.string() })) });

let browser: Browser;
let daemon: TestDaemon;
let context: BrowserContext;
let page: Page;
let driver: PageDriver;
let seen: Watch;

beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(async () => {
  await browser.close();
});
beforeEach(async () => {
  daemon = await TestDaemon.start();
  context = await browser.newContext();
  context.setDefaultTimeout(20_000);
  seen = watch(context);
  page = await context.newPage();
  driver = new PageDriver(page);
});
afterEach(async () => {
  const origin = new URL(printed()).origin;
  await context.close();
  await daemon[Symbol.asyncDispose]();
  const faults = [
    ...outside(seen, origin),
    ...seen.complaints.filter((text) => /Content Security Policy|Trusted|TypeError/.test(text)),
  ];
  if (faults.length > 0) throw new Error(faults.join("\n"));
});

/** The link that `start` printed. */
function printed(): string {
  return z.string().parse(LINK.exec(daemon.stdout)?.[0]);
}

/** A fresh one, as `wirken web` prints it. */
async function link(): Promise<string> {
  return (await daemon.wirken(["web"])).stdout.trim();
}

async function sessions(): Promise<string[]> {
  return Sessions.parse(await daemon.json("web", "sessions")).sessions.map(({ session }) => session);
}

function kinds(): string[] {
  return rowsOf(auditOf(daemon)).map((row) => row.$kind);
}

test("the link that start prints logs one browser in, once", async () => {
  await driver.logIn(printed());
  expect(page.url()).toBe(`${new URL(printed()).origin}/`);
  expect(await sessions()).toHaveLength(1);

  const stranger = await browser.newContext();
  const other = await stranger.newPage();
  await other.goto(printed());
  await other.getByText("a link works once, for two minutes").waitFor();
  expect(await sessions()).toHaveLength(1);
  await stranger.close();

  // The link of the command is as good, and so is a reload.
  const third = await browser.newContext();
  await new PageDriver(await third.newPage()).logIn(await link());
  expect(await sessions()).toHaveLength(2);
  await third.close();
  await page.reload();
  await page.getByRole("log").locator("> *").first().waitFor();
});

test("with the keyboard alone: a question, its answer, a card, its approval, and what was approved is done", async () => {
  await page.goto(printed());
  await page.getByRole("log").locator("> *").first().waitFor();
  await focus(page.getByLabel("Message", { exact: true }));
  await page.keyboard.type("list my files");
  await page.keyboard.press("Enter");
  expect(await driver.reply("I asked for list_files")).toContain("shared/");

  await page.keyboard.type("write notes.txt: seven words that are nowhere else here");
  await page.keyboard.press("Enter");
  const card = await driver.card();
  expect(card).toContain("notes.txt");
  expect(card).toContain("seven words that are nowhere else here");
  const file = join(workspaceOf(daemon), "notes.txt");
  expect(existsSync(file)).toBe(false);
  // A press in the moment in which it came was meant for something else.
  const approve = page.getByRole("button", { name: "Approve once" });
  await approve.and(page.locator(":enabled")).waitFor();
  await focus(approve);
  await page.keyboard.press("Enter");
  await driver.reply("I asked for write_file");
  expect(readFileSync(file, "utf8")).toBe("seven words that are nowhere else here\n");
  // What ran is in the conversation, also when it is read again.
  await page.reload();
  await page.getByRole("log").getByText(`write_file {"path":"notes.txt"`).waitFor();

  // The very words are not in any row's body, and the row of what ran rests on the page's answer.
  const rows = rowsOf(auditOf(daemon));
  const decided = rows.find((row) => row.$kind === "approval.decided");
  expect(decided).toMatchObject({ via: "web" });
  expect(rows.some((row) => row.$kind === "tool.called" && row["tool"] === "write_file")).toBe(true);

  await focus(page.getByRole("tab", { name: "Chat" }));
  await page.keyboard.press("ArrowRight");
  await page.getByText("approval.decided").first().waitFor();
  await page.keyboard.press("ArrowRight");
  await page.locator("#panel-usage").waitFor();
  await page.keyboard.press("ArrowRight");
  await page.locator("#panel-status").getByText("offline/offline").waitFor();
});

test("what is denied on the page is not done, and the reason reaches the agent", async () => {
  await driver.logIn(printed());
  await driver.say("write notes.txt: something");
  await driver.card();
  await page.getByRole("button", { name: "Deny" }).and(page.locator(":enabled")).waitFor();
  await driver.deny("not in this folder");
  await driver.reply("not in this folder");
  expect(existsSync(join(workspaceOf(daemon), "notes.txt"))).toBe(false);
  expect(kinds()).toContain("tool.refused");
});

test("a reply is seen while it is still being written", async () => {
  const words = "This reply has words enough to be sent in many pieces, each a moment after the one before it.";
  await using model = await slowModel(words);
  await daemon[Symbol.asyncDispose]();
  daemon = await TestDaemon.start({
    config: { agents: { default: { model: "slow/test" } }, providers: { slow: { baseUrl: `${model.url}/v1` } } },
  });
  await driver.logIn(printed());
  await page.evaluate(`
    globalThis.lengths = new Set();
    new MutationObserver(() => globalThis.lengths.add(document.getElementById("log").textContent.length))
      .observe(document.getElementById("log"), { childList: true, subtree: true, characterData: true });
  `);
  await driver.say("say something");
  await driver.reply(words);
  expect(await page.evaluate("globalThis.lengths.size")).toBeGreaterThan(5);
});

test("what was said and asked on the page is what the terminal shows, and the audit tab has the verdict", async () => {
  await driver.logIn(printed());
  await driver.say("write notes.txt: from the page");
  const card = await driver.card();
  const listed = await daemon.wirken(["approvals", "list"]);
  expect(listed.stdout).toContain("file.write:workspace");
  const [, id = ""] = /^(\S+)/m.exec(listed.stdout.split("\n")[1] ?? "") ?? [];
  const shown = await daemon.wirken(["approvals", "show", id]);
  expect(shown.stdout).toContain(card.trim().split("\n").at(-1)?.trim());
  await daemon.wirken(["approvals", "deny", id]);
  await page.getByText("Waiting for you", { exact: true }).waitFor({ state: "hidden" });

  expect(await driver.verdict()).not.toBe("");
  const rows = page.locator("#rows");
  await rows.getByText("tool.refused").first().waitFor();
  await driver.tab("Status");
  const status = page.locator("#panel-status");
  await status.getByText("offline/offline").waitFor();
  await status.getByText("provisional").first().waitFor();
  const said = (await daemon.wirken(["status"])).stdout;
  expect(said).toContain("offline/offline");
});

test("a session that the terminal ends is over on the page at once", async () => {
  await driver.logIn(printed());
  const [session = ""] = await sessions();
  const listed = await daemon.wirken(["web", "sessions"]);
  expect(listed.stdout).toContain(session);
  expect(await daemon.wirken(["web", "sessions", "--end", session])).toMatchObject({ status: 0 });
  await page.getByText("This session has ended.").waitFor();
  await page.reload();
  await page.getByText("type this in a terminal").waitFor();
  expect(await sessions()).toEqual([]);
  expect(kinds()).toContain("web.session.ended");
});

test("a request that was sent to another name, or by another page, is refused; five bad tokens close the login", async () => {
  const { origin } = new URL(printed());
  const token = new URL(printed()).hash.slice("#login=".length);
  const login = (headers: Record<string, string>, body: string) =>
    askHttp(origin, "/api/login", {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify({ token: body }),
    });
  expect((await askHttp(origin, "/", { headers: { host: "wirken.example" } })).status).toBe(421);
  expect((await login({ origin: "http://wirken.example" }, token)).status).toBe(403);
  expect((await login({}, token)).status).toBe(403);
  expect((await login({ origin, host: "wirken.example" }, token)).status).toBe(421);

  for (let times = 0; times < 5; times++)
    expect((await login({ origin }, `${token.slice(1)}${times}`)).status).toBe(401);
  // Even the right one: none of the refused requests has used it up, and now nobody logs in.
  const locked = await login({ origin }, token);
  expect(locked.status).toBe(429);
  expect(locked.headers["set-cookie"]).toBeUndefined();
  await page.goto(await link());
  await page.getByText("Logging in is closed").waitFor();
  await until(() => kinds().includes("web.login.refused"), "on the log");
});

/** A model server that says this in pieces of a few characters, one after the other. */
async function slowModel(content: string): Promise<{ url: string } & AsyncDisposable> {
  const server = new LLMock({ port: 0 });
  server.on({ predicate: () => true }, { content }, { chunkSize: 8, latency: 60 });
  await server.start();
  return { url: server.url, [Symbol.asyncDispose]: async () => await server.stop() };
}

/** Presses Tab until the focus is there. */
async function focus(target: ReturnType<Page["locator"]>): Promise<void> {
  for (let presses = 0; presses < 60; presses++) {
    if ((await target.and(page.locator(":focus")).count()) > 0) return;
    await page.keyboard.press("Tab");
  }
  throw new Error("the keyboard does not reach it");
}
