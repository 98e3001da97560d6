import { resolve } from "node:path";
import type { Duplex } from "node:stream";
import { NODE_FLAGS } from "../../src/confine/flags.ts";
import {
  FIRST_LANE,
  FromEgress,
  LANES,
  type LaneEntry,
  type ToEgress,
  type UpstreamProxy,
} from "../../src/ipc/egress-frames.ts";
import { type Child, type ChildExit, spawnChild } from "../../src/supervisor/child.ts";

const MAIN = resolve(import.meta.dirname, "../../src/egress/main.ts");

export interface Told {
  readonly lane: number;
  readonly host: string;
  readonly port: number | null;
  readonly reason: string | null;
  readonly times: number;
}

/** The real process, with all its lanes: this test is their other end. */
export class EgressWorld implements AsyncDisposable {
  readonly child: Child<FromEgress, ToEgress>;
  readonly verdicts: Told[] = [];
  readonly lines: string[] = [];
  readonly #bound = new Map<number, () => void>();
  #ref = 0;

  /** @param args words behind its role. */
  constructor(args: readonly string[] = []) {
    this.child = spawnChild<FromEgress, ToEgress>({
      role: "egress",
      args,
      accepts: FromEgress,
      image: { command: process.execPath, args: [...NODE_FLAGS, MAIN] },
      extraStdio: Array.from({ length: LANES }, () => "pipe" as const),
      stop: { type: "stop" },
      log: (line) => this.lines.push(line),
      on: {
        frame: (frame, payload) => {
          if (frame.type === "bound") this.#bound.get(frame.ref)?.();
          if (frame.type === "verdict") {
            const { lane, port, reason, times } = frame;
            this.verdicts.push({ lane, host: Buffer.from(payload).toString(), port, reason, times });
          }
        },
      },
    });
  }

  /** Starts it. @param credential for the proxy. */
  async start(proxy: UpstreamProxy | null = null, credential: string | null = null): Promise<this> {
    if (credential !== null)
      await this.child.send({ type: "secret", name: "proxy-credential" }, Buffer.from(credential), { wipe: true });
    await this.child.send({ type: "start", proxy });
    return this;
  }

  /** Resolves when the list is in force. */
  async bind(lane: number, entries: LaneEntry[]): Promise<void> {
    const ref = ++this.#ref;
    const bound = new Promise<void>((settle) => this.#bound.set(ref, settle));
    await this.child.send({ type: "bind", lane, ref, entries });
    const gone = this.child.exited.then(() => {
      throw new Error(`lane ${lane} is not bound: ${this.lines.join("; ")}`);
    });
    await Promise.race([bound, gone]);
  }

  /** Our end of a lane. */
  end(lane: number): Duplex {
    const end = this.child.extra(FIRST_LANE + lane);
    end.on("error", () => undefined);
    return end;
  }

  async stop(): Promise<ChildExit> {
    return await this.child.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (let lane = 0; lane < LANES; lane++) this.end(lane).destroy();
    await this.child.kill();
  }
}
