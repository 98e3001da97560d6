import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { canonical } from "../../audit/canonical.ts";
import {
  type Body,
  entryHash,
  entryHashOfBytes,
  entryLine,
  MAX_BODY_BYTES,
  NO_PREVIOUS,
  readBody,
  readHead,
  writeBody,
} from "../../audit/entry.ts";
import { HeadReader } from "../../audit/head-reader.ts";
import { leafHash } from "../../audit/merkle.ts";

const AT = "2026-11-23T22:31:00.000Z";
const PREVIOUS = "7c".repeat(32);
const NONCE = "0123456789abcdef".repeat(2);

function body(given: Partial<Body> = {}): Body {
  return {
    at: AT,
    cause: 6,
    kind: "tool.finished",
    seq: 7,
    fields: { status: 0 },
    content: null,
    nonce: NONCE,
    ...given,
  };
}

const LINE = writeBody(body());
/** Everything that is read without a JSON parser: up to the character after the row's number. */
const HEAD_END = LINE.indexOf('"$seq":7') + '"$seq":7,'.length;

test("a body is one line of canonical JSON that begins with when, why, what and where", () => {
  expect(LINE).toBe(`{"$at":"${AT}","$cause":6,"$kind":"tool.finished","$seq":7,"nonce":"${NONCE}","status":0}`);
  expect(writeBody(body({ fields: { Zone: 1, mark: 2, zone: "ü" }, content: { text: PREVIOUS } }))).toBe(
    canonical(JSON.parse(writeBody(body({ fields: { zone: "ü", mark: 2, Zone: 1 }, content: { text: PREVIOUS } })))),
  );
});

test("the hash of a row is that of its line with the row before in it, and is the leaf of the tree", () => {
  const line = entryLine(PREVIOUS, LINE);
  expect(line).toBe(`{"#prev":"${PREVIOUS}",${LINE.slice(1)}`);
  const sha256 = createHash("sha256").update("\0").update(line).digest("hex");
  expect(entryHash(PREVIOUS, LINE)).toBe(sha256);
  expect(leafHash(Buffer.from(line))).toBe(sha256);
  expect(entryHashOfBytes(PREVIOUS, Buffer.from(LINE))).toBe(sha256);
});

test("a row has another hash after another row, and with any byte of it changed", () => {
  const hashes = new Set([entryHash(PREVIOUS, LINE), entryHash(NO_PREVIOUS, LINE)]);
  for (let at = 0; at < LINE.length; at++)
    hashes.add(entryHash(PREVIOUS, `${LINE.slice(0, at)}${LINE[at] === "x" ? "y" : "x"}${LINE.slice(at + 1)}`));
  // The brace that begins a body is put there anew.
  expect(hashes.size).toBe(2 + LINE.length - 1);
});

function withBytes(bytes: readonly number[]): Buffer {
  return Buffer.concat([Buffer.from(`${LINE.slice(0, -1)},"x":"`), Buffer.from(bytes), Buffer.from('"}')]);
}

test("bytes that read the same have hashes of their own", () => {
  const [character, broken] = [withBytes([0xef, 0xbf, 0xbd]), withBytes([0xf0, 0x9f, 0x98])];
  expect(broken.toString()).toBe(character.toString());
  expect(entryHashOfBytes(PREVIOUS, broken)).not.toBe(entryHashOfBytes(PREVIOUS, character));
});

function hex(length: number): fc.Arbitrary<string> {
  return fc
    .uint8Array({ minLength: length / 2, maxLength: length / 2 })
    .map((bytes) => Buffer.from(bytes).toString("hex"));
}

test("what was written is read back, whatever its fields hold", () => {
  const seq = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
  // As the table of kinds has them; `$` and `#` are the head's.
  const field = fc
    .stringMatching(/^[A-Za-z][A-Za-z0-9]{0,20}$/)
    .filter((name) => name !== "nonce" && name !== "content");
  fc.assert(
    fc.property(
      fc.record<Body>({
        at: fc
          .date({ min: new Date(0), max: new Date("9999-12-31"), noInvalidDate: true })
          .map((date) => date.toISOString()),
        cause: fc.option(seq),
        kind: fc.stringMatching(/^[a-z]{1,30}\.[a-z]{1,30}$/),
        seq,
        fields: fc.dictionary(
          field,
          fc.oneof(
            fc.string({ unit: "grapheme" }),
            fc.maxSafeInteger().map((n) => n + 0),
            fc.boolean(),
            fc.constant(null),
          ),
          {
            noNullPrototype: true,
          },
        ),
        content: fc.option(fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), hex(64), { noNullPrototype: true })),
        nonce: hex(32),
      }),
      (given) => {
        const line = writeBody(given);
        expect(readBody(line)).toEqual(given);
        expect(readHead(line)).toEqual({ at: given.at, cause: given.cause, kind: given.kind, seq: given.seq });
      },
    ),
  );
});

const head = (cause: string, kind: string, seq: string, at = AT): string =>
  `{"$at":"${at}","$cause":${cause},"$kind":"${kind}","$seq":${seq},"nonce":"${NONCE}"}`;

