import { expect, test } from "vitest";
import { refuseSecretWords, serversIn } from "../../src/cli/mcp-order.ts";
import { isPlaceholder, looksSecret } from "../../src/cli/secret-looks.ts";

test.for([
  ["GITHUB_TOKEN", "abc"],
  ["OPENAI_API_KEY", "x"],
  ["DB_PASSWORD", "hunter"],
  ["SENTRY_DSN", "https://example.org"],
  ["Authorization", "whatever"],
  ["PLAIN", "ghp_0123456789abcdefghijABCDEFGHIJ012345"],
  ["PLAIN", "sk-ant-api03-x"],
  ["PLAIN", "postgres://user:word@db.example.org/x"],
  ["", "q8Zr2LkP0aVw7YtNs4Xe9UbC"],
] as const)("%s=%s is taken for a secret", ([name, value]) => {
  expect(looksSecret(name, value)).toBe(true);
});

test.for([
  ["LOG_LEVEL", "debug"],
  ["HOME_PAGE", "https://example.org/a/long/path/that/goes/on"],
  ["MEMORY_FILE_PATH", "/home/somebody/notes/memory.json"],
  ["NODE_ENV", "production"],
  ["TIMEZONE", "Europe/Berlin"],
  ["", "a-rather-long-name-of-a-package-with-words"],
  ["API_KEY", ""],
] as const)("%s=%s is none", ([name, value]) => {
  expect(looksSecret(name, value)).toBe(false);
});

test.for(["<YOUR_TOKEN>", "${GITHUB_TOKEN}", "your-api-key", "xxx", "CHANGEME"])(
  "%s stands for something else",
  (value) => {
    expect(isPlaceholder(value)).toBe(true);
  },
);

test("servers as other assistants write them are read, and what is secret in them is set apart", () => {
  const text = JSON.stringify({
    mcpServers: {
      "GitHub (work)": {
        command: "npx",
        args: ["-y", "@scope/server-github"],
        env: { GITHUB_TOKEN: "ghp_0123456789abcdefghijABCDEFGHIJ012345", LOG_LEVEL: "debug" },
      },
      linear: { type: "http", url: "https://mcp.example.org/mcp", headers: { Authorization: "Bearer abcdef" } },
    },
  });
  const [github, linear] = serversIn(text, null);
  expect(github).toMatchObject({
    name: "github-work",
    words: ["npx", "-y", "@scope/server-github"],
    env: { LOG_LEVEL: "debug" },
  });
  expect(github?.secrets).toEqual([
    {
      credential: "github-work-github-token",
      bytes: Buffer.from("ghp_0123456789abcdefghijABCDEFGHIJ012345"),
      given: { env: "GITHUB_TOKEN" },
      place: "env.GITHUB_TOKEN",
    },
  ]);
  expect(linear).toMatchObject({ name: "linear", url: "https://mcp.example.org/mcp", words: null });
  expect(linear?.secrets).toEqual([
    {
      credential: "linear-authorization",
      bytes: Buffer.from("abcdef"),
      given: { header: { header: "authorization", prefix: "Bearer " } },
      place: "headers.Authorization",
    },
  ]);
});

test("the editors' other forms are read as well", () => {
  const one = { command: "uvx", args: ["mcp-server-time"] };
  for (const file of [{ servers: { time: one } }, { mcp: { servers: { time: one } } }, { time: one }])
    expect(serversIn(JSON.stringify(file), null)).toMatchObject([{ name: "time", words: ["uvx", "mcp-server-time"] }]);
  expect(serversIn(JSON.stringify(one), "clock")).toMatchObject([{ name: "clock" }]);
  expect(serversIn(JSON.stringify({ mcpServers: { time: one } }), "clock")).toMatchObject([{ name: "clock" }]);
  expect(serversIn(JSON.stringify({ servers: { x: { command: "npx -y some-server" } } }), null)).toMatchObject([
    { words: ["npx", "-y", "some-server"] },
  ]);
});

test.for([
  ["{", "this is no JSON"],
  ["[]", "it is not as other assistants write it"],
  ["{}", "it names no server"],
  ['{"mcpServers": {"a": {"command": 7}}}', "it is not as other assistants write it"],
  ['{"mcpServers": {"a": {}}}', "neither a command nor a url"],
  ['{"mcpServers": {"a": {"command": "x", "url": "https://example.org"}}}', "both a command and a url"],
  ['{"command": "x"}', "a server by itself has no name"],
  [
    '{"mcpServers": {"a": {"command": "x", "env": {"API_KEY": "<your key>"}}}}',
    "env.API_KEY stands for a value that is not there",
  ],
  ['{"mcpServers": {"a": {"command": "x", "args": ["--api-key", "abc"]}}}', "behind --api-key looks like a secret"],
] as const)("%s is refused: %s", ([text, sentence]) => {
  expect(() => serversIn(text, null)).toThrow(sentence);
});

test("no word that a program is started with is a secret", () => {
  expect(() => refuseSecretWords(["x", "--header", "Authorization: Bearer abc"])).toThrow(
    "behind --header looks like a secret",
  );
  expect(() => refuseSecretWords(["x", "--token=abc"])).toThrow("behind --token looks like a secret");
  expect(() => refuseSecretWords(["x", "sk-proj-0123456789"])).toThrow("as word 2 looks like a secret");
  expect(() => refuseSecretWords(["npx", "-y", "@scope/server", "/data/tokens", "--log-level", "debug"])).not.toThrow();
});
