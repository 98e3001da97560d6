import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** The built executable: claim tests say something about what ships, not about sources. */
export const WIRKEN = resolve(import.meta.dirname, "../../dist/wirken");

/** A start has this long; a loaded machine with two cores included. */
const READY_MS = 30_000;

export interface Ran {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function newHome(): string {
  return mkdtempSync(join(tmpdir(), "wirken-home-"));
}

/** A minimal environment: no keychain, no desktop, nothing of whoever runs the tests. */
export function cleanEnvironment(home: string, more: Record<string, string> = {}): Record<string, string> {
  return {
    PATH: process.env["PATH"] ?? "/usr/bin:/bin",
    HOME: home,
    WIRKEN_HOME: join(home, "data"),
    LANG: "C.UTF-8",
    ...more,
  };
}

export interface RunOptions {
  readonly environment: Record<string, string>;
  /** Another build than {@link WIRKEN}. */
  readonly executable?: string;
  readonly stdin?: string;
  readonly timeoutMs?: number;
  /** What it is started through, e.g. `nsenter` with its words. */
  readonly inside?: readonly string[];
}

/** Runs one command to its end. */
export async function run(args: readonly string[], options: RunOptions): Promise<Ran> {
  const [command, words] = behind(options.inside, args, options.executable);
  const child = spawn(command, words, { env: options.environment, stdio: ["pipe", "pipe", "pipe"] });
  return await finished(child, options.stdin, options.timeoutMs ?? 60_000);
}

/** The command line of the executable behind the words that it is started through. */
function behind(
  words: readonly string[] | undefined,
  args: readonly string[],
  executable: string = WIRKEN,
): [string, string[]] {
  const [command = executable, ...rest] = [...(words ?? []), executable, ...args];
  return [command, rest];
}

async function finished(child: ChildProcess, stdin: string | undefined, timeoutMs: number): Promise<Ran> {
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  child.stdin?.on("error", () => undefined);
  child.stdin?.end(stdin ?? "");
  const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  return await new Promise<Ran>((done, fail) => {
    child.once("error", fail);
    child.once("close", (status, signal) => {
      clearTimeout(timer);
      done({ status, signal, stdout, stderr });
    });
  });
}

export interface StartOptions {
  /** A home to go on with; a new one otherwise (removed at the end). */
  readonly home?: string;
  /** Text of `config.json`. */
  readonly config?: object;
  readonly environment?: Record<string, string>;
  readonly args?: readonly string[];
  /** What the daemon is started through, e.g. a shell that sets a limit; the executable and its arguments follow. */
  readonly through?: readonly string[];
  /** What the daemon and every command beside it are started through: the way into a namespace. */
  readonly inside?: readonly string[];
  /** Another build than {@link WIRKEN}, for the daemon and every command beside it. */
  readonly executable?: string;
}

/** A running `wirken start` of its own home, on a port that the system chose. */
export class TestDaemon implements AsyncDisposable {
  readonly home: string;
  readonly environment: Record<string, string>;
  readonly child: ChildProcess;
  readonly #ownsHome: boolean;
  readonly #inside: readonly string[];
  readonly #executable: string;
  #stdout = "";
  #stderr = "";

  private constructor(home: string, environment: Record<string, string>, child: ChildProcess, options: StartOptions) {
    this.home = home;
    this.environment = environment;
    this.child = child;
    this.#ownsHome = options.home === undefined;
    this.#inside = options.inside ?? [];
    this.#executable = options.executable ?? WIRKEN;
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#stdout += text;
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
    });
  }

  /** Resolves when it is ready. @throws {Error} with what it said, if it is not within 30 s. */
  static async start(options: StartOptions = {}): Promise<TestDaemon> {
    const daemon = TestDaemon.spawn(options);
    await daemon.until(() => daemon.stdout.includes("ready in "), READY_MS, "ready");
    return daemon;
  }

  static spawn(options: StartOptions = {}): TestDaemon {
    const home = options.home ?? newHome();
    const environment = cleanEnvironment(home, options.environment);
    const data = environment["WIRKEN_HOME"] ?? join(home, "data");
    if (!existsSync(data)) mkdirSync(data, { mode: 0o700 });
    const config = { web: { port: 0 }, ...options.config };
    if (options.config !== undefined || !existsSync(join(data, "config.json")))
      writeFileSync(join(data, "config.json"), JSON.stringify(config));
    const [command, args] = behind(
      [...(options.inside ?? []), ...(options.through ?? [])],
      ["start", ...(options.args ?? [])],
      options.executable,
    );
    const child = spawn(command, args, { env: environment, stdio: ["ignore", "pipe", "pipe"] });
    return new TestDaemon(home, environment, child, options);
  }

  get data(): string {
    return this.environment["WIRKEN_HOME"] ?? join(this.home, "data");
  }
  get stdout(): string {
    return this.#stdout;
  }
  get stderr(): string {
    return this.#stderr;
  }
  get pid(): number {
    if (this.child.pid === undefined) throw new Error("the daemon has no pid: it did not start");
    return this.child.pid;
  }
  get ended(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** One command beside the daemon. */
  async wirken(args: readonly string[], options: { stdin?: string; timeoutMs?: number } = {}): Promise<Ran> {
    const { environment } = this;
    return await run(args, { environment, inside: this.#inside, executable: this.#executable, ...options });
  }

  /** A command whose answer is JSON. @throws {Error} with its stderr if it failed. */
  async json(...args: string[]): Promise<unknown> {
    const ran = await this.wirken([...args, "--json"]);
    if (ran.stdout === "") throw new Error(`wirken ${args.join(" ")} ended with ${String(ran.status)}: ${ran.stderr}`);
    const value: unknown = JSON.parse(ran.stdout);
    return value;
  }

  async until(holds: () => boolean, timeoutMs: number, what: string): Promise<void> {
    const until = Date.now() + timeoutMs;
    while (!holds()) {
      if (this.ended && !holds())
        throw new Error(
          `the daemon ended (${String(this.child.exitCode)}) before it was ${what}:\n${this.#stdout}\n${this.#stderr}`,
        );
      if (Date.now() > until) throw new Error(`not ${what} within ${timeoutMs} ms:\n${this.#stdout}\n${this.#stderr}`);
      await new Promise((done) => setTimeout(done, 10));
    }
  }

  /** Ends it with a signal. @returns its exit status, or null when the signal ended it. */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    if (!this.ended) {
      const closed = new Promise<void>((done) => this.child.once("close", () => done()));
      this.child.kill(signal);
      await closed;
    }
    return this.child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGTERM");
    if (this.#ownsHome) rmSync(this.home, { recursive: true, force: true });
  }
}
