import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import * as z from "zod/mini";
import type { MatrixServer } from "./matrix-server.ts";

/** Only a failure takes so long: a daemon that starts again on a busy machine takes its part of it. */
const PATIENCE_MS = 45_000;

/** What it says: what it heard, or what became of what it was asked. */
const Line = z.looseObject({
  ready: z.optional(z.boolean()),
  heard: z.optional(z.nullable(z.string())),
  sent: z.optional(z.string()),
  failed: z.optional(z.string()),
  forgot: z.optional(z.boolean()),
  encrypted: z.optional(z.boolean()),
  id: z.optional(z.string()),
  room: z.optional(z.string()),
  html: z.optional(z.nullable(z.string())),
  relates: z.optional(z.record(z.string(), z.unknown())),
  content: z.optional(z.record(z.string(), z.unknown())),
});
type Line = z.infer<typeof Line>;

/** A person on Matrix whose program is not ours: matrix-nio with libolm, in a process of its own. */
export class NioPeer implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #folder: string;
  readonly lines: Line[] = [];
  readonly #taken = new Set<Line>();
  readonly #waiting = new Set<() => void>();
  #errors = "";

  private constructor(child: ChildProcessWithoutNullStreams, folder: string) {
    this.#child = child;
    this.#folder = folder;
    createInterface({ input: child.stdout }).on("line", (text) => {
      this.lines.push(Line.parse(JSON.parse(text)));
      for (const look of this.#waiting) look();
    });
    child.stderr.on("data", (bytes: unknown) => (this.#errors += String(bytes)));
  }

  static async start(server: MatrixServer, user: string, device = "NIODEVICE"): Promise<NioPeer> {
    const folder = mkdtempSync(join(tmpdir(), "wirken-nio-"));
    const token = server.other(user, device);
    const program = join(import.meta.dirname, "nio-peer.py");
    const child = spawn("/usr/bin/python3", [program, server.root, user, device, token, folder]);
    const peer = new NioPeer(child, folder);
    await peer.next((line) => line.ready === true);
    return peer;
  }

  async next(fits: (line: Line) => boolean): Promise<Line> {
    const until = performance.now() + PATIENCE_MS;
    for (;;) {
      const found = this.lines.find((line) => !this.#taken.has(line) && fits(line));
      if (found !== undefined) {
        this.#taken.add(found);
        return found;
      }
      if (performance.now() > until)
        throw new Error(`the peer did not say that: ${JSON.stringify(this.lines)} ${this.#errors}`);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.add(resolve);
      const timer = setTimeout(resolve, 1_000);
      await promise;
      clearTimeout(timer);
      this.#waiting.delete(resolve);
    }
  }

  async send(room: string, body: string, more: object = {}): Promise<string> {
    return await this.event(room, "m.room.message", { msgtype: "m.text", body, ...more });
  }

  async event(room: string, type: string, content: object): Promise<string> {
    this.#child.stdin.write(`${JSON.stringify({ do: "send", room, type, content })}\n`);
    const line = await this.next(({ sent, failed }) => sent !== undefined || failed !== undefined);
    if (line.sent === undefined) throw new Error(`the peer could not send: ${line.failed ?? ""}`);
    return line.sent;
  }

  /** The next message is encrypted with a new key. */
  async renew(room: string): Promise<void> {
    this.#child.stdin.write(`${JSON.stringify({ do: "forget", room })}\n`);
    await this.next(({ forgot }) => forgot === true);
  }

  async heard(body: string): Promise<Line> {
    return await this.next(({ heard }) => heard === body);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
