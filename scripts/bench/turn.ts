import { createHash } from "node:crypto";
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readFileSync } from "node:fs";
import { TestDaemon } from "../../test/support/daemon.ts";
import { ToCommand, type FromCommand } from "../../src/ipc/control-frames.ts";
import { PROTOCOL } from "../../src/ipc/frame-common.ts";
import { Pipe } from "../../src/ipc/pipe.ts";
import { type Figure, median, ms, ratio, timed } from "./figure.ts";
import { InstantModel } from "./instant-model.ts";

const TURNS = 60;
const SIZES = [1_000, 250_000] as const;

/** A line to the daemon that says things and waits for the end of each turn. */
class Speaker implements Disposable {
  readonly #pipe: Pipe<ToCommand, FromCommand>;
  readonly #answers = new Map<number, PromiseWithResolvers<void>>();
  #ref = 0;

  constructor(path: string, token: Uint8Array) {
    const socket = createConnection(path);
    this.#pipe = new Pipe<ToCommand, FromCommand>(socket, ToCommand, {
      frame: (header) => {
        if (header.type === "answer") this.#answers.get(header.ref)?.resolve();
        if (header.type === "refused") this.#answers.get(header.ref)?.reject(new Error(header.failure.sentence));
      },
      end: () => undefined,
    });
    void this.#pipe.send({ type: "hello", protocol: PROTOCOL, build: "bench" }, token);
  }

  async say(text: string, fresh: boolean): Promise<void> {
    this.#ref += 1;
    const answer = Promise.withResolvers<void>();
    this.#answers.set(this.#ref, answer);
    await this.#pipe.send(
      { type: "call", ref: this.#ref, call: { call: "say", agent: "default", fresh } },
      Buffer.from(text),
    );
    await answer.promise;
  }

  [Symbol.dispose](): void {
    this.#pipe.close();
  }
}

function syncTime(): number {
  const folder = mkdtempSync(join(tmpdir(), "wirken-bench-"));
  const descriptor = openSync(join(folder, "raw"), "w");
  const piece = Buffer.alloc(8192, 7);
  const times = Array.from({ length: 200 }, () => {
    const begun = performance.now();
    writeSync(descriptor, piece);
    fdatasyncSync(descriptor);
    return performance.now() - begun;
  });
  closeSync(descriptor);
  rmSync(folder, { recursive: true, force: true });
  return median(times);
}

/** What a turn costs besides the model: small, and by its size. */
export async function turnFigures(): Promise<Figure[]> {
  await using model = await InstantModel.start();
  const config = {
    providers: { instant: { baseUrl: model.baseUrl } },
    agents: { default: { model: "instant/instant" } },
  };
  await using daemon = await TestDaemon.start({ config });
  using speaker = new Speaker(join(daemon.data, "control.sock"), readFileSync(join(daemon.data, "control.token")));
  const small = await turns(speaker, model, "hello", TURNS, false);
  const sync = syncTime();
  const costs: number[] = [];
  for (const size of SIZES) costs.push((await turns(speaker, model, "x".repeat(size), 10, true)).p50);
  const [light = 0, heavy = 0] = costs;
  const perByte = (heavy - light) / (SIZES[1] - SIZES[0]);
  const request = { messages: [{ role: "user", text: "x".repeat(SIZES[1]) }] };
  const yardsticks: number[] = [];
  for (let round = 0; round < 20; round++) {
    yardsticks.push(await timed(() => createHash("sha256").update(JSON.stringify(request)).digest("hex")));
  }
  const slope = perByte / (median(yardsticks) / SIZES[1]);
  return [
    {
      what: "our overhead per turn, p50",
      measured: `${ms(small.p50)} (p95 ${ms(small.p95)}; one sync ${ms(sync)})`,
      budget: "≤ 10 ms",
      met: small.p50 <= 10,
    },
    {
      what: "cost by size, against one JSON.stringify and SHA-256",
      measured: ratio(slope),
      budget: "≤ 2 ×",
      met: slope <= 2,
    },
  ];
}

async function turns(
  speaker: Speaker,
  model: InstantModel,
  text: string,
  count: number,
  fresh: boolean,
): Promise<{ p50: number; p95: number }> {
  for (let warm = 0; warm < 3; warm++) await speaker.say(text, fresh && warm === 0);
  const times: number[] = [];
  for (let turn = 0; turn < count; turn++) {
    model.held.length = 0;
    const took = await timed(async () => await speaker.say(text, false));
    times.push(took - model.held.reduce((sum, { ms: one }) => sum + one, 0));
    if (fresh && turn % 5 === 4) await speaker.say(text, true);
  }
  const sorted = times.toSorted((a, b) => a - b);
  return { p50: median(times), p95: sorted[Math.floor(sorted.length * 0.95)] ?? Number.NaN };
}
