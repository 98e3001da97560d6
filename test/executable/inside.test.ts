import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Spec, Validation } from "@cyclonedx/cyclonedx-library";
import { beforeAll, expect, test } from "vitest";
import * as z from "zod/mini";
import { WIRKEN } from "../support/daemon.ts";

const ROOT = join(import.meta.dirname, "../..");
const Bill = z.object({
  components: z.array(
    z.object({
      type: z.string(),
      group: z.optional(z.string()),
      name: z.string(),
      version: z.string(),
      hashes: z.optional(z.array(z.object({ alg: z.string(), content: z.string() }))),
      components: z.optional(z.array(z.object({ name: z.string(), version: z.string() }))),
    }),
  ),
});
const Lock = z.object({
  packages: z.record(
    z.string(),
    z.object({
      dev: z.optional(z.boolean()),
      license: z.optional(z.string()),
      integrity: z.optional(z.string()),
      version: z.optional(z.string()),
    }),
  ),
});

/** Licences that let anybody use, change and pass on what is under them. */
const PERMISSIVE = new Set(["MIT", "ISC", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "0BSD"]);
const lock = Lock.parse(JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"))).packages;

function wirken(...words: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(WIRKEN, words, { encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
}

let bill = "";
beforeAll(() => {
  bill = wirken("sbom").stdout;
});

test("the bill of materials is one that CycloneDX's own checker takes", async () => {
  const checker = new Validation.JsonStrictValidator(Spec.Version.v1dot6);
  expect(await checker.validate(bill)).toBeNull();
  expect(await checker.validate(bill.replace('"CycloneDX"', '"Cyclone"'))).not.toBeNull();
});

test("it names what is inside, each package as the lock file has it, and Node with what Node is made of", () => {
  const { components } = Bill.parse(JSON.parse(bill));
  const named = new Map(
    components.map((one) => [one.group === undefined ? one.name : `${one.group}/${one.name}`, one]),
  );
  for (const name of ["better-sqlite3", "libsodium-wrappers", "commander", "grammy", "matrix-js-sdk", "zod"])
    expect(named.get(name)?.version, name).toBe(lock[`node_modules/${name}`]?.version);
  // What is only built or tested with is not there.
  for (const name of ["esbuild", "vitest", "typescript"]) expect(named.has(name)).toBe(false);
  const zod = Buffer.from(lock["node_modules/zod"]?.integrity?.slice(7) ?? "", "base64").toString("hex");
  expect(named.get("zod")?.hashes).toEqual([{ alg: "SHA-512", content: zod }]);
  expect(named.get("node")?.components?.map(({ name }) => name)).toEqual(
    expect.arrayContaining(["openssl", "uv", "v8", "zlib"]),
  );
});

test("the licence of each package is printed to the letter, and that of Node", () => {
  const theirs = readFileSync(join(ROOT, "node_modules/grammy/LICENSE"), "utf8").trim();
  expect(wirken("licences", "grammy").stdout).toContain(theirs);
  expect(wirken("licences", "node").stdout).toContain("Node.js is licensed for use as follows");
  expect(wirken("licences").stdout).toMatch(/^grammy +\S+ +MIT$/m);
  expect(wirken("licences", "left-pad")).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("no code of left-pad"),
  });
});

test("whatever is shipped may be passed on by anybody: MIT, ISC, Apache, BSD", () => {
  const shipped = Object.entries(lock).filter(([path, { dev }]) => path !== "" && dev !== true);
  expect(shipped.length).toBeGreaterThan(100);
  const others = shipped.filter(
    ([, { license = "none" }]) =>
      !license
        .replaceAll(/[()]/g, "")
        .split(" OR ")
        .some((one) => PERMISSIVE.has(one)),
  );
  expect(others.map(([path, { license }]) => `${path}: ${String(license)}`)).toEqual([]);
});

test("no package runs a script of its own when it is installed", () => {
  expect(readFileSync(join(ROOT, ".npmrc"), "utf8")).toContain("ignore-scripts=true");
  expect(existsSync(join(ROOT, "node_modules/better-sqlite3/build"))).toBe(false);
});
