import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { FromAdapter, ToAdapter } from "../../src/ipc/adapter-frames.ts";
import { AdapterCarrier } from "../../src/supervisor/adapter-carrier.ts";

const PLACE = { place: "42", thread: null };
const KEY = "m_00000000000000000000000001";
const text = (words: string): Uint8Array => new TextEncoder().encode(words);
const message = { style: "markdown", card: null, replyTo: null, key: KEY, text: text("hello") } as const;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** An adapter's process, as far as a carrier sees one. */
class Process {
  readonly told: (ToAdapter & { readonly text: string })[] = [];
  readonly #carrier: AdapterCarrier;
  constructor(carrier: AdapterCarrier) {
    this.#carrier = carrier;
    carrier.attach((header, payload = new Uint8Array()) => {
      this.told.push({ ...header, text: Buffer.from(payload).toString("utf8") });
      return Promise.resolve();
    });
    carrier.connected();
  }
  last<T extends ToAdapter["type"]>(type: T): Extract<ToAdapter, { type: T }> & { readonly text: string } {
    const found = this.told.findLast((frame): frame is Extract<typeof frame, { type: T }> => frame.type === type);
    if (found === undefined) throw new Error(`no ${type} was told`);
    return found;
  }
  of(type: ToAdapter["type"]): readonly string[] {
    return this.told.filter((frame) => frame.type === type).map((frame) => frame.text);
  }
  delivered(...ids: string[]): void {
    this.#carrier.settle({ type: "delivered", ref: this.last("send").ref, ids }, new Uint8Array());
  }
  answers(
    answer: Extract<FromAdapter, { type: "looked-up" | "file" | "direct" }>,
    payload: Uint8Array = new Uint8Array(),
  ): boolean {
    return this.#carrier.questions.settle(answer, payload);
  }
}

/** Lets what was promised happen. */
const settled = async (): Promise<void> => {
  await vi.advanceTimersByTimeAsync(0);
};

test("a message that its adapter died with is looked up by the next one, and not sent again where the platform has it", async () => {
  const carrier = new AdapterCarrier(() => Date.now());
  const sent = new Process(carrier);
  const delivery = carrier.send(PLACE, message);
  await settled();
  expect(sent.last("send")).toMatchObject({ key: KEY, text: "hello" });
  carrier.detach();
  const next = new Process(carrier);
  await settled();
  const asked = next.last("look-up");
  expect(asked).toMatchObject({ ...PLACE, key: KEY });
  next.answers({ type: "looked-up", ref: asked.ref, outcome: "sent", ids: ["7"] });
  expect(await delivery).toEqual({ state: "delivered", ids: ["7"] });
  expect(next.of("send")).toEqual([]);
});

test("one that the platform has not is sent again, under the same key", async () => {
  const carrier = new AdapterCarrier(() => Date.now());
  void new Process(carrier);
  const delivery = carrier.send(PLACE, message);
  await settled();
  carrier.detach();
  const next = new Process(carrier);
  await settled();
  next.answers({ type: "looked-up", ref: next.last("look-up").ref, outcome: "absent", ids: [] });
  await settled();
  expect(next.last("send")).toMatchObject({ key: KEY, text: "hello" });
  next.delivered("8");
  expect(await delivery).toEqual({ state: "delivered", ids: ["8"] });
});

test("one of long ago is not sent any more, though the platform has it not", async () => {
  const carrier = new AdapterCarrier(() => Date.now());
  void new Process(carrier);
  const delivery = carrier.send(PLACE, message);
  await settled();
  vi.setSystemTime(Date.now() + 3_600_000);
  carrier.detach();
  const next = new Process(carrier);
  await settled();
  next.answers({ type: "looked-up", ref: next.last("look-up").ref, outcome: "absent", ids: [] });
  expect(await delivery).toMatchObject({ state: "failed", reason: "died" });
  expect(next.of("send")).toEqual([]);
});

test("where nobody can tell, it is not sent again", async () => {
  const carrier = new AdapterCarrier(() => Date.now());
  void new Process(carrier);
  const delivery = carrier.send(PLACE, message);
  await settled();
  carrier.detach();
  const next = new Process(carrier);
  await settled();
  next.answers({ type: "looked-up", ref: next.last("look-up").ref, outcome: "unknown", ids: [] });
  expect(await delivery).toMatchObject({ state: "failed", reason: "died" });
  expect(next.of("send")).toEqual([]);
});

