import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readProof } from "../../audit/anchor-proof.ts";
import { canonical, isCanonical } from "../../audit/canonical.ts";
import { cosign, findCosignature } from "../../audit/cosignature.ts";
import { readBody, readHead, writeBody } from "../../audit/entry.ts";
import { HeadReader } from "../../audit/head-reader.ts";
import { Frontier, leafHash } from "../../audit/merkle.ts";
import {
  checkpointText,
  NoteError,
  parseCheckpoint,
  parseVkey,
  signCheckpoint,
  type SignedCheckpoint,
  writeVkey,
} from "../../audit/note.ts";
import { parseProof, writeProof } from "../../audit/proof.ts";
import { hashesIn } from "../../audit/tiles.ts";
import { ed25519Signer } from "../support/audit-ports.ts";
import { rounds } from "../support/claims-random.ts";

/** Every parser of the audit room, fed with what is nearly right and with what is not: it answers with its own refusal or with a value that is written
 *  in exactly the bytes that were read. */

const RUNS = { seed: 20_261_123, numRuns: rounds(10_000, 300_000) };
const TIMEOUT = { timeout: rounds(60_000, 1_200_000) };

/** A text with pieces of it left out, doubled, exchanged or put in the place of others, by characters that parsers trip over. */
function nearly(...texts: readonly [string, ...string[]]): fc.Arbitrary<string> {
  const odd = fc.oneof(
    fc.constantFrom(
      ...'\n\r\0\t =+/-0129aAzZ"\\{}[]:,$#._\u2014\ufffd\u202e\u0130\ud800'.split(""),
      "\n\n",
      "\u2014 ",
      "00",
      "9007199254740993",
      "1e3",
      "null",
      String.raw`\u0041`,
      "\u{1f600}",
    ),
    fc.string({ unit: "binary", maxLength: 4 }),
  );
  const change = fc.record({ at: fc.nat(), length: fc.nat(6), from: fc.nat(), copied: fc.nat(40), put: odd });
  const changed = fc.tuple(fc.constantFrom(...texts), fc.array(change, { maxLength: 3 })).map(([text, changes]) => {
    let now = text;
    for (const { at, length, from, copied, put } of changes) {
      const place = at % (now.length + 1);
      const piece = copied > 20 ? now.slice(from % (now.length + 1)).slice(0, copied) : put;
      now = now.slice(0, place) + piece + now.slice(place + length);
    }
    return now;
  });
  return fc.oneof({ weight: 6, arbitrary: changed }, { weight: 1, arbitrary: fc.string({ unit: "binary" }) });
}

/** @returns null for what the parser refuses with its own error; any other error is one of the test's. */
function refusedOr<T>(parse: () => T): T | null {
  try {
    return parse();
  } catch (error) {
    if (error instanceof NoteError) return null;
    throw error;
  }
}

/** Runs a property, and sees that both answers came up: a parser that refuses everything would pass any. */
function feed<T>(texts: fc.Arbitrary<T>, takes: (text: T) => boolean): void {
  let [taken, refused] = [0, 0];
  fc.assert(
    fc.property(texts, (text) => {
      if (takes(text)) taken += 1;
      else refused += 1;
    }),
    RUNS,
  );
  expect(taken, "taken").toBeGreaterThan(RUNS.numRuns / 100);
  expect(refused, "refused").toBeGreaterThan(RUNS.numRuns / 100);
}

// The same keys each time, so that the same seed is the same run.
const origin = `wirken.local/audit/${"0f".repeat(16)}`;
const signer = ed25519Signer(origin, Buffer.alloc(32, 7));
const hashes = Array.from({ length: 12 }, (_, at) => leafHash(Buffer.from(`leaf ${at}`)));
const note = signCheckpoint({ origin, size: 123, root: "ab".repeat(32) }, [signer]);
const twoKeys = signCheckpoint({ origin, size: 0, root: "cd".repeat(32) }, [
  signer,
  ed25519Signer(origin, Buffer.alloc(32, 8)),
]);

