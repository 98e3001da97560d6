import { resolve } from "node:path";
import { expect, test } from "vitest";
import { NODE_FLAGS } from "../../src/confine/flags.ts";
import { unpackFiles } from "../../skills/packed.ts";
import { FromUnpack, type ToUnpack } from "../../src/ipc/unpack-frames.ts";
import { spawnChild } from "../../src/supervisor/child.ts";
import { tarGzOf, zipOf } from "../support/archives.ts";

const MAIN = resolve(import.meta.dirname, "../../src/unpack/main.ts");

/** A real process behind its walls. @returns all that it said, once it is gone. */
async function asked(order: ToUnpack, payload: Uint8Array): Promise<readonly (readonly [FromUnpack, Uint8Array])[]> {
  const said: (readonly [FromUnpack, Uint8Array])[] = [];
  const child = spawnChild<FromUnpack, ToUnpack>({
    role: "unpack",
    args: [],
    accepts: FromUnpack,
    image: { command: process.execPath, args: [...NODE_FLAGS, MAIN] },
    stop: { type: "stop" },
    log: () => undefined,
    on: { frame: (frame, bytes) => said.push([frame, bytes]) },
  });
  void child.send(order, payload).catch(() => undefined);
  expect((await child.exited).status).toBe(0);
  return said.filter(([{ type }]) => type !== "ready");
}

test("an unpack process reads archives and front matter behind all of its walls, and ends", async () => {
  const bytes = Buffer.alloc(3_000_000, "x");
  const [zip] = await asked({ type: "unpack", archive: "zip" }, zipOf([{ name: "SKILL.md", bytes }]));
  expect(zip?.[0]).toEqual({ type: "unpacked" });
  expect(Buffer.from(unpackFiles(zip?.[1] ?? new Uint8Array()).get("SKILL.md")?.bytes ?? []).equals(bytes)).toBe(true);
  const [tar] = await asked({ type: "unpack", archive: "tar.gz" }, tarGzOf([{ name: "SKILL.md", bytes }]));
  expect(unpackFiles(tar?.[1] ?? new Uint8Array()).size).toBe(1);
  const [read] = await asked({ type: "front-matter" }, Buffer.from("name: greet\ndescription: Greets.\n"));
  expect(JSON.parse(Buffer.from(read?.[1] ?? []).toString())).toMatchObject({ name: "greet", description: "Greets." });
  const [bad] = await asked({ type: "front-matter" }, Buffer.from("name: [\n"));
  expect(bad?.[0]).toEqual({ type: "failed", problem: "malformed" });
});
