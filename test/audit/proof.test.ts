import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NoteError, signCheckpoint } from "../../audit/note.ts";
import { type LogProof, parseProof, writeProof } from "../../audit/proof.ts";
import { ed25519Signer, newOrigin } from "../support/audit-ports.ts";

const origin = newOrigin();
const checkpoint = signCheckpoint({ origin, size: 9, root: "ab".repeat(32) }, [ed25519Signer(origin)]);
const proof: LogProof = { index: 7, hashes: ["0f".repeat(32), "a5".repeat(32)], checkpoint };
const text = writeProof(proof);

test("a proof is written as C2SP has it, and reads back", () => {
  const [head, note] = [text.slice(0, text.indexOf("\n\n")), text.slice(text.indexOf("\n\n") + 2)];
  expect(head.split("\n").slice(0, 2)).toEqual(["c2sp.org/tlog-proof@v1", "index 7"]);
  expect(note).toBe(checkpoint);
  expect(parseProof(text)).toEqual(proof);
});

test("every proof reads back as what it was", () => {
  const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString("hex"));
  const any = fc.record({
    index: fc.maxSafeNat(),
    hashes: fc.array(hash, { maxLength: 53 }),
    checkpoint: fc.constant(checkpoint),
  });
  fc.assert(
    fc.property(any, (one) => {
      expect(parseProof(writeProof(one))).toEqual(one);
    }),
    { seed: 7, numRuns: 200 },
  );
});

describe("the parser is strict", () => {
  test.for<[string, (proof: string) => string]>([
    ["another first line", (one) => one.replace("@v1", "@v2")],
    ["CRLF", (one) => one.replaceAll("\n", "\r\n")],
    ["no index", (one) => one.replace("index 7\n", "")],
    ["an index with a zero before it", (one) => one.replace("index 7", "index 07")],
    ["a negative index", (one) => one.replace("index 7", "index -7")],
    ["an index that no double holds", (one) => one.replace("index 7", "index 9007199254740993")],
    ["a space behind its index", (one) => one.replace("index 7\n", "index 7 \n")],
    ["a hash without its padding", (one) => one.replace("=\n", "\n")],
    ["a hash with other spare bits", (one) => one.replace("8=\n", "9=\n")],
    ["half a hash", (one) => one.replace(/[A-Za-z0-9+/]{22}=\n/, "==\n")],
    ["no blank line", (one) => one.replaceAll("\n\n", "\n")],
    ["too many hashes", () => writeProof({ ...proof, hashes: Array.from({ length: 54 }, () => "0f".repeat(32)) })],
    ["too many characters", (one) => `${one}${" ".repeat(20_480)}`],
    ["nothing", () => ""],
  ])("a proof with %s is none", ([, change]) => {
    expect(change(text)).not.toBe(text);
    expect(() => parseProof(change(text))).toThrow(NoteError);
  });
});