function noteOf({ origin: name, size, root, signatures }: SignedCheckpoint): string {
  const lines = signatures.map(
    (one) => `\u2014 ${one.name} ${Buffer.concat([Buffer.from(one.id, "hex"), one.bytes]).toString("base64")}\n`,
  );
  return `${checkpointText({ origin: name, size, root })}\n${lines.join("")}`;
}

describe("notes and keys", () => {
  test("a checkpoint is refused, or is written as it was read", TIMEOUT, () => {
    feed(nearly(note, twoKeys), (text) => {
      const read = refusedOr(() => parseCheckpoint(text));
      if (read === null) return false;
      expect(noteOf(read)).toBe(text);
      return true;
    });
  });

  test("a key is refused, or is written as it was read", TIMEOUT, () => {
    const any = fc
      .tuple(fc.constantFrom("a", "example.com/log", origin), fc.uint8Array({ minLength: 32, maxLength: 32 }))
      .map(([name, key]) => writeVkey(name, key));
    const near = fc.oneof({ weight: 1, arbitrary: any }, { weight: 6, arbitrary: nearly(signer.vkey) });
    feed(near, (text) => {
      const read = refusedOr(() => parseVkey(text));
      if (read === null) return false;
      const key = read.key.export({ type: "spki", format: "der" }).subarray(-32);
      expect(writeVkey(read.name, key)).toBe(text);
      expect(text.startsWith(`${read.name}+${read.id}+`)).toBe(true);
      return true;
    });
  });

  test("a cosignature is refused, or is one line of the given", TIMEOUT, () => {
    const witness = parseVkey(ed25519Signer("witness.example", Buffer.alloc(32, 9)).vkey);
    const text = checkpointText({ origin, size: 123, root: "ab".repeat(32) });
    const stranger = note.slice(note.indexOf("\u2014"));
    const forged = cosign(text, { name: witness.name, id: witness.id, sign: () => Buffer.alloc(64, 1) }, 1_700_000_000);
    let ignored = 0;
    fc.assert(
      fc.property(nearly(`${stranger}${forged}`, stranger, forged), (lines) => {
        // Nobody has the witness's key here, so that no line of its own can be good.
        const found = refusedOr(() => findCosignature(lines, text, witness) ?? "ignored");
        expect(found === null || found === "ignored").toBe(true);
        if (found !== null) ignored += 1;
      }),
      RUNS,
    );
    expect(ignored).toBeGreaterThan(RUNS.numRuns / 100);
  });
});

