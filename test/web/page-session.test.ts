import { expect, test } from "vitest";
import { shown, usePage } from "../support/page-world.ts";
import { WebSupervisor } from "../support/web-supervisor.ts";

const world = usePage();

test("without a session the page says how to get a link", async () => {
  await world.page.goto(`${world.supervisor.origin}/`);
  await world.page.getByText("type this in a terminal").waitFor();
  expect(await world.page.locator("main:visible code").textContent()).toBe("wirken web");
  expect(world.supervisor.calls).toEqual([]);
});

test("a link logs in once; its token does not stay in the address; a reload stays logged in", async () => {
  const link = world.supervisor.link();
  await world.driver.logIn(link);
  expect(world.page.url()).toBe(`${world.supervisor.origin}/`);
  expect(await world.page.evaluate("document.cookie")).toBe("");
  await world.page.reload();
  await world.page.getByRole("log").locator("> *").first().waitFor();

  const stranger = await world.browser.newContext();
  const other = await stranger.newPage();
  await other.goto(link);
  await other.getByText("a link works once, for two minutes").waitFor();
  expect(other.url()).toBe(`${world.supervisor.origin}/`);
  await stranger.close();
});

test("a login that is locked says so and for how long", async () => {
  world.supervisor.locked = 600;
  await world.page.goto(world.supervisor.link());
  await world.page.getByText("Logging in is closed for 10 minutes").waitFor();
  expect(await world.page.evaluate("localStorage.length")).toBe(0);
});

test("a link opened in a tab that has the page already logs it in again", async () => {
  await world.page.goto(`${world.supervisor.origin}/`);
  await world.page.getByText("type this in a terminal").waitFor();
  await world.page.evaluate(`location.href = ${JSON.stringify(world.supervisor.link())}`);
  await world.page.getByRole("log").locator("> *").first().waitFor();
  expect(world.page.url()).toBe(`${world.supervisor.origin}/`);
});

test("two tabs share one stream; when the first goes, the other goes on", async () => {
  await world.driver.logIn(world.supervisor.link());
  const second = await world.context.newPage();
  await second.goto(`${world.supervisor.origin}/`);
  await second.getByRole("log").locator("> *").first().waitFor();
  await expect.poll(() => world.supervisor.watching).toBe(1);
  world.supervisor.emit({ event: "notice", about: "info" }, "heard by both");
  await shown(world.page, "heard by both").waitFor();
  await shown(second, "heard by both").waitFor();
  await world.page.close();
  await expect.poll(() => world.supervisor.calls.filter(({ call }) => call.call === "watch").length).toBe(2);
  world.supervisor.emit({ event: "notice", about: "info" }, "heard by the other");
  await shown(second, "heard by the other").waitFor();
});

test("when Wirken goes away the page says so, comes back by itself, and shows what was said meanwhile", async () => {
  await world.driver.logIn(world.supervisor.link());
  const port = Number(new URL(world.supervisor.origin).port);
  await world.supervisor[Symbol.asyncDispose]();
  await world.page.getByText("Wirken does not answer.").waitFor();
  await world.page.getByText("wirken start").waitFor();
  world.script.entries = [{ who: "agent", at: new Date().toISOString(), text: "said meanwhile" }];
  world.supervisor = await WebSupervisor.start(world.script.answer, { port, after: world.supervisor });
  await world.page.getByText("said meanwhile").waitFor();
  expect(await world.page.locator("#offline").isHidden()).toBe(true);
});

test("a page of another version loads itself anew", async () => {
  await world.driver.logIn(world.supervisor.link());
  const port = Number(new URL(world.supervisor.origin).port);
  await world.page.evaluate("globalThis.before = true");
  await world.supervisor[Symbol.asyncDispose]();
  world.supervisor = await WebSupervisor.start(world.script.answer, {
    port,
    after: world.supervisor,
    version: "1.2.4",
  });
  await expect
    .poll(() => world.page.evaluate("globalThis.before === true").catch(() => true), { timeout: 15_000 })
    .toBe(false);
  await world.page.getByText("1.2.3").waitFor(); // what the script's status says
});

test("a session that is ended elsewhere leads to the login, and nothing stays on the page", async () => {
  world.script.entries = [{ who: "person", at: new Date().toISOString(), text: "something private" }];
  await world.driver.logIn(world.supervisor.link());
  await world.page.getByText("something private").waitFor();
  world.supervisor.endSessions();
  await world.page.getByText("This session has ended.").waitFor();
  expect(await world.page.content()).not.toContain("something private");
});

test("logging out ends the session for every tab", async () => {
  await world.driver.logIn(world.supervisor.link());
  const second = await world.context.newPage();
  await second.goto(`${world.supervisor.origin}/`);
  await second.getByRole("log").locator("> *").first().waitFor();
  await world.page.getByRole("button", { name: "Log out" }).click();
  await world.page.getByText("You have logged out.").waitFor();
  await second.getByText("You have logged out.").waitFor();
  expect(await world.context.cookies()).toEqual([]);
});
