import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Terminal } from "../support/terminal.ts";
import { ownWorkspace } from "../support/own-workspace.ts";

/** What a person does at a keyboard: the executable has a terminal of its own. */

const executable = join(import.meta.dirname, "../../dist/wirken");
const folder = mkdtempSync(join(tmpdir(), "wirken-terminal-"));
const home = join(folder, "data");
const environment = { PATH: process.env["PATH"], HOME: folder, WIRKEN_HOME: home, TERM: "xterm", TZ: "UTC" };
const notes = (): string => join(ownWorkspace(home), "notes.txt");

/** Types each text when what stands before it has been shown. @returns the screen's text and the status. */
async function typing(
  words: readonly string[],
  script: readonly (readonly [shown: string, typed: string])[],
  more: Readonly<Record<string, string>> = {},
): Promise<{ screen: string; status: number | null }> {
  await using terminal = new Terminal([executable, ...words].map((word) => `'${word}'`).join(" "), {
    ...environment,
    ...more,
  });
  for (const [shown, typed] of script) {
    await terminal.shows(shown);
    terminal.type(typed);
  }
  return { status: await terminal.status(), screen: terminal.screen };
}

const daemon = {
  process: spawn(executable, ["start", "--port", "0"], { env: environment, stdio: ["ignore", "pipe", "ignore"] }),
};

beforeAll(async () => {
  for await (const chunk of daemon.process.stdout) if (String(chunk).includes("ready in")) break;
});

afterAll(async () => {
  daemon.process.kill("SIGTERM");
  if (daemon.process.exitCode === null) await once(daemon.process, "exit");
  rmSync(folder, { recursive: true, force: true });
});

test("where there is no keychain, the first credential has a passphrase chosen before it is asked for", async () => {
  const { screen, status } = await typing(
    ["vault", "add", "telegram", "--no-check"],
    [
      ["New passphrase (not shown): ", "too short\r"],
      ["try again", "corridor lantern mackerel 71\r"],
      ["Once more: ", "corridor lantern mackerel 17\r"],
      ["the two differ; try again", "corridor lantern mackerel 71\r"],
      ["Once more: ", "corridor lantern mackerel 71\r"],
      ["the vault is open, protected by a passphrase", ""],
      ["(not shown): ", "123456789:AAnobody-has-this-token-0123456789A\r"],
      // With the first credential there is something to lose.
      ["24 words to write down? [Y/n] ", "n\r"],
    ],
  );
  expect(screen).toContain("later: wirken vault recovery create");
  expect(screen).toContain("saved telegram, unchecked");
  expect(screen).not.toContain("mackerel");
  expect(screen).not.toContain("nobody-has");
  expect(status).toBe(0);
});

test("a recovery phrase is shown once, counts when four of its words were typed, and is in nothing that is shown after", async () => {
  expect((await typing(["status"], [])).screen).toContain("no recovery phrase was made");
  await using terminal = new Terminal(`'${executable}' vault recovery create`, environment);
  await terminal.shows("Press Enter when you have written them down: ");
  const words = [...terminal.screen.matchAll(/\d+\. ([a-z]{3,8})/g)].map(([, word = ""]) => word);
  expect(words).toHaveLength(24);
  terminal.type("\r");
  for (let left = 4; left > 0; left--) {
    await terminal.shows("word ");
    await terminal.shows(" of the phrase (not shown): ");
    const [, at = "0"] = /word (\d+) of the phrase \(not shown\): $/.exec(terminal.screen) ?? [];
    // The first is mistyped once, and asked again.
    if (left === 4) {
      terminal.type("wirken\r");
      await terminal.shows("try again");
      await terminal.shows(" of the phrase (not shown): ");
    }
    terminal.type(`${words[Number(at) - 1] ?? ""}\r`);
  }
  expect(await terminal.status()).toBe(0);
  expect(terminal.screen).toMatch(/recovery phrase +made/);
  expect((await typing(["status"], [])).screen).not.toContain("no recovery phrase");
  // Neither what was typed nor the list again. (Some of the words are ones that we say ourselves, such as phrase, protect and absent.)
  const after = terminal.screen.slice(terminal.screen.indexOf("of the phrase"));
  expect(after).not.toMatch(/\(not shown\): *[a-z]/);
  expect(after).not.toMatch(/\d+\. [a-z]{3,8}/);
});

test("a recovery phrase whose words are not typed counts for nothing", async () => {
  const { screen, status } = await typing(
    ["vault", "recovery", "create"],
    [
      ["make a new one? [y/N] ", "y\r"],
      ["written them down: ", "\r"],
      ["(not shown): ", "wirken\r"],
      ["try again", "wirken\r"],
      ["try again", "wirken\r"],
    ],
  );
  expect(screen).toContain("nothing was changed");
  expect(status).toBe(2);
});

test("what is no secret is typed openly, a key file is named, and a platform on which nothing is said yet is not enabled", async () => {
  const key = join(folder, "key.json");
  const file = {
    type: "service_account",
    client_email: "wirken@acme.iam",
    private_key: "-----BEGIN PRIVATE KEY-----\nAAAA",
  };
  writeFileSync(key, JSON.stringify(file, null, 2), { mode: 0o600 });
  const { screen, status } = await typing(
    ["vault", "add", "google-chat", "--no-check"],
    [
      ["key file (JSON): ", `${key}\r`],
      ["subscriptions/…): ", "projects/acme/subscriptions/wirken\r"],
    ],
  );
  expect(screen).toContain("this version does not talk on google-chat yet");
  expect(screen).not.toContain("AAAA");
  expect(screen).not.toContain("as the owner");
  expect(status).toBe(0);
  expect((await typing(["vault", "list"], [])).screen).toMatch(/google-chat +service-account, subscription/);
  expect((await typing(["channel", "enable", "google-chat"], [])).status).toBe(3);
});

