import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  encodeFrame,
  FrameDecoder,
  FrameError,
  MAX_HEADER_BYTES,
  MAX_HEADER_DEPTH,
  MAX_PAYLOAD_BYTES,
  type RawFrame,
} from "../../src/ipc/frame.ts";

function decodeAll(chunks: readonly Uint8Array[], decoder = new FrameDecoder()): RawFrame[] {
  const frames: RawFrame[] = [];
  for (const chunk of chunks) {
    decoder.push(chunk);
    for (let frame = decoder.next(); frame !== null; frame = decoder.next()) frames.push(frame);
  }
  return frames;
}

/** A frame with a header that is any text at all. */
function rawFrame(header: string | Uint8Array, payload: Uint8Array = new Uint8Array(0)): Buffer {
  const bytes = Buffer.from(header);
  return Buffer.concat([prefix(4 + bytes.length + payload.length, bytes.length), bytes, payload]);
}

function prefix(length: number, headerBytes: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32BE(length, 0);
  bytes.writeUInt32BE(headerBytes, 4);
  return bytes;
}

function codeOf(bytes: Uint8Array): string {
  try {
    decodeAll([bytes]);
    return "none";
  } catch (error) {
    if (error instanceof FrameError) return error.code;
    throw error;
  }
}

describe("a frame", () => {
  test("has the bytes that are documented", () => {
    const frame = encodeFrame({ type: "a" }, new Uint8Array([1, 2]));
    expect(frame.toString("hex")).toBe(`000000120000000c${Buffer.from('{"type":"a"}').toString("hex")}0102`);
  });

  test("of the largest size passes, and one byte more is refused by the sender", () => {
    const payload = new Uint8Array(MAX_PAYLOAD_BYTES);
    const header = { type: "x".repeat(MAX_HEADER_BYTES - '{"type":""}'.length) };
    const [frame] = decodeAll([encodeFrame(header, payload)]);
    expect(frame?.payload.length).toBe(MAX_PAYLOAD_BYTES);
    expect(frame?.header).toEqual(header);
    expect(() => encodeFrame(header, new Uint8Array(MAX_PAYLOAD_BYTES + 1))).toThrow(FrameError);
    expect(() => encodeFrame({ type: `${header.type}x` }, payload)).toThrow(FrameError);
  });

  test("gives a payload that is memory of its own", () => {
    const bytes = encodeFrame({ type: "a" }, new Uint8Array([7, 7, 7]));
    const [frame] = decodeAll([bytes]);
    bytes.fill(0);
    expect(frame?.payload).toEqual(new Uint8Array([7, 7, 7]));
    expect(frame?.payload.buffer.byteLength).toBe(3);
  });

  test("leaves no trace in the chunks it came in, where they are to be wiped", () => {
    const secret = Buffer.from("a secret that nobody keeps");
    const bytes = encodeFrame({ type: "secret" }, secret);
    for (const cut of [3, 10, bytes.length - secret.length, bytes.length - 5, bytes.length]) {
      const chunks = [Buffer.from(bytes.subarray(0, cut)), Buffer.from(bytes.subarray(cut))];
      const [frame] = decodeAll(chunks, new FrameDecoder({ wipes: true }));
      expect(Buffer.from(frame?.payload ?? []).toString()).toBe(secret.toString());
      expect(frame?.header).toEqual({ type: "secret" });
      for (const chunk of chunks) expect(chunk.every((byte) => byte === 0)).toBe(true);
    }
  });
});

