import { readlinkSync } from "node:fs";
import { HiddenKeyboard } from "../../src/cli/hidden-keyboard.ts";

/** Asks for two secrets, and tells their lengths. Between the two it waits for keys: with the keyboard in its hand, or given back. */
const [between = "held", keys = "0"] = process.argv.slice(2);
const waited = Number(keys);

process.stdout.write(`process ${process.pid} on ${readlinkSync("/proc/self/fd/0")}.\n`);
process.on("SIGUSR2", () => process.exit(3));
process.on("SIGWINCH", () => {
  throw new Error("a bug");
});

async function typed(): Promise<void> {
  let left = waited;
  const all = Promise.withResolvers<void>();
  const count = (chunk: Buffer): void => {
    left -= chunk.length;
    if (left <= 0) all.resolve();
  };
  process.stdin.on("data", count).resume();
  process.stdout.write("between\n");
  if (left > 0) await all.promise;
  process.stdin.off("data", count);
}

async function ask(keyboard: HiddenKeyboard, question: string): Promise<void> {
  const line = await keyboard.ask(question);
  process.stdout.write(`${line.length} bytes\n`);
}

if (between === "held") {
  using keyboard = new HiddenKeyboard();
  await ask(keyboard, "one: ");
  await typed();
  await ask(keyboard, "two: ");
} else {
  using first = new HiddenKeyboard();
  await ask(first, "one: ");
  first[Symbol.dispose]();
  await typed();
}
