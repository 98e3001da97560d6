import { existsSync, readdirSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { parse } from "jsonc-parser";
import { describe, expect, test } from "vitest";
import { z } from "zod/mini";
import { ENTRIES } from "../../src/main.ts";
import { NETWORK, ROOMS, roomOf } from "./rooms.ts";
import { COMPUTED, importsOf } from "./scan.ts";

const root = resolve(import.meta.dirname, "../..");

function sourcesUnder(folder: string): string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(?:ts|mts|js|mjs)$/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

/** What is wrong with one import, or null. */
function fault(path: string, specifier: string): string | null {
  const from = roomOf(path);
  const room = from === null ? undefined : ROOMS[from];
  if (room === undefined) return `${path} lies in no room`;
  if (specifier === COMPUTED) return `${path} computes what it imports`;
  if (specifier.startsWith(".")) {
    const target = relative(root, resolve(root, dirname(path), specifier));
    // Data lies beside what reads it.
    if (!/\.(ts|json)$/.test(specifier)) return `${path} imports ${specifier} without its ending`;
    const to = roomOf(target);
    if (to === from || (to !== null && room.ours.includes(to))) return null;
    return `${path} imports ${target}, of ${to ?? "no room"}`;
  }
  if (isBuiltin(specifier)) {
    if (!specifier.startsWith("node:")) return `${path} imports ${specifier} without node:`;
    const module = specifier.split("/", 1).join("");
    return NETWORK.includes(module) && !room.network.includes(module) ? `${path} imports ${specifier}` : null;
  }
  const name = specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
  return room.packages.includes(name) ? null : `${path} imports the package ${name}`;
}

describe("what a file imports is found", () => {
  test.for([
    ['import { a } from "./a.ts";', ["./a.ts"]],
    ['import type { A } from "./a.ts";\nexport { b } from \'./b.ts\';\nexport * from "c";', ["./a.ts", "./b.ts", "c"]],
    ['import "./effect.ts";', ["./effect.ts"]],
    ['const x = await import("./late.ts");', ["./late.ts"]],
    ['type X = typeof import("./type.ts");', ["./type.ts"]],
    ["const x = import(name);", [COMPUTED]],
    ['const x = import(`./a.ts`), y = require("b");', ["./a.ts", "b"]],
    ['// import "a";\n/* import "b"; */ const text = "import \\"c\\"";', []],
    ['const t = `import ${f(`}`, { a: 1 })} "x"`;\nimport "d";', ["d"]],
    ['const r = /["\'`/]/g;\nimport "e";', ["e"]],
    ['import {\n  a,\n  b as c,\n} from "f";', ["f"]],
    ["const half = a / b;\nconst s = \"/\";\nimport 'g';", ["g"]],
  ] as const)("%s", ([source, expected]) => {
    expect(importsOf(source).map(({ specifier }) => specifier)).toEqual(expected);
  });

  test.for([
    ["src/ipc/pipe.ts", "../supervisor/main.ts", "src/ipc/pipe.ts imports src/supervisor/main.ts, of src/supervisor"],
    ["src/agent/main.ts", "node:http", "src/agent/main.ts imports node:http"],
    ["src/supervisor/main.ts", "@slack/web-api", "src/supervisor/main.ts imports the package @slack/web-api"],
    ["src/supervisor/main.ts", "../../adapters/slack/convert.ts", "of adapters/slack"],
    ["adapters/slack/main.ts", "../telegram/convert.ts", "of adapters/telegram"],
    ["audit/verify.ts", "../src/ipc/ids.ts", "of src/ipc"],
    ["src/cli/main.ts", "fs", "without node:"],
    ["src/cli/main.ts", "./help", "without its ending"],
    ["src/new/thing.ts", "./a.ts", "lies in no room"],
  ] as const)("%s may not import %s", ([path, specifier, says]) => {
    expect(fault(path, specifier)).toContain(says);
  });
});

test("every file imports only what its room may", () => {
  const paths = ["src", "adapters", "audit", "vault", "skills"].flatMap((folder) => sourcesUnder(folder));
  expect(paths.length).toBeGreaterThan(20);
  const faults = paths.flatMap((path) =>
    importsOf(readFileSync(join(root, path), "utf8")).flatMap(({ specifier, line }) => {
      const wrong = fault(path, specifier);
      return wrong === null ? [] : [`${wrong} (line ${line})`];
    }),
  );
  expect(faults).toEqual([]);
});

const Project = z.looseObject({ include: z.optional(z.array(z.string())) });
const Solution = z.looseObject({ references: z.array(z.object({ path: z.string() })) });

function read<T>(path: string, schema: z.ZodMiniType<T>): T {
  const value: unknown = parse(readFileSync(join(root, path), "utf8"));
  return schema.parse(value);
}

test("every program is compiled as a project that sees only what its room may import", () => {
  const programs = Object.entries(ENTRIES);
  const rooms = new Set(programs.map(([, entry]) => roomOf(entry)));
  expect(rooms.size).toBe(programs.length);
  for (const room of rooms) {
    if (room === null) throw new Error("an entry lies in no room");
    const { include = [] } = read(join(room, "tsconfig.json"), Project);
    const seen = include.map((path) => relative(root, resolve(root, room, path)));
    const allowed = [room, ...(ROOMS[room]?.ours ?? [])];
    const closure = new Set(allowed);
    for (const one of closure) for (const next of ROOMS[one]?.ours ?? []) closure.add(next);
    expect(
      seen.filter((path) => !closure.has(roomOf(path) ?? "")),
      `${room} compiles what it may not see`,
    ).toEqual([]);
  }
});

test("every project is part of the solution that npm test checks", () => {
  const { references } = read("tsconfig.json", Solution);
  const listed = references.map(({ path }) => relative(root, resolve(root, path)));
  const present = ["src", "adapters", "audit", "vault", "skills", "scripts", "test"].flatMap((folder) =>
    existsSync(join(root, folder))
      ? readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
          .filter((entry) => entry.name === "tsconfig.json")
          .map((entry) => relative(root, entry.parentPath))
      : [],
  );
  expect(present.filter((path) => !listed.includes(path))).toEqual([]);
  expect(listed.filter((path) => !present.includes(path))).toEqual([]);
});