describe("bytes that are no frame", () => {
  test.for([
    ["nothing at all for a header", prefix(4, 0)],
    ["a header longer than its frame", prefix(10, 12)],
    ["a header that is no JSON", rawFrame("{type:1}")],
    ["a header with text behind it", rawFrame('{"type":"a"} x')],
    ["a comment", rawFrame('{"type":"a"/**/}')],
    ["a byte order mark", rawFrame("\ufeff{}")],
    ["a key twice", rawFrame('{"type":"a","type":"b"}')],
    ["a key twice, once escaped", rawFrame('{"type":"a","\\u0074ype":"b"}')],
    ["a key twice, further in", rawFrame('{"type":"a","x":[{"y":1,"y":1}]}')],
    ["the key __proto__ twice", rawFrame('{"__proto__":1,"__proto__":2}')],
    ["bytes that are no UTF-8", rawFrame(Buffer.from([0x22, 0xff, 0x22]))],
    ["an overlong UTF-8 form", rawFrame(Buffer.from([0x22, 0xc0, 0xaf, 0x22]))],
    ["half of a surrogate pair", rawFrame('{"type":"\\ud800"}')],
    ["half of a surrogate pair in a key", rawFrame('{"\\udc00":1}')],
    ["a string that does not end", rawFrame('{"type":"a\\')],
    ["a line of Node's own channel", Buffer.from('{"cmd":"NODE_HANDLE_ACK"}\n')],
  ] as const)("are refused: %s", ([, bytes]) => {
    // The last one is four bytes that happen to be a huge length.
    expect(["malformed", "oversized"]).toContain(codeOf(bytes));
  });

  test("are told apart: no JSON is malformed, a huge length oversized, deep nesting deep", () => {
    expect(codeOf(rawFrame("no"))).toBe("malformed");
    expect(codeOf(prefix(0xffff_ffff, 100))).toBe("oversized");
    expect(codeOf(prefix(200_000, MAX_HEADER_BYTES + 1))).toBe("oversized");
    expect(codeOf(rawFrame("[".repeat(MAX_HEADER_DEPTH) + "]".repeat(MAX_HEADER_DEPTH)))).toBe("none");
    expect(codeOf(rawFrame("[".repeat(MAX_HEADER_DEPTH + 1) + "]".repeat(MAX_HEADER_DEPTH + 1)))).toBe("deep");
    expect(codeOf(rawFrame('{"a":'.repeat(30_000 / 5)))).toBe("deep");
  });

  test("brackets inside strings are not nesting, and colons inside strings are no members", () => {
    const header = { type: `a:"\\${"[{".repeat(40)}`, "k:\\": ":", é: "ü:" };
    expect(decodeAll([encodeFrame(header, new Uint8Array(0))])[0]?.header).toEqual(header);
  });

  test("are refused before memory is taken for them, by the first eight bytes", () => {
    const decoder = new FrameDecoder();
    const before = process.memoryUsage().arrayBuffers;
    decoder.push(prefix(0xffff_fff0, 64));
    expect(() => decoder.next()).toThrow(FrameError);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(65_536);
  });

  test("are not quoted by the error", () => {
    const marker = "xoxb-marker";
    expect(() => decodeAll([rawFrame(`{"type":${marker}}`)])).toThrow(/^a header is not JSON$/);
  });
});

const header = fc.record({ type: fc.string({ unit: "grapheme" }) }, { requiredKeys: ["type"] });
const frame = fc.tuple(header, fc.uint8Array({ maxLength: 3000 }));

test("however the bytes are cut into chunks, the same frames come out", () => {
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1 }),
      fc.boolean(),
      (frames, cuts, wipes) => {
        const bytes = Buffer.concat(frames.map(([head, payload]) => encodeFrame(head, payload)));
        const chunks: Uint8Array[] = [];
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const size = cuts[turn % cuts.length] ?? 1;
          chunks.push(Buffer.from(bytes.subarray(at, at + size)));
          at += size;
        }
        const decoder = new FrameDecoder({ wipes });
        const out = decodeAll(chunks, decoder);
        expect(out.map(({ header: head, payload }) => [head, [...payload]])).toEqual(
          frames.map(([head, payload]) => [head, [...payload]]),
        );
        expect(decoder.inFrame).toBe(false);
        expect(decoder.held).toBe(0);
      },
    ),
    { seed: 20_261_123, numRuns: 300 },
  );
});

test("bytes pushed before the last ones were read are not lost", () => {
  const one = encodeFrame({ type: "one" }, new Uint8Array([1]));
  const decoder = new FrameDecoder({ wipes: true });
  decoder.push(Buffer.concat([one, one.subarray(0, 5)]));
  decoder.push(Buffer.from(one.subarray(5)));
  expect(decoder.next()?.payload).toEqual(new Uint8Array([1]));
  expect(decoder.next()?.payload).toEqual(new Uint8Array([1]));
  expect(decoder.next()).toBeNull();
});

test("arbitrary bytes end in frames or a typed error, and hold no more than one frame", () => {
  const bound = MAX_HEADER_BYTES + MAX_PAYLOAD_BYTES;
  const hostile = fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc
      .tuple(fc.nat(0xffff_ffff), fc.nat(0xffff_ffff), fc.uint8Array({ maxLength: 50 }))
      .map(([length, size, rest]) => Buffer.concat([prefix(length, size), rest])),
    fc.tuple(fc.string(), fc.uint8Array({ maxLength: 20 })).map(([text, payload]) => rawFrame(text, payload)),
    fc
      .tuple(fc.json({ maxDepth: 20 }), fc.uint8Array({ maxLength: 20 }))
      .map(([text, payload]) => rawFrame(text, payload)),
  );
  fc.assert(
    fc.property(fc.array(hostile, { maxLength: 5 }), (chunks) => {
      const decoder = new FrameDecoder();
      try {
        for (const chunk of chunks) {
          decoder.push(chunk);
          while (decoder.next() !== null) expect(decoder.held).toBeLessThanOrEqual(bound);
          expect(decoder.held).toBeLessThanOrEqual(bound);
        }
      } catch (error) {
        if (!(error instanceof FrameError)) throw error;
      }
    }),
    { seed: 20_261_123, numRuns: 2000 },
  );
});
