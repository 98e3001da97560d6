import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { knownCalls, type Machine, numberOf } from "../../src/confine/syscalls.ts";

/** The kernel's own numbers, as its headers have them: on this machine only one of the two tables is ever used. */
const HEADERS: Readonly<Record<Machine, readonly string[]>> = {
  x64: ["/usr/include/x86_64-linux-gnu", "/usr/x86_64-linux-gnu/include"],
  arm64: ["/usr/include/aarch64-linux-gnu", "/usr/aarch64-linux-gnu/include"],
};
/** From this number on a call has one number everywhere. Headers that are older than a call do not name it. */
const SAME_EVERYWHERE = 424;

const NO_CALLS = new Set(["__NR_syscalls", "__NR_arch_specific_syscall"]);

function headersOf(machine: Machine): ReadonlyMap<string, number> {
  const folder = HEADERS[machine].find((one) => existsSync(`${one}/asm/unistd.h`));
  if (folder === undefined) throw new Error(`the kernel's headers for ${machine} are not installed`);
  const words = ["-E", "-dM", "-undef", machine === "x64" ? "-D__x86_64__" : "-D__aarch64__", "-isystem", folder, "-"];
  const text = execFileSync("cc", words, { input: "#include <asm/unistd.h>\n", encoding: "utf8" });
  const macros = new Map<string, string>();
  for (const [, name = "", value = ""] of text.matchAll(/^#define (\w+) +(\w+)$/gm)) macros.set(name, value);
  const valueOf = (name: string): number => {
    const value = macros.get(name);
    return value === undefined ? Number.NaN : /^\d+$/.test(value) ? Number(value) : valueOf(value);
  };
  // Not calls: how many there are, and where those of one machine begin.
  const names = [...macros.keys()].filter((name) => name.startsWith("__NR_") && !NO_CALLS.has(name));
  return new Map(names.map((name) => [name.slice("__NR_".length), valueOf(name)]));
}

describe.for(["x64", "arm64"] as const)("on %s", (machine) => {
  const numbers = headersOf(machine);
  const newest = Math.max(...[...numbers.values()].filter((number) => !Number.isNaN(number)));

  test("the headers are a table of several hundred calls", () => {
    expect(numbers.size).toBeGreaterThan(300);
    expect(numbers.get("openat")).toBe(machine === "x64" ? 257 : 56);
  });

  test("every call here has the number that they give it, or none where they know none", () => {
    const named = knownCalls().filter((name) => numbers.has(name));
    expect(named.length).toBeGreaterThan(200);
    expect(named.map((name) => [name, numberOf(machine, name)])).toEqual(
      named.map((name) => [name, numbers.get(name)]),
    );
    for (const name of knownCalls().filter((one) => !numbers.has(one))) {
      const ours = numberOf(machine, name);
      if (ours === null) continue;
      // It is newer than the headers, and has one number everywhere.
      expect(ours, name).toBeGreaterThan(newest);
      expect(ours, name).toBeGreaterThanOrEqual(SAME_EVERYWHERE);
      expect(numberOf("x64", name), name).toBe(numberOf("arm64", name));
    }
  });
});
