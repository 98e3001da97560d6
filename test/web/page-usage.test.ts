import { expect, test } from "vitest";
import { usePage } from "../support/page-world.ts";

const world = usePage();
const HOUR_MS = 3_600_000;

function spend(): void {
  const now = Date.now();
  const models = [
    ["anthropic", "claude-sonnet-4-5", 11],
    ["openai", "gpt-5-mini", 2],
    ["ollama", "llama3", 0],
  ] as const;
  for (let day = 0; day < 30; day += 2)
    for (const [index, [provider, model, price]] of models.entries()) {
      const inputTokens = 20_000 + ((day * 7919 + index * 104_729) % 90_000);
      world.script.spent.push({
        hour: new Date(now - day * 24 * HOUR_MS).toISOString().slice(0, 13),
        agent: index === 2 ? "helper" : "default",
        principal: day % 4 === 0 ? "p_ada" : "p_bea",
        provider,
        model,
        calls: 1 + (day % 5),
        inputTokens,
        outputTokens: 900,
        microDollars: inputTokens * price,
        unpriced: 0,
      });
    }
  world.script.budgets.push(
    {
      subject: "agent",
      id: "default",
      name: null,
      per: "day",
      unit: "usd",
      most: 5e6,
      used: 1.2e6,
      reserved: 40_000,
      from: "default",
    },
    {
      subject: "person",
      id: "p_ada",
      name: "Ada",
      per: "month",
      unit: "tokens",
      most: 2_000_000,
      used: 812_000,
      reserved: 0,
      from: "set",
    },
  );
}

test("what models used is a plot of thirty days that is told in words too, and tables by agent, person and model", async () => {
  spend();
  await world.driver.logIn(world.supervisor.link());
  await world.driver.tab("Usage");
  const plot = world.page.getByRole("img", { name: "US dollars a day" });
  await plot.waitFor();
  expect(await plot.locator("rect").count()).toBe(30);
  // Whoever does not see it hears what it shows.
  expect(await plot.locator("desc").textContent()).toMatch(
    /One bar for each of 30 days.*the most on \d{4}-\d\d-\d\d: \$\d+\.\d\d/,
  );
  const heights = await plot
    .locator("rect")
    .evaluateAll((bars) => bars.map((bar) => Number(bar.getAttribute("height"))));
  expect(Math.max(...heights)).toBe(200);
  expect(heights.filter((height) => height === 0)).toHaveLength(15);
  expect(await plot.locator("rect title").last().textContent()).toMatch(/^\d{4}-\d\d-\d\d: \$/);
  await world.page.getByRole("row", { name: /Ada month 2,000,000 tokens 812,000 tokens/ }).waitFor();
  await world.page.getByRole("row", { name: /agent default day \$5\.00 \$1\.20 \$0\.04/ }).waitFor();
  await world.page.getByRole("row", { name: /^anthropic\/claude-sonnet-4-5/ }).waitFor();
  await world.page.getByRole("row", { name: /^helper/ }).waitFor();
  // The numbers behind the bars can be read one by one.
  const numbers = world.page.getByText("The numbers", { exact: true });
  await numbers.click();
  expect(await world.page.locator("details table tbody tr").count()).toBe(15);
  const shot = process.env["WIRKEN_SCREENSHOT"];
  if (shot !== undefined) await world.page.screenshot({ path: shot, fullPage: true });
});

test("where nothing has a price the plot shows tokens, and where nothing was used it says so", async () => {
  await world.driver.logIn(world.supervisor.link());
  await world.driver.tab("Usage");
  await world.page.getByText("No model was called.").waitFor();
  spend();
  world.script.spent = world.script.spent.map((one) => ({ ...one, microDollars: 0, unpriced: one.inputTokens }));
  await world.driver.tab("Status");
  await world.driver.tab("Usage");
  await world.page.getByRole("img", { name: "Tokens a day" }).waitFor();
  expect(await world.page.getByText(/tokens without a price/).count()).toBeGreaterThan(0);
});

test("on a narrow screen nothing of it is cut off, and the page does not scroll sideways", async () => {
  spend();
  await world.page.setViewportSize({ width: 360, height: 700 });
  await world.driver.logIn(world.supervisor.link());
  await world.driver.tab("Usage");
  const plot = world.page.getByRole("img", { name: "US dollars a day" });
  await plot.waitFor();
  const box = await plot.boundingBox();
  expect(box?.width).toBeLessThanOrEqual(360);
  expect(box?.width).toBeGreaterThan(250);
  expect(
    await world.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"),
  ).toBe(true);
});
