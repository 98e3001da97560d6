import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SkillError, type SkillProblem } from "../../skills/skill-error.ts";
import type { SkillFile } from "../../skills/verify.ts";
import { unpackTarGz } from "../../src/unpack/tar.ts";
import { Unpacked } from "../../src/unpack/unpacked.ts";
import { unpackZip } from "../../src/unpack/zip.ts";
import { tarGzOf, tarOf, zipOf } from "../support/archives.ts";

async function fromZip(bytes: Uint8Array): Promise<Map<string, SkillFile>> {
  const files = new Unpacked();
  await unpackZip(bytes, files);
  return files.finish();
}

function fromTar(bytes: Uint8Array): Map<string, SkillFile> {
  const files = new Unpacked();
  unpackTarGz(bytes, files);
  return files.finish();
}

async function problem(read: () => unknown): Promise<SkillProblem> {
  try {
    await read();
  } catch (error) {
    if (error instanceof SkillError) return error.code;
    throw error;
  }
  throw new Error("it was unpacked");
}

const text = Buffer.from("---\nname: x\n");
const script = Buffer.from("#!/bin/sh\n");

describe("an archive of a skill", () => {
  test("gives its files, and which of them may be run, from below the one folder that it may have", async () => {
    const zip = await fromZip(
      zipOf([
        { name: "greet/", mode: 0o040755 },
        { name: "greet/SKILL.md", bytes: text },
        { name: "greet/scripts/go.sh", bytes: script, mode: 0o100755 },
      ]),
    );
    const tar = fromTar(
      tarGzOf([
        { name: "greet/", type: "5" },
        { name: "greet/SKILL.md", bytes: text },
        { name: "greet/scripts/go.sh", bytes: script, mode: 0o755 },
      ]),
    );
    for (const files of [zip, tar]) {
      expect([...files.keys()]).toEqual(["SKILL.md", "scripts/go.sh"]);
      expect(Buffer.from(files.get("SKILL.md")?.bytes ?? []).equals(text)).toBe(true);
      expect([...files.values()].map(({ executable }) => executable)).toEqual([false, true]);
    }
    expect([...fromTar(tarGzOf([{ name: "./SKILL.md", bytes: text }])).keys()]).toEqual(["SKILL.md"]);
  });

  test("with a long name in a pax header has that name", () => {
    const long = `${"d".repeat(90)}/${"f".repeat(60)}`;
    const record = ` path=${long}\n`;
    const length = String(record.length + 3).length + record.length;
    const pax = Buffer.from(`${length}${record}`);
    expect([
      ...fromTar(
        tarGzOf([
          { name: "pax", bytes: pax, type: "x" },
          { name: "cut", bytes: text },
          { name: "SKILL.md", bytes: text },
        ]),
      ).keys(),
    ]).toContain(long);
  });

  test.for([
    "../evil",
    "a/../../evil",
    "/etc/cron.d/evil",
    "a\\..\\evil",
    "C:\\evil",
    "a/./b",
    "a//b",
    "nul",
    "\u202eevil",
    "evil\u0000.txt",
    "nähe",
  ])("with the path %j is refused", async (name) => {
    expect(await problem(() => fromZip(zipOf([{ name: "SKILL.md", bytes: text }, { name }])))).toMatch(
      /path|malformed/,
    );
    if (!name.includes("\0"))
      expect(await problem(() => fromTar(tarGzOf([{ name: "SKILL.md", bytes: text }, { name }])))).toBe("path");
  });

  test("with a link, a device, a path twice, or two that differ by case is refused", async () => {
    expect(
      await problem(() => fromZip(zipOf([{ name: "l", bytes: Buffer.from("/etc/passwd"), mode: 0o120777 }]))),
    ).toBe("link");
    expect(await problem(() => fromTar(tarGzOf([{ name: "l", type: "2" }])))).toBe("link");
    expect(await problem(() => fromTar(tarGzOf([{ name: "l", type: "1" }])))).toBe("link");
    expect(await problem(() => fromTar(tarGzOf([{ name: "d", type: "3" }])))).toBe("malformed");
    expect(await problem(() => fromZip(zipOf([{ name: "d", mode: 0o020644 }])))).toBe("malformed");
    expect(await problem(() => fromZip(zipOf([{ name: "a" }, { name: "a" }])))).toBe("malformed");
    expect(await problem(() => fromTar(tarGzOf([{ name: "a" }, { name: "a" }])))).toBe("malformed");
    expect(await problem(() => fromTar(tarGzOf([{ name: "A" }, { name: "a" }])))).toBe("malformed");
    expect(await problem(() => fromTar(tarGzOf([{ name: "D/a" }, { name: "d/b" }])))).toBe("malformed");
  });

  test("of ten thousand files is refused", async () => {
    const many = Array.from({ length: 10_000 }, (_, at) => ({ name: `f${at}` }));
    expect(await problem(() => fromZip(zipOf(many)))).toBe("too-large");
    expect(await problem(() => fromTar(tarGzOf(many)))).toBe("too-large");
    const folders = many.map(({ name }) => ({ name: `${name}/` }));
    expect(await problem(() => fromZip(zipOf(folders)))).toBe("too-large");
    expect(await problem(() => fromTar(tarGzOf(folders.map((one) => ({ ...one, type: "5" })))))).toBe("too-large");
  });

  test("that is a bomb is not unpacked: not one that says so, nor one that lies", async () => {
    const zeros = Buffer.alloc(40 * 1024 * 1024);
    const before = process.memoryUsage().rss;
    const honest = zipOf([{ name: "bomb", bytes: zeros }]);
    const lying = zipOf([{ name: "bomb", bytes: zeros, claims: 100 }]);
    const tar = gzipSync(zeros);
    expect(tar.length).toBeLessThan(1024 * 1024);
    expect(await problem(() => fromZip(honest))).toBe("too-large");
    expect(await problem(() => fromZip(lying))).toBe("malformed");
    expect(await problem(() => fromTar(tar))).toBe("too-large");
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024);
  });

  test("that is cut short, or of any other bytes, is refused and nothing else", async () => {
    const zip = zipOf([{ name: "SKILL.md", bytes: text }]);
    const tar = tarOf([{ name: "SKILL.md", bytes: text }]);
    for (let end = 0; end < zip.length; end++)
      expect(await problem(() => fromZip(zip.subarray(0, end)))).toBe("malformed");
    for (let end = 0; end <= 1024; end += 64)
      expect(await problem(() => fromTar(gzipSync(tar.subarray(0, end))))).toBe("malformed");
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 600 }), async (any) => {
        expect(await problem(() => fromZip(any))).toBe("malformed");
        expect(await problem(() => fromTar(any))).toBe("malformed");
        expect(await problem(() => fromTar(gzipSync(Buffer.concat([any, Buffer.alloc(512, 7)]))))).toMatch(
          /malformed|path|too-large|link/,
        );
      }),
      { numRuns: 50 },
    );
  });

  test("with any one bit of it changed is the same files, or refused", async () => {
    const zip = zipOf([{ name: "SKILL.md", bytes: text }]);
    for (let at = 0; at < zip.length; at++)
      for (const bit of [0x01, 0x10, 0x80]) {
        const changed = Buffer.from(zip);
        changed[at] = (changed[at] ?? 0) ^ bit;
        const files = await fromZip(changed).catch((error: unknown) => {
          expect(error).toBeInstanceOf(SkillError);
          return null;
        });
        for (const [path, { bytes }] of files ?? []) {
          expect(path).toMatch(/^[A-Za-z0-9._+-]+$/);
          expect(bytes.length).toBeLessThan(1000);
        }
      }
  });
});
