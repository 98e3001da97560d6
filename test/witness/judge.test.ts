import { createHash } from "node:crypto";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { findCosignature, parseWitnessVkey } from "../../audit/cosignature.ts";
import { consistencyProof, leafHash, rootOf } from "../../audit/merkle.ts";
import { checkpointText, parseCheckpoint, signCheckpoint } from "../../audit/note.ts";
import { judge } from "../../src/witness/judge.ts";
import { openKey } from "../../src/witness/key.ts";
import { WitnessState } from "../../src/witness/state.ts";
import { ed25519Signer, newOrigin } from "../support/audit-ports.ts";
import { ownFolder } from "../support/folder.ts";

const NOW = 1_800_000_000;
const leaves = Array.from({ length: 40 }, (_, at) => leafHash(Buffer.from(`row ${at}`)));
const fork = leaves.map((leaf, at) => (at < 5 ? leaf : createHash("sha256").update(leaf).digest("hex")));

function proof(old: number, size: number, of: readonly string[] = leaves): string {
  return old === 0 || old >= size
    ? ""
    : linesOf(consistencyProof(of.slice(0, size), old).map((hash) => Buffer.from(hash, "hex").toString("base64")));
}

function linesOf(all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join("");
}

function aWitness(folder = join(ownFolder(), "witness")) {
  const key = openKey(folder, null);
  const state = WitnessState.open(folder);
  const origin = newOrigin();
  const signer = ed25519Signer(origin);
  state.addLog(signer.vkey);
  const note = (size: number, of: readonly string[] = leaves, by = signer): string =>
    signCheckpoint({ origin, size, root: rootOf(of.slice(0, size)) }, [by]);
  const ask = (body: string) => judge(Buffer.from(body), key, state, () => NOW);
  const add = (old: number, size: number, of?: readonly string[]) =>
    ask(`old ${old}\n${proof(old, size, of)}\n${note(size, of)}`);
  return { key, state, origin, signer, note, ask, add, folder };
}

test("a log that only grows is cosigned, and the cosignature is good", () => {
  const { key, add, note, state, origin } = aWitness();
  for (const [old, size] of [
    [0, 1],
    [1, 7],
    [7, 8],
    [8, 8],
    [8, 33],
  ] as const) {
    const { status, body } = add(old, size);
    expect([status, findCosignature(body, parseCheckpoint(note(size)).text, parseWitnessVkey(key.vkey))?.time]).toEqual(
      [200, NOW],
    );
  }
  const held = state.held(origin);
  expect(held.note).toContain(key.name);
  expect(parseCheckpoint(held.note ?? "").size).toBe(33);
});

test("a second history is never signed, whatever is said of it", () => {
  const { add, ask, note, state, origin } = aWitness();
  add(0, 20);
  expect(add(20, 20, fork)).toMatchObject({ status: 409, type: "text/x.tlog.size", body: "20\n" });
  expect(add(20, 30, fork).status).toBe(422);
  expect(add(5, 30, fork)).toMatchObject({ status: 409, body: "20\n" });
  expect(add(0, 30, fork)).toMatchObject({ status: 409, body: "20\n" });
  expect(ask(`old 20\n${proof(20, 30)}\n${note(30, fork)}`).status).toBe(422);
  expect(add(20, 10).status).toBe(400);
  expect(state.held(origin).size).toBe(20);
  expect(add(20, 30).status).toBe(200);
});

test("the answers to what it does not serve", () => {
  const { ask, note, origin, state } = aWitness();
  const stranger = ed25519Signer(newOrigin());
  const unknown = signCheckpoint({ origin: "elsewhere", size: 1, root: leaves[0] ?? "" }, [ed25519Signer("elsewhere")]);
  expect(ask(`old 0\n\n${unknown}`).status).toBe(404);
  expect(ask(`old 0\n\n${note(3, leaves, ed25519Signer(origin))}`).status).toBe(403);
  expect(ask(`old 0\n\n${note(3).replace(/\u2014.*/, `\u2014 ${stranger.vkey.split("+")[0]} AAAAAAAA`)}`).status).toBe(
    403,
  );
  expect(state.held(origin).note).toBeNull();
});