test.for([
  ["null", 0],
  ["0", 1],
  ["9007199254740990", 9_007_199_254_740_991],
] as const)("a row caused by %s is read as such", ([cause, seq]) => {
  expect(readHead(head(cause, "turn.ended", String(seq)))).toEqual({
    at: AT,
    cause: cause === "null" ? null : Number(cause),
    kind: "turn.ended",
    seq,
  });
});

test("a row may have nothing but its head", () => {
  expect(readHead(`{"$at":"${AT}","$cause":null,"$kind":"a.b","$seq":12}`)?.seq).toBe(12);
});

test.for<[string, string]>([
  ["nothing", ""],
  ["another beginning", `{"a":1,${LINE.slice(1)}`],
  ["a blank before it", ` ${LINE}`],
  ["a blank in it", LINE.replace('"$cause":', '"$cause": ')],
  ["a previous hash still in it", entryLine(PREVIOUS, LINE)],
  ["the cause before the time", `{"$cause":6,"$at":"${AT}","$kind":"tool.finished","$seq":7}`],
  ["a time without its zone", head("6", "a.b", "7", "2026-11-23T22:31:00.0000")],
  ["a time with less than milliseconds", head("6", "a.b", "7", "2026-11-23T22:31:00.00Z")],
  ["a thirteenth month", head("6", "a.b", "7", "2026-13-23T22:31:00.000Z")],
  ["a twenty-fifth hour", head("6", "a.b", "7", "2026-11-23T24:31:00.000Z")],
  ["an escape in its time", head("6", "a.b", "7", "2026-11-23\\u005422:31:00")],
  ["no cause", head("", "a.b", "7")],
  ["a cause that is a word", head("none", "a.b", "7")],
  ["a cause in quotes", head('"6"', "a.b", "7")],
  ["a negative cause", head("-6", "a.b", "7")],
  ["a cause with a leading zero", head("06", "a.b", "7")],
  ["a cause with an exponent", head("6e0", "a.b", "7")],
  ["a broken cause", head("6.5", "a.b", "7")],
  ["a cause larger than a double holds exactly", head("9007199254740993", "a.b", "7")],
  ["a cause of seventeen digits", head("10000000000000000", "a.b", "7")],
  ["no kind", head("6", "", "7")],
  ["a kind of 65 characters", head("6", "a".repeat(65), "7")],
  ["an escape in its kind", head("6", "tool\\u002efinished", "7")],
  ["an escaped quote in its kind", head("6", 'a\\"b', "7")],
  ["a backslash at the end of its kind", head("6", "a.b\\", "7")],
  ["a quote in its kind", head("6", 'a"b', "7")],
  ["a line end in its kind", head("6", "a\nb", "7")],
  ["a letter in its kind that is not ASCII", head("6", "töol", "7")],
  ["a second kind in its kind", head("6", 'a.b","$kind":"c.d', "7")],
  ["no number", head("6", "a.b", "")],
  ["a number in quotes", head("6", "a.b", '"7"')],
  ["a negative number", head("6", "a.b", "-7")],
  ["a number with a leading zero", head("6", "a.b", "07")],
  ["a broken number", head("6", "a.b", "7.0")],
  ["a number with an exponent", head("6", "a.b", "7e1")],
  ["a number larger than a double holds exactly", head("6", "a.b", "9007199254740993")],
  ["an end after its number", LINE.slice(0, HEAD_END - 1)],
])("a body with %s is none", ([, line]) => {
  expect(readHead(line)).toBeNull();
  expect(readBody(line)).toBeNull();
});

test("no character put anywhere into a head makes a body read otherwise than JSON reads it", () => {
  let read = 0;
  let refused = 0;
  for (let at = 0; at < HEAD_END; at++) {
    for (let unit = 0x20; unit < 0x180; unit++) {
      for (const line of [
        `${LINE.slice(0, at)}${String.fromCharCode(unit)}${LINE.slice(at + 1)}`,
        `${LINE.slice(0, at)}${String.fromCharCode(unit)}${LINE.slice(at)}`,
      ]) {
        const found = readHead(line);
        const whole = readBody(line);
        if (found === null || whole === null) {
          expect(whole).toBeNull();
          refused += 1;
          continue;
        }
        const { at: $at, cause: $cause, kind: $kind, seq: $seq } = found;
        expect(JSON.parse(line)).toMatchObject({ $at, $cause, $kind, $seq });
        read += 1;
      }
    }
  }
  // Both happen: digits of the time and of the numbers, and the letters of the kind, may be others.
  expect(read).toBeGreaterThan(1_000);
  expect(refused).toBeGreaterThan(50_000);
});

test("a reader that is used for many rows keeps nothing of the one before", () => {
  const reader = new HeadReader();
  expect(reader.read(head("6", "tool.finished", "7"))).toBe(true);
  expect([reader.cause, reader.kind, reader.seq, reader.at]).toEqual([6, "tool.finished", 7, AT]);
  expect(reader.read("no row")).toBe(false);
  expect(reader.read(head("null", "tool.called", "12"))).toBe(true);
  expect([reader.cause, reader.kind, reader.seq]).toEqual([-1, "tool.called", 12]);
});

