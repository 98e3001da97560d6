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

test.for(["http://models.example/v1", "http://192.168.1.5:11434/v1"])(
  "%s is spoken to by nobody: it has no TLS",
  async (url) => {
    const failure = await failureOf(openProvider("my-server", "openai-compatible", url, null));
    expect(failure.message).toContain("without TLS");
  },
);

test.for(["http://127.0.0.1:11434/v1", "http://localhost:8080/v1", "http://[::1]:8080/v1"])(
  "%s is on this machine, and needs none",
  async (url) => {
    expect(await openProvider("my-server", "openai-compatible", url, null)).toHaveProperty("complete");
  },
);
