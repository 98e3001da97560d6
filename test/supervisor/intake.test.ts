import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import * as z from "zod/mini";
import { Pipe } from "../../src/ipc/pipe.ts";
import { Intake, type Source } from "../../src/supervisor/intake.ts";
import { socketPair } from "../support/socket-pair.ts";

const Message = z.strictObject({ type: z.literal("message"), nth: z.int() });
type Message = z.infer<typeof Message>;

const MIB = 1_048_576;

function ignore(): void {}

/** A process that gives messages in, and what takes them in: each when `deal` is called, as slow as a log on a full disk may be. */
class Line {
  readonly intake: Intake;
  readonly heard: number[] = [];
  readonly dealt: number[] = [];
  readonly failed: number[] = [];
  readonly #waiting: PromiseWithResolvers<void>[] = [];
  #source: Source | null = null;
  #sender: Pipe<Message, Message> | null = null;

  constructor(intake: Intake) {
    this.intake = intake;
  }

  async start(): Promise<this> {
    const [near, far] = await socketPair();
    const pipe = new Pipe<Message, Message>(near, Message, {
      frame: (header, payload) => this.#take(header, payload),
      end: ignore,
    });
    this.#source = this.intake.from(pipe);
    this.#sender = new Pipe<Message, Message>(far, Message, { frame: ignore, end: ignore });
    return this;
  }

  #take({ nth }: Message, payload: Uint8Array): void {
    this.heard.push(nth);
    this.#source?.add(
      payload.length,
      async () => {
        const gate = Promise.withResolvers<void>();
        this.#waiting.push(gate);
        await gate.promise;
        this.dealt.push(nth);
      },
      () => this.failed.push(nth),
    );
  }

  give(count: number, bytes: number): void {
    for (let nth = 1; nth <= count; nth++)
      void this.#sender?.send({ type: "message", nth }, new Uint8Array(bytes)).catch(() => undefined);
  }

  /** Lets the next one be dealt with, once there is one. */
  async deal(error?: Error): Promise<void> {
    while (this.#waiting.length === 0) await turn();
    const gate = this.#waiting.shift();
    if (error === undefined) gate?.resolve();
    else gate?.reject(error);
    await turn();
  }

  /** Waits until nothing more comes: as many turns of the event loop as a pipe of that size needs many times over. */
  async quiet(): Promise<void> {
    for (let still = 0, before = -1; still < 200; still = before === this.heard.length ? still + 1 : 0) {
      before = this.heard.length;
      await turn();
    }
  }
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

test("messages are dealt with one after the other, in their order", async () => {
  const line = await new Line(new Intake()).start();
  line.give(10, 10);
  await line.quiet();
  expect(line.heard).toEqual(upTo(10));
  expect(line.dealt).toEqual([]);
  for (let nth = 1; nth <= 10; nth++) {
    await line.deal();
    expect(line.dealt).toEqual(upTo(nth));
  }
});

test("large messages wait where they come from: no more than four are taken while none is dealt with", async () => {
  const line = await new Line(new Intake()).start();
  line.give(40, MIB);
  await line.quiet();
  expect(line.heard).toEqual(upTo(4));
  for (let nth = 1; nth <= 40; nth++) {
    await line.deal();
    await line.quiet();
    expect(line.heard.length - line.dealt.length).toBeLessThanOrEqual(4);
  }
  expect(line.dealt).toEqual(upTo(40));
});

test("so do small ones: no more than sixty-four are taken while none is dealt with", async () => {
  const line = await new Line(new Intake()).start();
  line.give(1000, 1);
  await line.quiet();
  expect(line.heard).toEqual(upTo(64));
  for (let nth = 1; nth <= 1000; nth++) await line.deal();
  expect(line.dealt).toEqual(upTo(1000));
});

test("what a process gave in before it died is dealt with before what the next one gives in, and does not hold the next one back", async () => {
  const intake = new Intake();
  const first = await new Line(intake).start();
  first.give(10, MIB);
  await first.quiet();
  const second = await new Line(intake).start();
  second.give(3, MIB);
  await second.quiet();
  expect(second.heard).toEqual([1, 2, 3]);
  for (let nth = 1; nth <= 4; nth++) await first.deal();
  expect(second.dealt).toEqual([]);
});

test("one that fails is told of, and the others go on", async () => {
  const line = await new Line(new Intake()).start();
  line.give(3, 1);
  await line.deal();
  await line.deal(new Error("the log is full"));
  await line.deal();
  expect(line.dealt).toEqual([1, 3]);
  expect(line.failed).toEqual([2]);
});