test("a proof with a hash changed, missing or added is no proof; one beside the first checkpoint neither", () => {
  const { add, ask, note } = aWitness();
  const hash = `${Buffer.alloc(32).toString("base64")}\n`;
  expect(ask(`old 0\n${hash}\n${note(7)}`).status).toBe(422);
  add(0, 7);
  const good = proof(7, 33).split("\n").filter(Boolean);
  for (let at = 0; at < good.length; at++) {
    expect(ask(`old 7\n${linesOf(good.toSpliced(at, 1))}\n${note(33)}`).status).toBe(422);
    expect(ask(`old 7\n${linesOf(good.with(at, hash.trim()))}\n${note(33)}`).status).toBe(422);
  }
  expect(ask(`old 7\n${proof(7, 33)}${hash}\n${note(33)}`).status).toBe(422);
  expect(ask(`old 7\n${proof(7, 33)}\n${note(33)}`).status).toBe(200);
});

test.for([
  ["nothing", () => ""],
  ["no old size", (note: string) => `\n${note}`],
  ["a leading zero", (note: string) => `old 00\n\n${note}`],
  ["a minus", (note: string) => `old -1\n\n${note}`],
  ["CR", (note: string) => `old 0\r\n\r\n${note}`],
  ["no blank line", (note: string) => `old 0\n${note}`],
  ["odd base64", (note: string) => `old 0\nAAA\n\n${note}`],
  ["a short hash", (note: string) => `old 0\nAAAA\n\n${note}`],
  ["64 hashes", (note: string) => `old 0\n${`${Buffer.alloc(32).toString("base64")}\n`.repeat(64)}\n${note}`],
  ["no last newline", (note: string) => `old 0\n\n${note.trimEnd()}`],
  ["a line besides the three", (note: string) => `old 0\n\n${note.replace("\n\n", "\nmore\n\n")}`],
  ["no signature", (_: string, text: string) => `old 0\n\n${text}\n`],
  ["bytes that are no UTF-8", (note: string) => `old 0\n\n${note}\ud800`],
] as const)("a request with %s is malformed", ([, body]) => {
  const { ask, note, origin } = aWitness();
  const text = checkpointText({ origin, size: 3, root: rootOf(leaves.slice(0, 3)) });
  expect(ask(body(note(3), text)).status).toBe(400);
});

test("a log goes on under its next key once that is added", () => {
  const { ask, add, note, origin, state } = aWitness();
  add(0, 7);
  const next = ed25519Signer(origin);
  const body = `old 7\n${proof(7, 9)}\n${note(9, leaves, next)}`;
  expect(ask(body).status).toBe(403);
  expect(state.addLog(next.vkey)).toBe(true);
  expect(state.addLog(next.vkey)).toBe(false);
  expect(ask(body).status).toBe(200);
});

test("what is kept and damaged is never signed on", () => {
  const { add, folder, key, origin, note } = aWitness();
  add(0, 7);
  const database = new Database(join(folder, "witness.db"));
  database.prepare("UPDATE newest SET size = 0").run();
  database.close();
  const again = WitnessState.open(folder);
  expect(() => judge(Buffer.from(`old 0\n\n${note(9)}`), key, again, () => NOW)).toThrow(origin);
});

test("the key stays the same, is its owner's alone, and a folder open to others is refused", () => {
  const folder = join(ownFolder(), "witness");
  const { vkey } = openKey(folder, "witness.example/w1");
  expect(openKey(folder, "another").vkey).toBe(vkey);
  expect(vkey).toMatch(/^witness\.example\/w1\+/);
  expect(() => openKey(ownFolder().replace(/[^/]+$/, ""), null)).toThrow("open to others");
  expect(() => openKey(join(ownFolder(), "w"), "a name with spaces")).toThrow("no spaces");
});