test("a reader that has read a longer row takes nothing of it for the next one's", () => {
  const reader = new HeadReader();
  const longer = `${LINE.slice(0, -1)},"x":"${"y".repeat(500)}"}`;
  for (let end = 0; end <= LINE.length; end++) {
    expect(reader.read(longer)).toBe(true);
    const cut = LINE.slice(0, end);
    expect([cut, reader.read(cut)]).toEqual([cut, new HeadReader().read(cut)]);
  }
  expect(reader.read("")).toBe(false);
});

/** The same beginning as a pattern: slower, and easier to read. */
const HEAD =
  /^\{"\$at":"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z","\$cause":(?:null|0|[1-9]\d{0,15}),"\$kind":"[!#-[\]-~]{1,64}","\$seq":(?:0|[1-9]\d{0,15})[,}]/;

test("a head is read where the pattern of heads fits, whatever was read before it", () => {
  const reader = new HeadReader();
  const digits = fc.stringMatching(/^[0-9]{0,3}$/);
  const time = fc.oneof(
    fc.constant(AT),
    fc
      .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 32, max: 126 }))
      .map(([at, unit]) => `${AT.slice(0, at)}${String.fromCharCode(unit)}${AT.slice(at + 1)}`),
    fc.stringMatching(/^20[0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9]\.[0-9]{3}Z$/),
  );
  const kind = fc.oneof(
    fc.constantFrom("message.sent", "message.received", "message.refused", "a", "a.b", "tool.called"),
    fc.string({ unit: "binary", maxLength: 70 }),
  );
  const seen = { read: 0, refused: 0 };
  fc.assert(
    fc.property(time, fc.oneof(digits, fc.constant("null")), kind, digits, (at, cause, what, seq) => {
      const line = head(cause, what, seq, at);
      const fits = HEAD.test(line);
      expect([line, reader.read(line)]).toEqual([line, fits]);
      if (!fits) seen.refused += 1;
      else {
        seen.read += 1;
        expect([reader.at, reader.cause, reader.kind, reader.seq]).toEqual([
          at,
          cause === "null" ? -1 : Number(cause),
          what,
          Number(seq),
        ]);
      }
    }),
    { numRuns: 5_000 },
  );
  expect(seen.read).toBeGreaterThan(200);
  expect(seen.refused).toBeGreaterThan(200);
});

test("the hash that a reader takes of what it has read is the hash of the row", () => {
  const reader = new HeadReader();
  const of = (text: string): string => `${LINE.slice(0, -1)},"x":"${text}"}`;
  for (const length of [0, 1, 300, 1_900, 2_100, 3_900]) {
    const line = of("y".repeat(length));
    expect(reader.read(line)).toBe(true);
    expect(reader.hash(PREVIOUS)).toBe(entryHash(PREVIOUS, line));
    expect(reader.hash(NO_PREVIOUS)).toBe(entryHash(NO_PREVIOUS, line));
  }
  // What is long, or has other characters than ASCII, is left to others.
  for (const line of [of("y".repeat(5_000)), of("ü"), of("\ufffd"), of("\ud83d\ude00")]) {
    expect(reader.read(line)).toBe(true);
    expect(reader.hash(PREVIOUS)).toBeNull();
  }
  expect(reader.read("no row")).toBe(false);
  expect(reader.hash(PREVIOUS)).toBeNull();
  expect(reader.read(LINE)).toBe(true);
  expect(reader.hash("7c")).toBeNull();
});

const rest = (fields: string): string => `${LINE.slice(0, HEAD_END)}${fields}}`;

test.for<[string, string]>([
  ["cut", LINE.slice(0, -1)],
  ["more than one", `${LINE}${LINE}`],
  ["without a nonce", rest('"status":0')],
  ["with a nonce that is no text", rest('"nonce":7')],
  ["with content that is a list", rest(`"content":["${PREVIOUS}"],"nonce":"${NONCE}"`)],
  ["with content that is null", rest(`"content":null,"nonce":"${NONCE}"`)],
  ["with a commitment that is cut", rest(`"content":{"text":"${PREVIOUS.slice(1)}"},"nonce":"${NONCE}"`)],
  ["with a commitment in capitals", rest(`"content":{"text":"${PREVIOUS.toUpperCase()}"},"nonce":"${NONCE}"`)],
  ["with a commitment that is a number", rest(`"content":{"text":7},"nonce":"${NONCE}"`)],
])("a body %s is none of ours, and what stands in its head is still read", ([, line]) => {
  expect(readBody(line)).toBeNull();
  expect(readHead(line)?.seq).toBe(7);
});

test("a body has a place in the tile format: with the row before in it, it is not longer than 16 bits can say", () => {
  expect(entryLine(NO_PREVIOUS, "x".repeat(MAX_BODY_BYTES)).length).toBeLessThanOrEqual(65_535);
});
