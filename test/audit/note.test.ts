import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod/mini";
import { isSignedBy, NoteError, parseCheckpoint, parseVkey, signCheckpoint, writeVkey } from "../../audit/note.ts";
import { ed25519Signer, newOrigin } from "../support/audit-ports.ts";
import { MALFORMED_KEYS, MALFORMED_NOTES, ROOT, SIZE } from "./malformed-notes.ts";

const vectors = z
  .object({
    ed25519: z.array(z.object({ secret: z.string(), public: z.string(), message: z.string(), signature: z.string() })),
  })
  .parse(JSON.parse(readFileSync(new URL("../vectors/rfc8032.json", import.meta.url), "utf8")));
const hex = (text: string): Buffer => Buffer.from(text, "hex");

test.for(vectors.ed25519)(
  "the key and signature of RFC 8032 for the message '$message' are those of our signer",
  (vector) => {
    const signer = ed25519Signer("example", hex(vector.secret));
    expect(signer.vkey).toBe(writeVkey("example", hex(vector.public)));
    expect(Buffer.from(signer.sign(hex(vector.message))).toString("hex")).toBe(vector.signature);
  },
);

test("the key of the signed-note package's own example is read", () => {
  const key = parseVkey("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
  expect([key.name, key.id]).toEqual(["PeterNeumann", "c74f20a3"]);
});

test.for(MALFORMED_KEYS)("a key with %s is refused", ([, vkey]) => {
  expect(() => parseVkey(vkey)).toThrow(NoteError);
});

const origin = newOrigin();
const signer = ed25519Signer(origin);
const key = parseVkey(signer.vkey);
const checkpoint = { origin, size: SIZE, root: ROOT };
const note = signCheckpoint(checkpoint, [signer]);

test("a checkpoint that was signed reads back, and its signature is good", () => {
  const read = parseCheckpoint(note);
  expect(read).toMatchObject(checkpoint);
  expect(isSignedBy(read, key)).toBe(true);
  expect(note).toBe(
    `${origin}\n123\n${hex(checkpoint.root).toString("base64")}\n\n\u2014 ${origin} ${note.split(" ").at(-1)}`,
  );
});

test("a checkpoint signed by two keys is signed by each, and the order is kept", () => {
  const next = ed25519Signer(origin);
  const both = parseCheckpoint(signCheckpoint(checkpoint, [signer, next]));
  expect(both.signatures.map(({ id }) => id)).toEqual([key.id, parseVkey(next.vkey).id]);
  expect(isSignedBy(both, key) && isSignedBy(both, parseVkey(next.vkey))).toBe(true);
});

test("the line of an unknown key is ignored, and a bad line of a known key refuses the note", () => {
  const stranger = ed25519Signer(origin);
  expect(isSignedBy(parseCheckpoint(signCheckpoint(checkpoint, [stranger])), key)).toBe(false);
  const [text = "", line = ""] = note.split("\n\n");
  const forged = line.replace(/.{8}\n$/, (end) => `${end.startsWith("A") ? "B" : "A"}${end.slice(1)}`);
  expect(() => isSignedBy(parseCheckpoint(`${text}\n\n${forged}`), key)).toThrow("not good");
  expect(() => isSignedBy(parseCheckpoint(`${note}${line}`), key)).toThrow("two signatures");
  expect(() => isSignedBy(parseCheckpoint(note.replace("\n123\n", "\n124\n")), key)).toThrow("not good");
});

describe("the parser is strict", () => {
  test.for(MALFORMED_NOTES)("a note with %s is refused", ([, change]) => {
    const changed = change(note);
    expect(changed).not.toBe(note);
    expect(() => parseCheckpoint(changed)).toThrow(NoteError);
  });

  test("whatever is changed in a note, it is refused or no longer signed", () => {
    fc.assert(
      fc.property(fc.nat(note.length - 1), fc.string({ maxLength: 2, unit: "binary" }), (at, with_) => {
        const changed = note.slice(0, at) + with_ + note.slice(at + 1);
        if (changed === note) return;
        let good = false;
        try {
          good = isSignedBy(parseCheckpoint(changed), key);
        } catch (error) {
          expect(error).toBeInstanceOf(NoteError);
        }
        expect(good).toBe(false);
      }),
      { seed: 6, numRuns: 2_000 },
    );
  });

  test("nothing that is fed to it breaks it", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: "binary" }),
          fc.array(fc.constantFrom("\n", "\u2014 ", "a", "1", "AAAA", " ", "=")).map((p) => p.join("")),
        ),
        (text) => {
          expect(() => parseCheckpoint(text)).toThrow(NoteError);
        },
      ),
      { seed: 7, numRuns: 2_000 },
    );
  });

  test("a note of a megabyte is refused before it is looked at", () => {
    expect(() => parseCheckpoint(`${note}${note.split("\n\n")[1]?.repeat(10_000)}`)).toThrow("longer");
  });
});