test("a secret is typed without being shown", async () => {
  const { screen, status } = await typing(
    ["vault", "add", "anthropic", "--no-check"],
    [
      ["(not shown): ", "xoxb-pasted-by-mistake\r"],
      ["try again", "xoxb-pasted-once-more\r"],
      ["try again", "\u0003"],
    ],
  );
  expect(screen).toContain("this is a Slack bot token (xoxb-…), not: Anthropic API key (sk-ant-…)");
  expect(screen).not.toContain("pasted-");
  expect(status).toBe(2);
});

test("an action is shown whole, and runs when it is approved on the keyboard", async () => {
  const { screen, status } = await typing(["ask", "write notes.txt: hello"], [["[d]eny (and why)? ", "once\r"]]);
  expect(screen).toContain("the whole file as it will be");
  expect(screen).toContain("created notes.txt");
  expect(readFileSync(notes(), "utf8")).toBe("hello\n");
  expect(status).toBe(0);
});

test("what is denied does not run, and the agent is told", async () => {
  await typing(["ask", "edit notes.txt: hello => goodbye"], [["[d]eny (and why)? ", "d\r"]]);
  expect(readFileSync(notes(), "utf8")).toBe("hello\n");
});

test("an answer that means nothing is asked for again", async () => {
  const { status } = await typing(
    ["ask", "edit notes.txt: hello => goodbye"],
    [
      ["[d]eny (and why)? ", "what\r"],
      ["[d]eny (and why)? ", "o\r"],
    ],
  );
  expect(readFileSync(notes(), "utf8")).toBe("goodbye\n");
  expect(status).toBe(0);
});

test("Ctrl-C on the question ends the turn, and nothing runs", async () => {
  const { screen, status } = await typing(["ask", "write other.txt: hello"], [["[d]eny (and why)? ", "\u0003"]]);
  expect(screen).toContain("Stopped");
  expect(existsSync(join(ownWorkspace(home), "other.txt"))).toBe(false);
  expect(status).toBe(1);
});

test("the log is followed as it grows, a line for each row, until Ctrl-C, which is no failure", async () => {
  const about = ["audit", "log", "--follow", "--kind", "log.checkpointed", "--limit", "1"];
  // In place of the shell, which would end by Ctrl-C itself.
  await using terminal = new Terminal(`exec '${executable}' ${about.join(" ")}`, environment);
  await terminal.shows("log.checkpointed");
  const checkpoint = spawn(executable, ["audit", "checkpoint"], { env: environment, stdio: "ignore" });
  await once(checkpoint, "exit");
  await terminal.shows("reason=demand");
  terminal.type("\u0003");
  expect(await terminal.status()).toBe(0);
});

test("the terminal echoes again after a hidden prompt and after Ctrl-C", async () => {
  await using terminal = new Terminal(`'${executable}' vault add anthropic; stty -a`, environment);
  await terminal.shows("(not shown): ");
  terminal.type("\u0003");
  await terminal.status();
  expect(terminal.screen).toMatch(/(?<!-)\becho\b/);
});

describe("where there is a desktop, a fresh link", () => {
  const programs = join(folder, "programs");
  const seen = join(folder, "seen");
  const desktop = { DISPLAY: ":7", PATH: `${programs}:${process.env["PATH"] ?? ""}` };

  /** Stands where the desktop's own program would. */
  function opener(lines: string): void {
    mkdirSync(programs, { recursive: true });
    writeFileSync(join(programs, "xdg-open"), `#!/bin/sh\n${lines}\n`, { mode: 0o755 });
  }

  test("is opened by a browser that nothing of ours holds, from a private file that is gone afterwards", async () => {
    opener(`{ cat "$1"; stat -c "mode %a" "$1"; env; cat /proc/self/status; } > '${seen}'`);
    const { screen, status } = await typing(["web"], [], desktop);
    const [link = "none"] = /http:\/\/127\.0\.0\.1:\d+\/#login=\S+/.exec(screen) ?? [];
    const text = readFileSync(seen, "utf8");
    expect(text).toContain(`location.replace("${link}")`);
    expect(text).toContain("mode 600");
    expect(text).toMatch(/^Seccomp:\s+0$/m);
    expect(text).toMatch(/^NoNewPrivs:\s+0$/m);
    expect(text).not.toContain("NODE_OPTIONS");
    expect(readdirSync(home).filter((name) => name.startsWith("login-"))).toEqual([]);
    expect(status).toBe(0);
  });

  test("that no browser opens is there to be opened by hand, and the command says so", async () => {
    opener("exit 3");
    const { screen, status } = await typing(["web"], [], desktop);
    expect(screen).toContain("no browser could be started: open the link in one");
    expect(screen).toContain("/#login=");
    expect(status).toBe(0);
  });

  test("is not asked of a browser where it is only printed", async () => {
    rmSync(seen, { force: true });
    opener(`touch '${seen}'`);
    expect((await typing(["web", "--no-open"], [], desktop)).status).toBe(0);
    expect(existsSync(seen)).toBe(false);
  });
});