test("nor where no other process comes in a minute, or none is to come", async () => {
  const carrier = new AdapterCarrier(() => Date.now());
  void new Process(carrier);
  const first = carrier.send(PLACE, message);
  await settled();
  carrier.detach();
  await vi.advanceTimersByTimeAsync(61_000);
  expect(await first).toMatchObject({ state: "failed", reason: "died" });
  void new Process(carrier);
  const second = carrier.send(PLACE, message);
  await settled();
  carrier.shut();
  carrier.detach();
  expect(await second).toMatchObject({ state: "failed", reason: "died" });
});

test("a reply is shown while it grows, once a second at most, and what it became is its end", async () => {
  const carrier = new AdapterCarrier(() => Date.now());
  const adapter = new Process(carrier);
  const live = carrier.stream(PLACE, KEY);
  for (let i = 0; i < 35; i += 1) {
    live.piece(text(`${i} `));
    await vi.advanceTimersByTimeAsync(100);
  }
  const shown = adapter.of("draft");
  expect(shown.length).toBeGreaterThan(2);
  expect(shown.length).toBeLessThanOrEqual(4);
  expect(shown.every((one, i) => one.startsWith(shown[i - 1] ?? ""))).toBe(true);
  const ended = live.end();
  await settled();
  const whole = Array.from({ length: 35 }, (_, i) => `${i} `).join("");
  expect(adapter.last("send")).toMatchObject({ key: KEY, draft: adapter.last("draft").ref, text: whole });
  adapter.delivered("9");
  expect(await ended).toEqual({ state: "delivered", ids: ["9"] });
  await vi.advanceTimersByTimeAsync(5_000);
  expect(adapter.of("draft")).toEqual(shown);
});

test("a reply that is whole at once is sent once, and nothing is edited", async () => {
  const carrier = new AdapterCarrier(() => Date.now());
  const adapter = new Process(carrier);
  const live = carrier.stream(PLACE, KEY);
  live.piece(text("Yes."));
  const ended = live.end();
  await settled();
  expect(adapter.of("draft")).toEqual([]);
  expect(adapter.last("send")).not.toHaveProperty("draft");
  adapter.delivered("9");
  expect(await ended).toMatchObject({ state: "delivered" });
});

test("files go along with the message that names how many they are", async () => {
  const carrier = new AdapterCarrier(() => Date.now());
  const adapter = new Process(carrier);
  void carrier.send(PLACE, { ...message, files: [{ name: "a.txt", mime: "text/plain", bytes: text("one") }] });
  await settled();
  const { ref } = adapter.last("send");
  expect(adapter.last("send")).toMatchObject({ files: 1 });
  expect(adapter.last("attach")).toMatchObject({ ref, index: 0, name: "a.txt", mime: "text/plain", text: "one" });
});

test("a file is asked for with a limit, and more than that is not taken", async () => {
  const carrier = new AdapterCarrier(() => Date.now());
  const adapter = new Process(carrier);
  const fetched = carrier.file("h", 4);
  await settled();
  expect(adapter.answers({ type: "file", ref: adapter.last("get-file").ref }, text("four"))).toBe(true);
  expect(await fetched).toMatchObject({ state: "fetched" });
  const large = carrier.file("h", 4);
  await settled();
  adapter.answers({ type: "file", ref: adapter.last("get-file").ref }, text("five."));
  expect(await large).toMatchObject({ state: "failed", reason: "too-large" });
});

test("an answer to what was not asked, or of another kind, is none", async () => {
  const carrier = new AdapterCarrier(() => Date.now());
  const adapter = new Process(carrier);
  expect(adapter.answers({ type: "file", ref: 1 })).toBe(false);
  const direct = carrier.openDirect("77");
  await settled();
  const { ref } = adapter.last("open-direct");
  expect(adapter.answers({ type: "file", ref })).toBe(false);
  expect(adapter.answers({ type: "direct", ref, place: "88" })).toBe(true);
  expect(await direct).toBe("88");
  expect(adapter.answers({ type: "direct", ref, place: "88" })).toBe(false);
});

test("an answer that comes too late is no breach, and is of no use", async () => {
  const carrier = new AdapterCarrier(() => Date.now());
  const adapter = new Process(carrier);
  const direct = carrier.openDirect("77");
  await settled();
  const { ref } = adapter.last("open-direct");
  await vi.advanceTimersByTimeAsync(121_000);
  expect(await direct).toBeNull();
  expect(adapter.answers({ type: "direct", ref, place: "88" })).toBe(true);
});
