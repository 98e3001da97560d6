import { expect, test } from "vitest";
import { approvalOf, CARD } from "../support/page-script.ts";
import { shown, usePage } from "../support/page-world.ts";

const world = usePage();

test("a card shows the whole action, and what is approved is what stands on the page", async () => {
  const view = approvalOf(CARD);
  world.script.approvals = [view];
  await world.driver.logIn(world.supervisor.link());
  expect(await world.driver.card()).toBe(CARD);
  expect(await world.page.title()).toBe("(1) Wirken");
  const group = world.page.getByRole("group", { name: "decide" });
  expect(await group.textContent()).toContain("commands that write in the workspace, until this conversation ends");
  await world.driver.approve("Approve for this session");
  await expect
    .poll(() => world.script.decided)
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
  await world.page.getByText("Waiting for you", { exact: true }).waitFor({ state: "hidden" });
  expect(await world.page.title()).toBe("Wirken");
});

test("a card that was changed on the page is not the one that is approved", async () => {
  world.script.approvals = [approvalOf(CARD)];
  await world.driver.logIn(world.supervisor.link());
  await world.driver.card();
  await world.page.evaluate("document.querySelector('.card .line').textContent = 'list files'");
  await world.driver.approve();
  await world.page.getByText("another card was shown").waitFor();
  expect(world.script.approvals).toHaveLength(1);
});

test("a card comes while the page is open, cannot be pressed in the moment it comes, and is denied with a reason", async () => {
  await world.driver.logIn(world.supervisor.link());
  const view = approvalOf("read a file\n  path: notes/plan.txt", {
    scopes: [{ scope: "once", means: "this file, now" }],
  });
  world.script.approvals = [view];
  world.supervisor.emit({ event: "approval", approval: view });
  await world.driver.card();
  expect(await world.page.getByRole("button", { name: "Deny" }).isDisabled()).toBe(true);
  expect(await world.page.getByRole("button", { name: /^Approve/ }).count()).toBe(1);
  await world.driver.deny("not that one");
  await expect
    .poll(() => world.script.decided.at(-1))
    .toMatchObject({ decision: "deny", scope: "once", reason: "not that one", card: view.digest });
});

test("a card taller than the window is shown from its beginning", async () => {
  await world.page.setViewportSize({ width: 900, height: 500 });
  world.script.entries = [{ who: "agent", at: new Date().toISOString(), text: "a line\n\n".repeat(80) }];
  world.script.approvals = [approvalOf(`write a file\n${"  one more line\n".repeat(60)}`)];
  await world.driver.logIn(world.supervisor.link());
  await world.driver.card();
  const top = async () =>
    Number(await world.page.evaluate("document.querySelector('.approval h3').getBoundingClientRect().top"));
  await expect.poll(top).toBeLessThan(250);
  expect(await top()).toBeGreaterThan(0);
  // And the page's head stays where it is.
  expect(await world.page.evaluate("document.querySelector('header').getBoundingClientRect().top")).toBe(0);
});

test("a card that is decided elsewhere goes away, and says how it ended", async () => {
  const view = approvalOf(CARD);
  world.script.approvals = [view];
  await world.driver.logIn(world.supervisor.link());
  await world.driver.card();
  world.supervisor.emit({
    event: "approval.closed",
    approval: view.approval,
    state: "denied",
    sentence: "denied on the terminal by the owner",
  });
  await shown(world.page, "denied on the terminal by the owner").waitFor();
  expect(await world.page.locator(".approval").count()).toBe(0);
});

test("a card that nobody answered says so, and can be asked again", async () => {
  const view = approvalOf(CARD);
  world.script.approvals = [view];
  await world.driver.logIn(world.supervisor.link());
  await world.driver.card();
  world.supervisor.emit({
    event: "approval.closed",
    approval: view.approval,
    state: "expired",
    sentence: "expired: nobody answered within 5 minutes, so it is denied and nothing ran",
    again: true,
  });
  await world.page.getByText("Nobody answered in time").waitFor();
  expect(await world.page.getByRole("button", { name: /^Approve/ }).count()).toBe(0);
  await world.page.getByRole("button", { name: "Ask again" }).click();
  await expect.poll(() => world.script.again).toEqual([view.approval]);
  await world.page.getByText("Nobody answered in time").waitFor({ state: "hidden" });
});

test("a card that the page may not decide says where, with the command", async () => {
  world.script.approvals = [
    approvalOf(CARD, {
      tier: 3,
      scopes: [],
      decidable: false,
      elsewhere: "What the page asked is decided on the terminal.",
    }),
  ];
  await world.driver.logIn(world.supervisor.link());
  expect(await world.driver.card()).toBe(CARD);
  await world.page.getByText("What the page asked is decided on the terminal.").waitFor();
  await world.page.getByText("wirken approvals approve 7Q4M2KXA").waitFor();
  expect(await world.page.getByRole("button", { name: /^(Approve|Deny)/ }).count()).toBe(0);
});
