import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { bundleRole, wasmAssets } from "../../scripts/build/bundle.ts";
import type { Attachment, Platform } from "../../adapters/adapter.ts";
import { Adapter } from "../../adapters/contract.ts";
import { NODE_FLAGS } from "../../src/confine/flags.ts";
import { FromAdapter, type ToAdapter } from "../../src/ipc/adapter-frames.ts";
import { OWN_LANE } from "../../src/ipc/egress-frames.ts";
import { encodeFrame } from "../../src/ipc/frame.ts";
import type { PipeEvents } from "../../src/ipc/pipe.ts";
import { type Child, type ChildExit, spawnChild } from "../../src/supervisor/child.ts";

import { loopbackLane } from "./connect-server.ts";

/** What an adapter said: a frame and its payload as text. */
export type Said<T extends FromAdapter["type"] = FromAdapter["type"]> = Extract<FromAdapter, { type: T }> & {
  readonly text: string;
};

type Start = Omit<Extract<ToAdapter, { type: "start" }>, "type">;
type Send = Omit<Extract<ToAdapter, { type: "send" }>, "type" | "ref">;

const ROOT = join(import.meta.dirname, "../..");
/** A loaded machine with two cores included. */
const PATIENCE_MS = 15_000;

type AdapterChild = Child<FromAdapter, ToAdapter>;

/** An adapter's program as it goes into the executable: after it is confined it can read no more files, so it must be one. */
export async function programOf(
  platform: "telegram" | "slack" | "signal" | "discord" | "matrix",
): Promise<{ readonly code: string } & Disposable> {
  const stamp = { version: "test", commit: "test", build: "test" };
  const assets = await bundleRole(ROOT, stamp, platform, `adapters/${platform}/main.ts`);
  const folder = mkdtempSync(join(tmpdir(), "wirken-adapter-"));
  const code = join(folder, `${platform}.cjs`);
  for (const [name, bytes] of assets) if (name.startsWith("code/")) writeFileSync(code, withWasm(bytes, folder));
  return { code, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) };
}

/** What is an asset in the executable is a file here, read before the process is confined. */
function withWasm(code: Uint8Array, folder: string): string {
  return Buffer.from(code)
    .toString("utf8")
    .replaceAll(/require\("wasm:([a-z_-]+)"\)/g, (_, name: string) => {
      const file = join(folder, `${name}.wasm`);
      writeFileSync(file, wasmAssets(ROOT).get(`wasm/${name}.wasm`) ?? new Uint8Array());
      return `require("node:fs").readFileSync(${JSON.stringify(file)})`;
    });
}

/** The supervisor's side of the contract with an adapter, for tests: it acknowledges nothing by itself. */
export class AdapterTalk implements AsyncDisposable {
  readonly said: Said[] = [];
  /** What it had kept, as the supervisor would hold it: told so at once, unless {@link keeps} is false. */
  kept: Uint8Array[] = [];
  keeps = true;
  /** Whom the supervisor knows. */
  readonly paired = new Set<string>();
  /** What the process printed; an adapter prints nothing. */
  readonly printed: string[] = [];
  readonly #waiting = new Set<() => void>();
  #tell: (frame: ToAdapter, payload: Uint8Array) => void = () => undefined;
  #end: () => Promise<void> = async () => undefined;
  #ref = 0;