describe("proofs and trees", () => {
  const proof = writeProof({ index: 7, hashes: hashes.slice(0, 4), checkpoint: note });

  test("a proof file is refused, or is written as it was read", TIMEOUT, () => {
    feed(nearly(proof, writeProof({ index: 0, hashes: [], checkpoint: note })), (text) => {
      const read = refusedOr(() => parseProof(text));
      if (read === null) return false;
      expect(writeProof(read)).toBe(text);
      return true;
    });
  });

  test("a stored tree is refused, or is written as it was read, and is of its size", TIMEOUT, () => {
    const trees = hashes.map((_, at) => {
      const tree = new Frontier();
      for (const hash of hashes.slice(0, at + 1)) tree.append(hash);
      return tree.toString();
    });
    const sizes = fc.oneof(fc.integer({ min: -1, max: 13 }), fc.double(), fc.maxSafeInteger());
    const near = fc.tuple(sizes, fc.oneof(fc.constantFrom(...trees), nearly(trees[6] ?? "", ...trees)));
    feed(near, ([size, text]) => {
      const tree = Frontier.parse(size, text);
      if (tree === null) return false;
      expect(tree.toString()).toBe(text);
      expect(tree.size).toBe(size);
      tree.append(hashes[0] ?? "");
      expect(tree.root()).toMatch(/^[0-9a-f]{64}$/);
      return true;
    });
  });

  test("a tile is refused, or its hashes are its bytes", TIMEOUT, () => {
    const near = fc.tuple(
      fc.nat(4),
      fc.integer({ min: 0, max: 4 }),
      fc.constantFrom(0, 0, 0, 1, -1),
      fc.infiniteStream(fc.nat(255)),
    );
    feed(near, ([width, stored, more, values]) => {
      const bytes = Uint8Array.from({ length: Math.max(0, stored * 32 + more) }, () => values.next().value);
      const read = hashesIn(bytes, width);
      if (read === null) return false;
      expect(Buffer.from(read.join(""), "hex")).toEqual(Buffer.from(bytes));
      expect(read.length).toBe(width);
      return true;
    });
  });

  test("a stored answer of an anchor is refused, or is of its kind", TIMEOUT, () => {
    const line = Buffer.from(note.slice(note.indexOf("\u2014")));
    const stamp = Buffer.from("wirken/timestamp/v1 20261123223100Z\n0\u0001");
    const certificate = "wirken/certificate/v1\n0\u0001";
    const texts = nearly(line.toString("latin1"), stamp.toString("latin1"), certificate);
    feed(texts, (text) => {
      const bytes = Buffer.from(text, "latin1");
      const read = readProof(bytes);
      if (read === null) return false;
      if (read.type === "witness") expect(Buffer.from(read.line)).toEqual(bytes);
      else {
        const kept = read.type === "timestamp" ? read.response : read.der;
        expect(bytes.subarray(bytes.length - kept.length)).toEqual(Buffer.from(kept));
      }
      return true;
    });
  });
});

describe("entries", () => {
  const fields = { session: "s_0123456789abcdefghjkmnpqrs", reason: "new", n: 0.5, list: [1, null, "\u20ac"] };
  const common = { at: "2026-11-23T22:31:00.000Z", kind: "session.closed", nonce: "0f".repeat(16), fields };
  const body = writeBody({ ...common, cause: null, seq: 0, content: null });
  const sealed = writeBody({ ...common, cause: 41, seq: 9_007_199_254_740_991, content: { text: "ab".repeat(32) } });

  test("the beginning of a body is refused, or is written as it was read", TIMEOUT, () => {
    const reader = new HeadReader();
    feed(nearly(body, sealed, body.slice(0, 90)), (text) => {
      const head = readHead(text);
      expect(reader.read(text)).toBe(head !== null);
      if (head === null) return false;
      const { at, cause, kind, seq } = head;
      const written = `{"$at":"${at}","$cause":${String(cause)},"$kind":"${kind}","$seq":${seq}`;
      expect(text.startsWith(`${written},`) || text.startsWith(`${written}}`)).toBe(true);
      expect([reader.at, reader.kind, reader.seq]).toEqual([at, kind, seq]);
      expect(JSON.stringify(kind)).toBe(`"${kind}"`);
      return true;
    });
  });

  test(
    "a body is refused, or says where it stands as its beginning does; in its one form it is written as it was read",
    TIMEOUT,
    () => {
      let canonicals = 0;
      feed(nearly(body, sealed), (text) => {
        const read = readBody(text);
        if (read === null) return false;
        expect(readHead(text)).toEqual({ at: read.at, cause: read.cause, kind: read.kind, seq: read.seq });
        if (isCanonical(text)) {
          canonicals += 1;
          expect(writeBody(read)).toBe(text);
        }
        return true;
      });
      expect(canonicals).toBeGreaterThan(RUNS.numRuns / 100);
    },
  );

  test("a line is in its one form or it is not, whatever it is", TIMEOUT, () => {
    feed(nearly(body, sealed, "[]", '{"a":{"b":[1.5,"\\u0000"]}}'), (text) => {
      if (!isCanonical(text)) return false;
      expect(canonical(JSON.parse(text))).toBe(text);
      return true;
    });
  });
});
