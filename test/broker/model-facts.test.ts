import { expect, test } from "vitest";
import { ModelFacts, type ModelAbilities } from "../../src/broker/model-facts.ts";
import { knownModel } from "../../src/broker/known-models.ts";

const facts = (written: Partial<ModelAbilities> | null, listed: ModelAbilities | null): ModelFacts =>
  new ModelFacts({ written: () => written, listed: () => listed });
const LISTED: ModelAbilities = { window: 50_000, images: false, pdfs: null };

test("what the operator wrote goes before what the provider says, and that before what we ship", () => {
  const ref = "anthropic/claude-sonnet-4-5";
  expect(facts({ window: 9_000 }, LISTED).windowOf(ref)).toBe(9_000);
  expect(facts(null, LISTED).windowOf(ref)).toBe(50_000);
  expect(facts(null, null).windowOf(ref)).toBe(200_000);
  expect(facts(null, null).windowOf("mine/nobody-knows")).toBeNull();
});

test("what is not said in one place is looked up in the next", () => {
  const known = facts(null, LISTED);
  expect(known.shows("anthropic/claude-sonnet-4-5", "image/png")).toBe(false);
  expect(known.shows("anthropic/claude-sonnet-4-5", "application/pdf")).toBe(true);
});

test("what a model refused is not shown again, unless the operator says that it takes it", () => {
  const png = { media: "image/png" } as const;
  const pdf = { media: "application/pdf" } as const;
  const known = facts(null, null);
  expect(known.showing("mine/m", [png, pdf])).toBe("all");
  expect(known.refused("mine/m", [png, pdf], "all")).toBe("images");
  expect(known.showing("mine/m", [png, pdf])).toBe("images");
  expect(known.refused("mine/m", [png, pdf], "images")).toBe("none");
  expect(known.showing("mine/m", [png])).toBe("none");
  const sure = facts({ images: true }, null);
  sure.refused("mine/m", [png], "all");
  expect(sure.showing("mine/m", [png])).toBe("all");
});

test("a trial says whether a model sees", () => {
  const known = facts(null, null);
  known.tried("mine/m", false);
  expect(known.shows("mine/m", "image/png")).toBe(false);
  known.tried("mine/m", true);
  expect(known.shows("mine/m", "image/png")).toBeNull();
});

test("Bedrock's names begin with a region and a maker", () => {
  expect(knownModel("bedrock/eu.anthropic.claude-sonnet-4-5-20250929-v1:0")?.window).toBe(200_000);
  expect(knownModel("bedrock/amazon.nova-micro-v1:0")?.images).toBe(false);
  expect(knownModel("constructor/x")).toBeNull();
});