  /** In this process, with every frame checked as the supervisor would. Its exit is told as {@link exited}. */
  static local(platform: Platform): AdapterTalk {
    const talk = new AdapterTalk();
    const events: PipeEvents<ToAdapter>[] = [];
    const adapter = new Adapter(
      platform,
      (on) => {
        events.push(on);
        return {
          send: async (frame, payload) => {
            encodeFrame(frame, payload);
            talk.#hear(FromAdapter.parse(frame), payload);
          },
        };
      },
      (status) => talk.#exited.resolve({ status, signal: null }),
    );
    talk.#tell = (frame, payload) => events.at(0)?.frame(frame, Uint8Array.from(payload));
    talk.#end = async () => {
      talk.tell({ type: "stop" });
      await talk.exited;
    };
    adapter.begin();
    return talk;
  }

  /** A process of its own, confined, with a pipe and a lane to this machine. @param code its program, as {@link programOf} made it. */
  static process(
    platform: "telegram" | "slack" | "signal" | "discord" | "matrix",
    code: string,
  ): AdapterTalk & { readonly child: AdapterChild } {
    const talk = new AdapterTalk();
    const child = spawnChild<FromAdapter, ToAdapter>({
      role: "adapter",
      args: [platform],
      accepts: FromAdapter,
      on: {
        frame: (frame, payload) => talk.#hear(frame, payload),
        exit: ({ status, signal }) => talk.#exited.resolve({ status, signal }),
      },
      log: (line) => talk.printed.push(line),
      stop: { type: "stop" },
      extraStdio: ["pipe"],
      image: { command: process.execPath, args: [...NODE_FLAGS, code] },
    });
    loopbackLane(child.extra(OWN_LANE));
    talk.#tell = (frame, payload) => void child.send(frame, payload).catch(() => undefined);
    talk.#end = async () => {
      await child.kill();
    };
    return Object.assign(talk, { child });
  }

  readonly #exited = Promise.withResolvers<Pick<ChildExit, "status" | "signal">>();
  get exited(): Promise<Pick<ChildExit, "status" | "signal">> {
    return this.#exited.promise;
  }

  #hear(frame: FromAdapter, payload: Uint8Array): void {
    if (frame.type === "store") {
      this.#keep(frame, payload);
      return;
    }
    if (frame.type === "knows") {
      const known = this.paired.has(frame.user);
      setImmediate(() => this.#tell({ type: "known", ref: frame.ref, known }, new Uint8Array()));
    }
    this.said.push({ ...frame, text: Buffer.from(payload).toString("utf8") });
    for (const look of this.#waiting) look();
  }

  #keep({ ref, replaces }: Extract<FromAdapter, { type: "store" }>, payload: Uint8Array): void {
    if (!this.keeps) return;
    this.kept = [...(replaces ? [] : this.kept), Uint8Array.from(payload)];
    // Not within the same turn: it is on a disk first.
    setImmediate(() => this.#tell({ type: "stored", ref }, new Uint8Array()));
  }

  tell(frame: ToAdapter, payload: string | Uint8Array = ""): void {
    this.#tell(frame, typeof payload === "string" ? Buffer.from(payload, "utf8") : payload);
  }

  start(secrets: Record<string, string>, start: Partial<Start> = {}): void {
    for (const [name, value] of Object.entries(secrets)) this.tell({ type: "secret", name }, value);
    for (const record of this.kept) this.#tell({ type: "record" }, record);
    this.tell({ type: "start", check: false, cursor: null, apiRoot: null, ...start });
  }

  /** @returns the next frame of that type that was not returned before; frames of other types stay for others. */
  async next<T extends FromAdapter["type"]>(type: T, fits: (frame: Said<T>) => boolean = () => true): Promise<Said<T>> {
    const found = (): Said<T> | null => {
      for (const [i, frame] of this.said.entries()) {
        if (this.#taken.has(i) || !isOf(frame, type) || !fits(frame)) continue;
        this.#taken.add(i);
        return frame;
      }
      return null;
    };
    const now = found();
    if (now !== null) return now;
    const { promise, resolve } = Promise.withResolvers<Said<T>>();
    const look = (): void => {
      const frame = found();
      if (frame === null) return;
      // Another that arrives with it is for whoever asks next.
      this.#waiting.delete(look);
      resolve(frame);
    };
    this.#waiting.add(look);
    const timer = new AbortController();
    const late = delay(PATIENCE_MS, null, { signal: timer.signal }).catch(() => null);
    const frame = await Promise.race([promise, late]);
    timer.abort();
    this.#waiting.delete(look);
    if (frame === null) throw new Error(`no ${type} frame came; said so far: ${JSON.stringify(this.said)}`);
    return frame;
  }
  readonly #taken = new Set<number>();

  acknowledge({ ref }: { readonly ref: number }, again = false): void {
    this.tell({ type: "acknowledged", ref, again });
  }

  /** Sends a message. @returns what became of it. */
  async send(
    place: string,
    text: string,
    how: Partial<Send> = {},
    files: readonly Attachment[] = [],
  ): Promise<Said<"delivered"> | Said<"undelivered">> {
    this.#ref += 1;
    const ref = this.#ref;
    const shape = { place, thread: null, style: "markdown", card: null, replyTo: null, ...how } as const;
    this.tell({ type: "send", ref, ...shape, ...(files.length === 0 ? {} : { files: files.length }) }, text);
    for (const [index, { name, mime, bytes }] of files.entries())
      this.#tell({ type: "attach", ref, index, name, mime }, bytes);
    return await this.#outcome(ref);
  }

  async edit(place: string, ids: string[], text: string): Promise<Said<"delivered"> | Said<"undelivered">> {
    this.#ref += 1;
    const ref = this.#ref;
    this.tell({ type: "edit", ref, place, thread: null, ids }, text);
    return await this.#outcome(ref);
  }

  async #outcome(ref: number): Promise<Said<"delivered"> | Said<"undelivered">> {
    return await Promise.race([
      this.next("delivered", (frame) => frame.ref === ref),
      this.next("undelivered", (frame) => frame.ref === ref),
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
  }
}

function isOf<T extends FromAdapter["type"]>(frame: Said, type: T): frame is Said<T> {
  return frame.type === type;
}
