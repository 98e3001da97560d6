import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openRows, rowsOf, vkeyOf } from "../support/claims-log.ts";
import { TinyDisk } from "../support/claims-tiny-disk.ts";
import { ask, connected, enrolTelegram, OWNER, PASSPHRASE, processesWith, until } from "../support/claims-world.ts";
import { TestDaemon, WIRKEN } from "../support/daemon.ts";
import { TelegramServer } from "../support/telegram-server.ts";

/** From the word to stop until no process of the command is left, in milliseconds. */
const GONE_MS = 1_000;

let telegram: TelegramServer;
let disk: TinyDisk;
let data: { readonly path: string; readonly view: string };
let daemon: TestDaemon;

beforeAll(async () => {
  telegram = await TelegramServer.start();
  disk = await TinyDisk.make(40);
  data = disk.folder("data");
  const config = { web: { port: 0 }, channels: { telegram: { apiRoot: telegram.apiRoot } } };
  writeFileSync(join(data.view, "config.json"), JSON.stringify(config));
  daemon = await TestDaemon.start({
    environment: { WIRKEN_HOME: data.path, WIRKEN_VAULT_PASSPHRASE: PASSPHRASE },
    inside: disk.inside,
  });
  await enrolTelegram(daemon, telegram);
});

afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  await disk[Symbol.asyncDispose]();
  await telegram[Symbol.asyncDispose]();
});

const audit = (): string => join(data.view, "audit.db");

/** A turn on the terminal, as somebody types it. */
function asking(words: string): ChildProcess {
  const [command, ...rest] = [...disk.inside, WIRKEN, "ask", words];
  return spawn(command, rest, { env: daemon.environment, stdio: "ignore" });
}

interface Way {
  readonly name: string;
  /** Has the command run. @returns what ends it: told to, it resolves at the instant from which the time counts. */
  readonly begin: (words: string) => () => Promise<void>;
}

const WAYS: readonly Way[] = [
  {
    name: "wirken stop --session, in a second terminal",
    begin: (words) => {
      asking(words);
      return async () => {
        const session = rowsOf(audit()).findLast((row) => row.$kind === "turn.started")?.["session"];
        const ran = await daemon.wirken(["stop", "--session", String(session)]);
        expect(ran.stdout, ran.stderr).toBe("stopped\n");
      };
    },
  },
  {
    name: "Ctrl-C on the question itself",
    begin: (words) => {
      const terminal = asking(words);
      return async () => {
        terminal.kill("SIGINT");
        await Promise.resolve();
      };
    },
  },
  {
    name: "/stop, written where it was asked for",
    begin: (words) => {
      telegram.direct(words, OWNER);
      return async () => {
        telegram.direct("/stop", OWNER);
        await until(
          () => telegram.calls.at(-1)?.method !== "getUpdates" || telegram.pending === 0,
          "it is taken",
        ).catch(() => undefined);
      };
    },
  },
];

let commands = 0;
/** A number of seconds that no other process sleeps for. */
function aSleep(): { readonly words: string; readonly mark: string } {
  commands += 1;
  const mark = `${3_600 + commands}.${process.pid}`;
  return { words: `run sleep ${mark}`, mark };
}

test("the detector detects: a command that nobody stops runs on, and is seen, on a full disk as well", async () => {
  const { words, mark } = aSleep();
  const terminal = asking(words);
  await until(() => processesWith(mark).length > 0, "the command runs");
  disk.fill(daemon.pid);
  await new Promise((resolve) => setTimeout(resolve, GONE_MS));
  expect(processesWith(mark)).not.toEqual([]);
  disk.free(daemon.pid);
  terminal.kill("SIGINT");
  await once(terminal, "close");
});

test.for(WAYS.map((way) => [way.name, way] as const))("%s", async ([, { begin }]) => {
  // After a full disk room is looked for once a second.
  await until(async () => (await ask(daemon, "list my files").catch(() => null))?.end === "done", "turns are done");
  await connected(daemon);
  const { words, mark } = aSleep();
  const before = rowsOf(audit()).length;
  const stop = begin(words);
  await until(() => processesWith(mark).length > 0, "the command runs");
  disk.fill(daemon.pid);
  const refused = await daemon.wirken(["ask", "list my files"]);
  expect(refused.status, "the disk is full").not.toBe(0);
  await stop();
  const from = performance.now();
  await until(() => processesWith(mark).length === 0, "no process is left", 10_000, 5);
  expect(performance.now() - from).toBeLessThan(GONE_MS);
  // Without room, as where a limit stands in, there is no reserve either.
  const kinds = (): string[] =>
    rowsOf(audit())
      .slice(before)
      .map((row) => row.$kind);
  const wanted = disk.kind === "limit" ? [] : ["turn.stopped", "tool.finished", "turn.ended"];
  await until(() => wanted.every((kind) => kinds().includes(kind)), `rows of the stop; there are ${kinds().join()}`);
  disk.free(daemon.pid);
});

test("afterwards nothing is left open, and the log verifies", async () => {
  await until(async () => (await ask(daemon, "list my files").catch(() => null))?.end === "done", "turns are done");
  await until(() => openRows(audit(), "tool.called").length === 0, "every command has an end");
  const path = join(data.path, "audit.db");
  const verified = await daemon.wirken(["audit", "verify", path, "--vkey", vkeyOf(audit())]);
  expect(verified.status, verified.stdout).toBe(0);
});
