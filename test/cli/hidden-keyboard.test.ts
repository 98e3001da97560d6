import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Terminal } from "../support/terminal.ts";

const program = join(import.meta.dirname, "hidden-keyboard-program.ts");

function run(words: string, after = ""): Terminal {
  return new Terminal(`'${process.execPath}' '${program}' ${words}; ${after}`, { PATH: process.env["PATH"] });
}

/** The program's process and its terminal, as it tells them. */
async function told(terminal: Terminal): Promise<{ pid: number; tty: string }> {
  await terminal.shows(".\n");
  const [, pid = "", tty = ""] = /process (\d+) on (\S+)\.\n/.exec(terminal.screen) ?? [];
  return { pid: Number(pid), tty };
}

test("what is typed between two questions is shown once the keyboard was given back: so the screen would show it", async () => {
  await using terminal = run("given-back 7");
  await terminal.shows("one: ");
  terminal.type("first\r");
  await terminal.shows("between");
  terminal.type("second\r");
  await terminal.shows("second");
  expect(terminal.screen).not.toContain("first");
});

test("what is typed between two questions is not shown, and answers the second", async () => {
  await using terminal = run("held 7");
  await terminal.shows("one: ");
  terminal.type("first\r");
  await terminal.shows("5 bytes");
  await terminal.shows("between");
  terminal.type("second\r");
  await terminal.shows("two: ");
  await terminal.shows("6 bytes");
  await terminal.status();
  expect(terminal.screen).not.toContain("first");
  expect(terminal.screen).not.toContain("second");
});

test.for(["\r", "\n", "\r\n"])("two lines pasted at once with %j between them answer both questions", async (end) => {
  await using terminal = run("held");
  await terminal.shows("one: ");
  terminal.type(`abc${end}defgh${end}`);
  await terminal.shows("two: ");
  await terminal.status();
  expect(terminal.screen).toMatch(/3 bytes\nbetween\ntwo: \n5 bytes/);
  expect(terminal.screen).not.toMatch(/abc|defgh/);
});

test("Ctrl-C between two questions interrupts the second", async () => {
  await using terminal = run("held 1");
  await terminal.shows("one: ");
  terminal.type("first\r");
  await terminal.shows("between");
  terminal.type("\u0003");
  await terminal.shows("InterruptedError: interrupted");
  expect(await terminal.status()).toBe(1);
});

const ECHOES = /(?<!-)\becho\b/;

test("a terminal that nobody put back stays silent: so its settings would show it", async () => {
  await using terminal = run("held", "stty -a");
  const { pid } = await told(terminal);
  await terminal.shows("one: ");
  process.kill(pid, "SIGKILL");
  await terminal.status();
  expect(terminal.screen).toMatch(/-echo\b/);
  expect(terminal.screen).not.toMatch(ECHOES);
});

test.for([
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
  ["SIGQUIT", 131],
  // The program's own ways out: process.exit, and a bug.
  ["SIGUSR2", 3],
  ["SIGWINCH", 1],
] as const)("the terminal shows what is typed again after %s while a question was open", async ([signal, status]) => {
  await using terminal = run("held", "echo status $?; stty -a");
  const { pid } = await told(terminal);
  await terminal.shows("one: ");
  process.kill(pid, signal);
  await terminal.shows(`status ${status}`);
  await terminal.status();
  expect(terminal.screen).toMatch(ECHOES);
});

test("the terminal shows what is typed again after both questions, and after Ctrl-C", async () => {
  for (const keys of ["first\rsecond\r", "\u0003"]) {
    await using terminal = run("held", "stty -a");
    await terminal.shows("one: ");
    terminal.type(keys);
    await terminal.shows("speed");
    await terminal.status();
    expect(terminal.screen).toMatch(ECHOES);
  }
});

test("a program that was stopped and goes on asks again, and hides again what is typed", async () => {
  await using terminal = run("held");
  const { pid, tty } = await told(terminal);
  await terminal.shows("one: ");
  process.kill(pid, "SIGSTOP");
  // As a shell does that has its terminal back.
  execFileSync("stty", ["-F", tty, "echo", "icanon", "isig", "icrnl"]);
  process.kill(pid, "SIGCONT");
  await terminal.shows("one: ");
  terminal.type("first\r");
  await terminal.shows("5 bytes");
  expect(terminal.screen).not.toContain("first");
});
