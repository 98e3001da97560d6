import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { inOwnNetwork } from "../support/own-network.ts";

const PUBLIC = "93.184.216.34";

let said: unknown;
beforeAll(async () => {
  said = await inOwnNetwork(join(import.meta.dirname, "rebinding-harness.ts"), PUBLIC);
}, 60_000);

test("an agent's request reaches the public address that a name leads to", () => {
  expect(said).toMatchObject({ first: { reached: [PUBLIC], result: expect.stringContaining(`this is ${PUBLIC}`) } });
});

test("and when the name leads to this machine the next time, nobody is reached there, and it is said and recorded why", () => {
  expect(said).toMatchObject({
    second: { reached: [PUBLIC], result: expect.stringMatching(/^failed: .*private/) },
    log: { kind: "egress.refused", fields: { role: "fetch", reason: "private", port: 443 } },
  });
});

test("which somebody does reach, where the operator wrote that name down", () => {
  expect(said).toMatchObject({
    allowed: { reached: [PUBLIC, "127.0.0.1"], result: expect.stringContaining("127.0.0.1") },
  });
});
