import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";

/** The protocol's own suite for clients, with a real `mcp` process over a lane as the client. */

const SUITE = resolve(import.meta.dirname, "../../node_modules/@modelcontextprotocol/conformance/dist/index.js");
const CLIENT = resolve(import.meta.dirname, "../support/mcp-conformance-client.ts");
const LONG = process.env["WIRKEN_TEST_ROUNDS"] === "long";

/** The same walk with metadata elsewhere, or with another way to name a client: in the long run. */
const SCENARIOS: readonly (readonly [scenario: string, when: "always" | "long"])[] = [
  ["initialize", "long"],
  ["tools_call", "always"],
  ["elicitation-sep1034-client-defaults", "always"],
  ["sse-retry", "long"],
  ["auth/metadata-default", "long"],
  ["auth/metadata-var1", "long"],
  ["auth/metadata-var2", "long"],
  ["auth/metadata-var3", "long"],
  ["auth/scope-from-www-authenticate", "long"],
  ["auth/scope-from-scopes-supported", "long"],
  ["auth/scope-omitted-when-undefined", "long"],
  ["auth/scope-step-up", "always"],
  ["auth/scope-retry-limit", "long"],
  ["auth/token-endpoint-auth-basic", "long"],
  ["auth/token-endpoint-auth-post", "long"],
  ["auth/token-endpoint-auth-none", "long"],
  ["auth/2025-03-26-oauth-metadata-backcompat", "long"],
  ["auth/2025-03-26-oauth-endpoint-fallback", "long"],
  ["auth/resource-mismatch", "long"],
  ["auth/offline-access-scope", "long"],
  ["auth/offline-access-not-supported", "long"],
];

/** What is not done here, and why. */
const NOT_DONE: Readonly<Record<string, string>> = {
  "auth/basic-cimd": "a client's metadata at an address of its own: a daemon on a workstation has none",
  "auth/pre-registration": "a client that was registered by hand, with its secret: registration is dynamic",
  "auth/client-credentials-jwt": "an authorization without a person: it is its owner who authorizes",
  "auth/client-credentials-basic": "the same",
  "auth/cross-app-access-complete-flow": "an authorization by a company's identity provider: an extension",
};

async function run(scenario: string): Promise<{ readonly status: number | null; readonly said: string }> {
  const words = ["--command", `${process.execPath} ${CLIENT}`, "--scenario", scenario, "--timeout", "90000"];
  const child = spawn(process.execPath, [SUITE, "client", ...words], { stdio: ["ignore", "pipe", "pipe"] });
  const said = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  return { status: child.exitCode, said: said.slice(0, 2).join("\n") };
}

test("every scenario of the suite is tried, or named with a reason", async () => {
  const child = spawn(process.execPath, [SUITE, "list"], { stdio: ["ignore", "pipe", "ignore"] });
  const listed = (await text(child.stdout)).split("Client scenarios")[1] ?? "";
  const names = [...listed.matchAll(/^ {2}- (\S+)/gm)].map(([, name = ""]) => name);
  expect(names.toSorted()).toEqual([...SCENARIOS.map(([name]) => name), ...Object.keys(NOT_DONE)].toSorted());
}, 60_000);

test.for(SCENARIOS.filter(([, when]) => when === "always" || LONG))(
  "the scenario %s passes without a failure or a warning",
  { timeout: 120_000 },
  async ([scenario]) => {
    const { status, said } = await run(scenario);
    expect(said).toContain("OVERALL: PASSED");
    expect(status, said.slice(-2000)).toBe(0);
  },
);
