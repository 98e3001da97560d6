import { expect, test } from "vitest";
import { openProvider } from "../../src/model/open.ts";
import { offline } from "../../src/model/offline.ts";
import { failureOf } from "./opened.ts";

test("the built-in model needs no address", async () => {
  expect(await openProvider("offline", "offline", null, null)).toBe(offline);
});

test("a provider known by name needs no address either", async () => {
  expect(await openProvider("anthropic", "anthropic", null, null)).toHaveProperty("complete");
  expect(await openProvider("openrouter", "openai-compatible", null, null)).toHaveProperty("complete");
});

test.for([null, "ftp://example.org/v1", "localhost:8080/v1", ""])("my-server at %s is not opened", async (url) => {
  const failure = await failureOf(openProvider("my-server", "openai-compatible", url, null));
  expect(failure.message).toBe("my-server has no base URL that begins with http:// or https://: configure one");
});

test("an address with a password in it is not opened, and not quoted", async () => {
  const failure = await failureOf(
    openProvider("my-server", "openai-compatible", "https://me:hunter2@example.org/v1", null),
  );
  expect(failure.message).toContain("holds a password");
  expect(failure.message).not.toContain("hunter2");
});
