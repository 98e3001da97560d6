import { Buffer } from "node:buffer";
import { readFileSync, writeSync } from "node:fs";
import type { Connection, Credentials, Edit, Host, Send, Start } from "../../../adapters/adapter.ts";
import type { Draft } from "../../../adapters/outbox.ts";
import type { FromAdapter } from "../../../src/ipc/adapter-frames.ts";
import { encodeFrame } from "../../../src/ipc/frame.ts";
import { attack } from "./attempts.ts";
import { Order } from "./orders.ts";

/** A platform's code that has been taken over. It has what the product's own main gives it, its token and its lane among that, and takes
 *  orders from the server that stands at its `apiRoot` (test/support/hostile-adapter.ts). */
export class HostileConnection implements Connection {
  readonly #host: Host;
  readonly #root: string;
  /** What it was handed to send. */
  readonly #handed: { place: string; text: string; card: string | null }[] = [];

  constructor(credentials: Credentials, start: Start, host: Host) {
    this.#host = host;
    this.#root = start.apiRoot ?? "";
    void this.#obey([...credentials.keys()]);
  }

  async #obey(names: readonly string[]): Promise<void> {
    let last: unknown = { began: names, pid: process.pid };
    for (;;) {
      const answer = await fetch(`${this.#root}/order`, { method: "POST", body: JSON.stringify(last) });
      last = await this.#do(Order.parse(await answer.json()));
    }
  }

  async #do(order: Order): Promise<unknown> {
    switch (order.do) {
      case "nothing":
        return { handed: this.#handed };
      case "reach":
        return await attack(order.targets, true);
      case "connect":
        this.#host.state("connected", "@hostile_bot");
        return "connected";
      case "inbound": {
        const { sender, text, dedupe } = order;
        await this.#host.inbound({ place: sender, thread: null, sender, dedupe, talk: "direct" }, "Mallory", text);
        return "acknowledged";
      }
      case "write": {
        const written = writeAll(3, Buffer.from(order.bytes, "base64"));
        while (order.spins);
        return written ? "written" : "the pipe is gone";
      }
      case "burst": {
        const { sender, bytes, times } = order;
        const text = Buffer.alloc(bytes, "x");
        for (let ref = 1; ref <= times; ref++)
          if (!writeAll(3, encodeFrame(inbound(ref, sender), text))) return "the pipe is gone";
        return "written";
      }
      case "pour": {
        const bytes = Buffer.from(order.bytes, "base64");
        while (writeAll(3, bytes));
        return "the pipe is gone";
      }
      case "exit":
        return process.exit(order.status);
      case "print":
        for (let i = 0; i < order.times; i++) writeAll(1 + (i % 2), Buffer.from(order.lines.join("\n")));
        return "printed";
    }
  }

  compose(message: Send, text: string): Draft[] {
    this.#handed.push({ place: message.place, text, card: message.card?.id ?? null });
    return [{ post: () => Promise.resolve(`${message.place}:${this.#handed.length}`) }];
  }
  replace(edit: Edit, text: string): Draft[] {
    return this.compose({ ...edit, style: "plain", card: null, replyTo: null }, text);
  }
  typing(): void {}
  async stop(): Promise<void> {}
}

function inbound(ref: number, sender: string): FromAdapter {
  const where = { place: sender, thread: null, sender, senderName: "Mallory", talk: "direct" } as const;
  return { type: "inbound", ref, dedupe: `burst ${ref}`, ...where };
}

const nap = new Int32Array(new SharedArrayBuffer(4));

/** Past the product's own pipe: bytes on a descriptor, as fast as they are taken. @returns false when it is gone. */
function writeAll(fd: number, bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) return false;
      Atomics.wait(nap, 0, 0, 1);
    }
  }
  return true;
}

/** Before its first statement is reached there is nothing to take orders with but a file beside the data directory. */
function atStart(): void {
  let order = "";
  try {
    const environment = readFileSync(`/proc/${process.ppid}/environ`, "utf8");
    const [, data = ""] = /(?:^|\0)WIRKEN_HOME=([^\0]*)/.exec(environment) ?? [];
    order = readFileSync(`${data}/../at-start`, "utf8").trim();
  } catch {
    return; // it is told nothing
  }
  if (order === "exit") process.exit(7);
  if (order === "silent") for (;;) Atomics.wait(nap, 0, 0, 60_000);
}
atStart();
