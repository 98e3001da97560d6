import { resolve } from "node:path";
import { expect, test } from "vitest";
import { NODE_FLAGS } from "../../src/confine/flags.ts";
import { FromIngress, type ToIngress } from "../../src/ipc/ingress-frames.ts";
import { spawnChild } from "../../src/supervisor/child.ts";

const MAIN = resolve(import.meta.dirname, "../../src/ingress/main.ts");

function start() {
  const heard: FromIngress[] = [];
  const lines: string[] = [];
  const child = spawnChild<FromIngress, ToIngress>({
    role: "ingress",
    accepts: FromIngress,
    image: { command: process.execPath, args: [...NODE_FLAGS, MAIN] },
    extraStdio: ["pipe"],
    stop: { type: "stop" },
    log: (line) => lines.push(line),
    on: { frame: (frame) => heard.push(frame) },
  });
  return { child, heard, lines };
}

test("ingress says ready, and listens when it is told to", async () => {
  const { child, heard, lines } = start();
  await child.send({ type: "start", port: 0 });
  await expect.poll(() => heard.map(({ type }) => type), { timeout: 10_000 }).toEqual(["ready", "listening"]);
  expect(await child.stop()).toMatchObject({ status: 0, signal: null });
  expect(lines).toEqual([]);
});

test("ingress that is told to listen twice ends, and says why", async () => {
  const { child, lines } = start();
  await child.send({ type: "start", port: 0 });
  await child.send({ type: "start", port: 0 });
  expect(await child.exited).toMatchObject({ status: 1 });
  expect(lines.join("\n")).toContain("started twice");
});

test("garbage on the lane ends ingress", async () => {
  const { child, lines } = start();
  const lane = child.extra(4);
  lane.on("error", () => undefined);
  lane.write(Buffer.from("\x00\x00\x00\x20\x00\x00\x00\x02{}GET / HTTP/1.1"));
  lane.write(Buffer.alloc(64, 0x41));
  expect(await child.exited).toMatchObject({ status: 1 });
  expect(lines.join("\n")).toContain("the lane to web ended: malformed");
});
