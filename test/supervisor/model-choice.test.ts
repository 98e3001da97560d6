import { expect, test } from "vitest";
import { Config } from "../../src/config/schema.ts";
import {
  chooseModel,
  isLocalProvider,
  OFFLINE,
  pickModel,
  providerSettings,
  unknownProvider,
  writtenModel,
} from "../../src/supervisor/model-choice.ts";

const offered = (id: string, modified: string | null = null, tools: boolean | null = null) => ({ id, modified, tools });

test("what the configuration names goes before everything else", () => {
  const config = Config.parse({ agents: { default: { model: "openrouter/some/model" }, coder: {} } });
  const written = writtenModel(config, "default");
  expect(chooseModel(written, ["anthropic"], "llama")).toMatchObject({ provider: "openrouter", model: "some/model" });
});

test("an agent of which nothing is said talks to what the default one was given", () => {
  const own = Config.parse({ agents: { default: { model: "a/x" }, coder: {}, scout: { model: "b/y" } } });
  expect(["default", "coder", "scout"].map((agent) => writtenModel(own, agent))).toEqual(["a/x", "a/x", "b/y"]);
  expect(writtenModel(Config.parse({ agents: { coder: {} } }), "coder")).toBeUndefined();
});

test("an enrolled provider goes before Ollama, and Ollama before the built-in model", () => {
  expect(chooseModel(undefined, ["openai"], "llama")).toMatchObject({ provider: "openai" });
  expect(chooseModel(undefined, [], "llama")).toMatchObject({ provider: "ollama", model: "llama" });
  expect(chooseModel(undefined, [], null)).toEqual(OFFLINE);
});

test("of Ollama's models the most recently used one that can call tools is taken", () => {
  const models = [
    offered("old", "2026-01-01T00:00:00Z", true),
    offered("new", "2026-05-01T00:00:00Z", true),
    offered("newest", "2026-06-01T00:00:00Z", false),
  ];
  expect(pickModel("ollama", models)).toBe("new");
  expect(pickModel("ollama", [offered("chat-only", null, false)])).toBeNull();
});

test("an Ollama that does not say what its models can gets the most recently used one that is not for embeddings", () => {
  const models = [
    offered("llama3", "2026-05-01T00:00:00Z"),
    offered("nomic-embed-text", "2026-06-01T00:00:00Z"),
    offered("chat-only", "2026-07-01T00:00:00Z", false),
  ];
  expect(pickModel("ollama", models)).toBe("llama3");
  expect(pickModel("ollama", [...models, offered("sure", "2026-01-01T00:00:00Z", true)])).toBe("sure");
});

test("of a provider's models a general one that calls tools is taken, the newest of its family", () => {
  expect(
    pickModel("anthropic", [offered("claude-haiku-4-5"), offered("claude-sonnet-4-5"), offered("claude-sonnet-4-0")]),
  ).toBe("claude-sonnet-4-5");
  expect(pickModel("openai", [offered("whisper-1"), offered("gpt-4o"), offered("gpt-5-mini")])).toBe("gpt-5-mini");
});

test("a provider of the configuration's own is spoken to where it says, and is local on this machine only", () => {
  const config = Config.parse({
    providers: { here: { baseUrl: "http://127.0.0.1:8080/v1" }, there: { baseUrl: "https://models.example/v1" } },
  });
  expect(providerSettings(config, "here")).toMatchObject({
    api: "openai-compatible",
    baseUrl: "http://127.0.0.1:8080/v1",
  });
  expect(isLocalProvider(config, "here")).toBe(true);
  expect(isLocalProvider(config, "there")).toBe(false);
  expect(isLocalProvider(config, "anthropic")).toBe(false);
  expect(providerSettings(config, "nobody")).toBeNull();
});

test("of a provider whose address only its owner knows it is said where to write that down", () => {
  expect(providerSettings(Config.parse({}), "azure")).toBeNull();
  expect(unknownProvider("azure").hint).toContain("providers.azure.baseUrl");
  expect(unknownProvider("nothing")).toMatchObject({ code: "not-found", hint: expect.stringContaining("anthropic") });
  const own = Config.parse({ providers: { azure: { baseUrl: "https://mine.openai.azure.com/openai/v1" } } });
  expect(providerSettings(own, "azure")).toMatchObject({ api: "azure", needsKey: true });
});
