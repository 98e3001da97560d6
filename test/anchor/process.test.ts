import { afterAll, beforeAll, expect, test } from "vitest";
import { FromAnchor, ToAnchor } from "../../src/ipc/anchor-frames.ts";
import { post } from "../../src/anchor/post.ts";
import { submit } from "../../src/anchor/witness.ts";
import { consistencyProof, leafHash, rootOf } from "../../audit/merkle.ts";
import { signCheckpoint } from "../../audit/note.ts";
import { ed25519Signer, newOrigin } from "../support/audit-ports.ts";
import { StrictWitness } from "../support/strict-witness.ts";

const leaves = Array.from({ length: 30 }, (_, at) => leafHash(Buffer.from(`row ${at}`)));
const other = leaves.map((leaf) => leafHash(Buffer.from(leaf)));
const origin = newOrigin();
const signer = ed25519Signer(origin);
let witness: StrictWitness;

beforeAll(async () => {
  witness = await StrictWitness.start();
});
afterAll(async () => await witness[Symbol.asyncDispose]());

function note(size: number, of = leaves, by = signer): Uint8Array {
  return Buffer.from(signCheckpoint({ origin, size, root: rootOf(of.slice(0, size)) }, [by]));
}

function proof(old: number, size: number, of = leaves): string[] {
  return consistencyProof(of.slice(0, size), old);
}

async function code(asked: Promise<unknown>): Promise<unknown> {
  return await asked.then(
    (answer) => answer,
    (error: unknown) => (error instanceof Error && "code" in error ? error.code : error),
  );
}

test("every answer of a witness is told in the words of the record", async () => {
  expect(await code(submit(witness.url, 0, [], note(7)))).toBe("refused");
  witness.addLog(signer.vkey);
  expect(await code(submit(witness.url, 0, [], note(7, leaves, ed25519Signer(origin))))).toBe("unknown-key");
  expect(await code(submit(witness.url, 0, [], note(7)))).toMatchObject({ state: "cosigned" });
  expect(await code(submit(witness.url, 3, proof(3, 9), note(9)))).toEqual({ state: "holds", size: 7 });
  expect(await code(submit(witness.url, 7, proof(7, 20), note(20)))).toMatchObject({ state: "cosigned" });
  expect(await code(submit(witness.url, 20, proof(20, 30, other), note(30, other))), "another history").toBe(
    "conflict",
  );
  expect(await code(submit(witness.url, 20, [], note(20, other))), "another root of the same size").toBe("conflict");
  expect(await code(submit(witness.url, 30, [], note(20)))).toBe("bad-answer");
  expect(await code(submit(witness.url.replace("/w1", ""), 0, [], note(7)))).toBe("refused");
});

test.for([
  [500, "", "unreachable"],
  [429, "", "unreachable"],
  [302, "", "bad-answer"],
  [409, "20", "bad-answer"],
  [409, "-1\n", "bad-answer"],
  [409, "9007199254740993\n", "bad-answer"],
  [200, "x".repeat(9_000), "bad-answer"],
] as const)("the answer %i %s is %s", async ([status, body, expected]) => {
  witness.instead = () => [status, body];
  expect(await code(submit(witness.url, 20, [], note(20)))).toBe(expected);
  witness.instead = null;
});

test("an address where nobody listens is unreachable", async () => {
  expect(await code(post("http://127.0.0.1:1/", "text/plain", Buffer.from(""), 10))).toBe("unreachable");
});

test.for([
  ["another address than http", { type: "start", anchor: "witness", url: "file:///etc/passwd" }],
  ["64 hashes", { type: "submit", ref: 1, old: 0, proof: Array.from({ length: 64 }, () => "0".repeat(64)) }],
  ["a hash that is none", { type: "submit", ref: 1, old: 0, proof: ["xx"] }],
  ["more than its fields", { type: "stamp", ref: 1, url: "http://x" }],
] as const)("the process takes no frame with %s", ([, frame]) => {
  expect(ToAnchor.safeParse(frame).success).toBe(false);
});

test("the supervisor takes no size that is none, and no reason that it does not know", () => {
  expect(FromAnchor.safeParse({ type: "holds", ref: 1, size: -1 }).success).toBe(false);
  expect(FromAnchor.safeParse({ type: "failed", ref: 1, reason: "new-key" }).success).toBe(false);
});
