import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { stamps } from "../../audit/anchor-proof.ts";
import { derInteger } from "../../audit/der.ts";
import { readResponse, stamp } from "../../src/anchor/timestamp.ts";
import { TimestampAuthority } from "../support/timestamp-authority.ts";

const NOTE = "wirken.local/audit/00\n7\nroot\n\n\u2014 signature\n";
let authority: TimestampAuthority;
beforeAll(async () => {
  authority = await TimestampAuthority.start();
});
afterAll(async () => await authority[Symbol.asyncDispose]());

test("what an authority answers is accepted by openssl, and its imprint and time are found in its bytes", async () => {
  const { response, time } = await stamp(authority.url, Buffer.from(NOTE));
  expect(await authority.verify(response, NOTE)).toContain("Verification: OK");
  expect(await authority.verify(response, `${NOTE} `)).not.toContain("Verification: OK");
  const digest = createHash("sha256").update(NOTE).digest("hex");
  expect(stamps(response, digest, time)).toBe(true);
  expect(stamps(response, digest, time.replace(/^2/, "3"))).toBe(false);
  expect(stamps(response, createHash("sha256").update("x").digest("hex"), time)).toBe(false);
});

test("an answer to another question is refused, and so is every cut one", async () => {
  const { response } = await stamp(authority.url, Buffer.from(NOTE));
  const digest = createHash("sha256").update(NOTE).digest();
  const nonce = derInteger(randomBytes(8));
  expect(() => readResponse(response, { digest, nonce })).toThrow("the nonce is another one");
  expect(() => readResponse(response, { digest: randomBytes(32), nonce })).toThrow("a timestamp of something else");
  const accepted: number[] = [];
  for (let length = 0; length < response.length; length++)
    try {
      readResponse(response.subarray(0, length), { digest, nonce });
      accepted.push(length);
    } catch (error) {
      expect(error).toMatchObject({ name: "AnchorError" });
    }
  expect(accepted).toEqual([]);
});

test.for([
  ["nothing", () => Buffer.alloc(0), "no timestamp"],
  ["a page", () => Buffer.from("<html>"), "no timestamp"],
  ["a refusal", () => Buffer.from("30073005020102", "hex").subarray(0, 7), "no timestamp"],
  ["a rejection", () => Buffer.from("30053003020102", "hex"), "it refused"],
  ["more than a timestamp", (answer: Buffer) => Buffer.concat([answer, Buffer.of(0)]), "more than there should be"],
  ["too much", () => Buffer.alloc(70_000), "more than 65536 bytes"],
] as const)("an authority that answers %s is told apart", async ([, instead, sentence]) => {
  authority.instead = instead;
  await expect(stamp(authority.url, Buffer.from(NOTE))).rejects.toThrow(sentence);
  authority.instead = null;
});

test("an address where nobody listens is unreachable", async () => {
  await expect(stamp("http://127.0.0.1:1/", Buffer.from(NOTE))).rejects.toMatchObject({ code: "unreachable" });
});
