import type { ChildProcess } from "node:child_process";
import { realpathSync } from "node:fs";
import { pino } from "pino";
import { HomeError, homeFrom } from "../config/home.ts";
import { banner } from "./banner.ts";
import { Daemon } from "./daemon.ts";
import { LockedError } from "./lock.ts";
import { OperatorError } from "./operator-error.ts";
import { troubleOf } from "./trouble.ts";

const EXIT = { good: 0, usage: 2, notReady: 3, bug: 70 } as const;

/** Operational lines on stderr: what happened, never what was said, never a secret. */
function operationalLog(): (role: string, line: string) => void {
  const level = process.env["WIRKEN_LOG"] ?? "info";
  const log = pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: 2, sync: true }),
  );
  return (role, line) => log.info({ role }, line);
}

/** Runs the daemon until it is told to stop. @returns the exit status (architecture §8). */
/** @param options.helpers the keychain's, started in advance. */
export async function runDaemon(options: {
  readonly home: string;
  readonly port?: number;
  readonly require?: "full";
  readonly helpers?: readonly ChildProcess[];
}): Promise<number> {
  const begun = performance.now();
  const line = operationalLog();
  process.on("unhandledRejection", (error) => {
    line(
      "daemon",
      `an error that nothing handled: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
    process.exit(EXIT.bug);
  });
  let daemon: Daemon;
  try {
    daemon = await Daemon.open({
      home: homeFrom({ WIRKEN_HOME: options.home }),
      environment: process.env,
      serve: true,
      port: options.port ?? null,
      require: options.require ?? null,
      line,
      helpers: options.helpers ?? [],
      waiting: (sentence) => complain(`the vault is locked: ${sentence}`, "in a second terminal: wirken vault unlock"),
    });
  } catch (error) {
    for (const helper of options.helpers ?? []) helper.kill("SIGKILL");
    if (error instanceof LockedError) {
      complain(`already running: ${error.message}`, "talk to it with wirken ask, or end it with wirken stop");
      return EXIT.notReady;
    }
    if (error instanceof HomeError) {
      complain(error.message, null);
      return EXIT.usage;
    }
    const trouble = troubleOf(error, options.home);
    if (trouble === null) throw error;
    complain(`cannot start: ${trouble.sentence}`, trouble.hint);
    return EXIT.notReady;
  }
  const ending: { reason: "command" | "signal" } = { reason: "command" };
  const interrupted = (): void => {
    ending.reason = "signal";
    daemon.stop();
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, interrupted);
  const running = daemon.run();
  try {
    await Promise.race([running, daemon.asked]);
    if (!daemon.closing) await announce(daemon, Math.round(performance.now() - begun));
    await daemon.asked;
    await running.catch(() => undefined);
    await daemon.close(ending.reason);
    return EXIT.good;
  } catch (error) {
    await daemon.close("failure").catch(() => undefined);
    if (ending.reason === "signal") return EXIT.good;
    if (error instanceof OperatorError) {
      complain(error.message, error.hint);
      return error.code === "usage" ? EXIT.usage : EXIT.notReady;
    }
    const trouble = troubleOf(error, options.home);
    if (trouble === null) throw error;
    complain(`cannot go on: ${trouble.sentence}`, trouble.hint);
    return EXIT.notReady;
  }
}

async function announce(daemon: Daemon, milliseconds: number): Promise<void> {
  const { web } = daemon.composition;
  const link = web === null ? null : await web.link("terminal");
  say(banner(daemon.composition.greeting(), link?.link ?? null, programPath(), milliseconds));
}

function programPath(): string {
  try {
    return realpathSync(process.execPath);
  } catch {
    return process.execPath;
  }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function complain(sentence: string, hint: string | null): void {
  process.stderr.write(`wirken: ${sentence}\n${hint === null ? "" : `hint: ${hint}\n`}`);
}
