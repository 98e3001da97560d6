import { expect, test } from "vitest";
import { Config } from "../../src/config/schema.ts";
import { priceOf, priceView } from "../../src/supervisor/price-view.ts";

const LOCAL = { providers: { mine: { baseUrl: "http://127.0.0.1:9999/v1" } } };

test("what the operator gives goes before what we ship, and says when and where from", () => {
  const prices = { "openai/gpt-5": { input: 1, output: 2, asOf: "2026-11-29", source: "our contract" } };
  expect(priceView(Config.parse({ prices }), "openai/gpt-5")).toEqual({
    model: "openai/gpt-5",
    input: 1,
    output: 2,
    from: "config",
    asOf: "2026-11-29",
    source: "our contract",
    shipped: { input: 1.25, output: 10, asOf: "2026-03-21" },
  });
  expect(priceOf(Config.parse({ prices }), "openai", "gpt-5")).toMatchObject({ input: 1, output: 2 });
});

test("what we ship says where it was said, and as of which day", () => {
  expect(priceView(Config.parse({}), "openai/gpt-5")).toMatchObject({
    input: 1.25,
    from: "shipped",
    asOf: "2026-03-21",
    source: expect.stringContaining("https://"),
  });
});

test("what is on this machine costs nothing, unless its owner says so", () => {
  expect(priceView(Config.parse(LOCAL), "mine/m")).toMatchObject({ input: 0, output: 0, from: "local" });
  const prices = { "mine/m": { input: 3, output: 4 } };
  expect(priceView(Config.parse({ ...LOCAL, prices }), "mine/m")).toMatchObject({ input: 3, from: "config" });
});

test("Privatemode's proxy is on this machine, and what answers is not", () => {
  expect(priceView(Config.parse({}), "privatemode/gpt-oss-120b")).toMatchObject({ from: "nobody", input: null });
});
