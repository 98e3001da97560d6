import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { inOwnNetwork } from "../support/own-network.ts";

const HARNESS = join(import.meta.dirname, "resolver-harness.ts");
const PUBLIC = "93.184.216.34";

let said: unknown;
beforeAll(async () => {
  said = await inOwnNetwork(HARNESS, PUBLIC);
});

test("a name is reached at the public address that a real resolver says", () => {
  expect(said).toMatchObject({ first: { reason: null, reached: { [PUBLIC]: 1, "127.0.0.1": 0 } } });
});

test("a resolver that then says loopback gains nothing, though somebody listens there", () => {
  expect(said).toMatchObject({
    second: { reason: "private", reached: { [PUBLIC]: 1, "127.0.0.1": 0 } },
    allowed: { reason: null, reached: { [PUBLIC]: 1, "127.0.0.1": 1 } },
  });
});

test("a name that does not exist is not found", () => {
  expect(said).toMatchObject({ nowhere: "unresolved" });
});

test("one lane's questions that nobody answers do not hold up another's", () => {
  expect(said).toMatchObject({ honest: null, slowReasons: Array.from({ length: 6 }, () => "unresolved") });
  expect(said).toHaveProperty("order", ["honest", ...Array.from({ length: 6 }, () => "slow")]);
});
