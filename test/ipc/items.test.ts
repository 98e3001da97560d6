import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { ChatMessage, CompletionRequest } from "../../src/ipc/completion.ts";
import { NO_ITEMS, rootWith } from "../../src/ipc/item-digest.ts";
import { ItemsError, packRequest, readItem, unpack } from "../../src/ipc/items.ts";

const text = fc.string({ unit: "grapheme", maxLength: 60 });
const name = fc.string({ unit: "grapheme-ascii", maxLength: 20 });
const message: fc.Arbitrary<ChatMessage> = fc.oneof(
  fc.record({ role: fc.constant("user" as const), text }),
  fc.record({
    role: fc.constant("assistant" as const),
    text,
    calls: fc.array(fc.record({ id: name, name, arguments: text }), { maxLength: 2 }),
  }),
  fc.record({ role: fc.constant("tool" as const), call: name, name, text }),
);
const requests: fc.Arbitrary<CompletionRequest> = fc.record({
  instructions: text,
  messages: fc.array(message, { minLength: 1, maxLength: 8 }),
  tools: fc.constant([{ name: "look", description: "looks", parameters: { a: [1, "ü"] } }]),
});
const rootOf = (messages: ChatMessage[]) =>
  hex(rootWith(NO_ITEMS, packRequest({ instructions: "", tools: [], messages }, 0)));
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

test("a request is read as it was packed, whole or from any item on", () => {
  fc.assert(
    fc.property(requests, fc.nat(9), (request, from) => {
      const { instructions, tools, messages } = request;
      const items = [{ instructions, tools }, ...messages];
      expect(unpack(packRequest(request, from)).map(readItem)).toEqual(items.slice(from));
    }),
    { seed: 5, numRuns: 200 },
  );
});

test("a request that came in pieces has the root of the whole, and no other request has it", () => {
  fc.assert(
    fc.property(requests, fc.nat(9), fc.nat(), (request, at, place) => {
      const whole = packRequest(request, 0);
      const root = hex(rootWith(NO_ITEMS, whole));
      const rest = packRequest(request, at);
      const first = whole.subarray(0, whole.length - rest.length);
      expect(hex(rootWith(rootWith(NO_ITEMS, first), rest))).toBe(root);
      // One bit anywhere, lengths included.
      const changed = Uint8Array.from(whole);
      const byte = place % changed.length;
      changed[byte] = (changed[byte] ?? 0) ^ (1 << (place % 8));
      let other: string | null = null;
      try {
        other = hex(rootWith(NO_ITEMS, changed));
      } catch (error) {
        expect(error).toBeInstanceOf(ItemsError);
      }
      expect(other).not.toBe(root);
    }),
    { seed: 6, numRuns: 300 },
  );
});

test("the order of items is part of the root", () => {
  const messages: ChatMessage[] = [
    { role: "user", text: "a" },
    { role: "user", text: "b" },
  ];
  expect(rootOf(messages)).not.toBe(rootOf(messages.toReversed()));
});

test.for([
  ["a length that is cut", [0, 0, 0]],
  ["a head that is not there", [0, 0, 0, 5, 1]],
  ["a head that is too long", [0, 0, 32, 0, ...Buffer.alloc(9000)]],
  ["a body that is not there", [0, 0, 0, 1, 0x7b, 0, 0, 0, 9]],
] as const)("%s is no item", ([, bytes]) => {
  expect(() => unpack(Uint8Array.from(bytes))).toThrow(ItemsError);
});
