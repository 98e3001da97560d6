import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { BECOME, Piece, programOf, type Step } from "../../src/confine/program.ts";
import { knownMachine } from "../../src/confine/syscalls.ts";

const root = mkdtempSync(join(tmpdir(), "wirken-program-"));
const machine = knownMachine(process.arch) ?? "x64";
afterAll(() => rmSync(root, { recursive: true, force: true }));
let made = 0;

/** Runs a program that begins behind its first step. Where it cannot become another one its last step ends it. */
function run(steps: readonly Step[], ...args: readonly string[]): { status: number | null; out: string } {
  const path = join(root, `program-${(made += 1)}`);
  writeFileSync(path, programOf(machine, [{ call: "execve", words: [], refused: steps.length }, ...steps], 1), {
    mode: 0o755,
  });
  const { status, stdout } = spawnSync(path, [...args], { timeout: 10_000, env: { GIVEN: "it" }, encoding: "utf8" });
  return { status, out: stdout };
}
const say = (words: string): Step => ({ call: "write", words: [1, Piece.text(words), words.length] });
const end = (status: number): Step => ({ call: "exit_group", words: [status] });

describe("a program of some system calls", () => {
  test("makes them one after the other, and ends with the status that it is to", () => {
    expect(run([say("one "), say("two"), end(7)])).toEqual({ status: 7, out: "one two" });
  });

  test("goes on elsewhere where the kernel refuses one", () => {
    const missing: Step = { call: "openat", words: [-100, Piece.text("/nowhere"), 0], refused: 3 };
    expect(run([missing, say("not "), say("here"), end(0)])).toEqual({ status: 0, out: "here" });
  });

  test("goes on elsewhere where one was done, if it is to", () => {
    expect(run([{ ...say("once "), next: 3 }, say("not "), say("again"), end(0)]).out).toBe("once again");
  });

  test("gives the answer of one to another, and puts it where it is to be found", () => {
    const word = new Piece(new Uint8Array(8));
    const { out } = run([
      { call: "dup", words: [1], answer: { step: 2, word: 0 } },
      { call: "write", words: [0, Piece.text("by the copy "), 12], answer: { piece: word, at: 0 } },
      { call: "write", words: [1, word, 1] },
      end(0),
    ]);
    expect(out).toBe("by the copy \f");
  });

  test("becomes the program that it is given, with its arguments and its environment", () => {
    const { out, status } = run(
      [{ call: "getpid", words: [], next: BECOME }],
      "/bin/sh",
      "-c",
      'echo "$0 $1 $GIVEN"; exit 3',
      "a",
      "b",
    );
    expect({ out, status }).toEqual({ out: "a b it\n", status: 3 });
  });

  test("goes on where what it is given is no program", () => {
    expect(run([{ call: "getpid", words: [], next: BECOME }, end(5)], "/nowhere").status).toBe(5);
  });
});

test("a path that would end in its middle is none", () => {
  expect(() => Piece.text("/etc\0/passwd")).toThrow("NUL");
});

test.for(["x64", "arm64"] as const)("a program for %s is an executable file of that machine", (of) => {
  const file = programOf(of, [{ call: "execve", words: [] }, end(0)], 1);
  expect([...file.subarray(0, 7)]).toEqual([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  expect(file[18]).toBe(of === "x64" ? 62 : 183);
});
