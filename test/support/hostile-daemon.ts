import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Connection } from "../../src/cli/connection.ts";
import { homeFrom } from "../../src/config/home.ts";
import { AdapterChannel } from "../../src/ipc/channel.ts";
import { type AnswerTo, OPERATOR_ANSWERS } from "../../src/ipc/operator.ts";
import { newHome, TestDaemon } from "./daemon.ts";
import { Orders } from "./hostile-adapter.ts";
import { hostileExecutable } from "./hostile-executable.ts";

/** In the form of a bot's token. */
export const BOT_TOKEN = "700100:AAcanaryBotTokenOfTheClaims0123456789x";
export const TELEGRAM = AdapterChannel.parse("telegram");

export type Row = AnswerTo<"audit.rows">["rows"][number];

/** A daemon whose Telegram adapter, agent and page server were taken over, with a bot enrolled. */
export class HostileDaemon implements AsyncDisposable {
  readonly daemon: TestDaemon;
  readonly orders: Orders;
  readonly home: string;
  /** A command's line to it that stays open. */
  readonly line: Connection;
  /** Whoever sends it first is the owner. */
  code = "";

  private constructor(daemon: TestDaemon, orders: Orders, home: string, line: Connection) {
    this.daemon = daemon;
    this.orders = orders;
    this.home = home;
    this.line = line;
  }

  /** Resolves when the adapter waits for orders.
   *  @param options.passphrase protects the vault; null: the keychain of the environment does.
   *  @param options.channels beside Telegram, as in the configuration. @param options.config the rest of it.
   *  @param options.frames whether what goes over the supervisor's pipes is kept, in the folder `frames` beside the data directory. */
  static async start(
    options: {
      environment?: Record<string, string>;
      passphrase?: string | null;
      channels?: object;
      config?: object;
      frames?: boolean;
    } = {},
  ): Promise<HostileDaemon> {
    const executable = await hostileExecutable();
    const orders = await Orders.start();
    const home = newHome();
    if (options.frames === true) mkdirSync(join(home, "frames"));
    const { passphrase = "a passphrase of the claims" } = options;
    const daemon = await TestDaemon.start({
      home,
      executable,
      config: {
        web: { port: 0 },
        ...options.config,
        channels: { ...options.channels, telegram: { enabled: true, apiRoot: orders.apiRoot } },
      },
      environment: {
        ...(passphrase === null ? {} : { WIRKEN_VAULT_PASSPHRASE: passphrase }),
        ...options.environment,
      },
    });
    const line = await Connection.open(homeFrom(daemon.environment), daemon.environment, () => undefined);
    if (line === null) throw new Error("the daemon does not listen");
    const hostile = new HostileDaemon(daemon, orders, home, line);
    try {
      const words = ["vault", "add", "telegram", "--stdin", "--no-check", "--json"];
      const added = await daemon.wirken(words, { stdin: BOT_TOKEN });
      if (added.status !== 0) throw new Error(`the bot was not enrolled: ${added.stderr}`);
      hostile.code = OPERATOR_ANSWERS["vault.add"].parse(JSON.parse(added.stdout)).owner?.code ?? "";
      await orders.here();
      return hostile;
    } catch (error) {
      const said = daemon.stderr;
      await hostile[Symbol.asyncDispose]();
      throw new Error(`the adapter does not take orders; the daemon said:\n${said}`, { cause: error });
    }
  }

  /** Rows of a kind, oldest first: the newest thousand. */
  async rows(kind?: string): Promise<Row[]> {
    const filter = { limit: 1000, ...(kind === undefined ? {} : { kind }) };
    const { rows } = await this.line.call({ call: "audit.rows", filter });
    return rows.toSorted((a, b) => a.seq - b.seq);
  }

  async rowAt(seq: number | null): Promise<Row> {
    const [row] = (await this.line.call({ call: "audit.rows", filter: { limit: 1, after: (seq ?? 0) - 1 } })).rows;
    if (row === undefined) throw new Error(`there is no row ${seq}`);
    return row;
  }

  /** Ends of adapters that were not asked for, oldest first. */
  async ends(): Promise<Row[]> {
    const adapters = (await this.rows("process.started")).filter(({ fields }) => fields["role"] === "adapter");
    const ids = new Set(adapters.map(({ fields }) => fields["process"]));
    const ended = await this.rows("process.ended");
    return ended.filter(({ fields }) => ids.has(fields["process"]) && fields["reason"] !== "stopped");
  }

  /** The next one after so many. */
  async end(before: number): Promise<Row> {
    return await this.eventually("an adapter's end", async () => (await this.ends())[before]);
  }

  /** What the next process of the adapter does before its first statement. */
  atStart(order: "exit" | "silent" | "nothing"): void {
    writeFileSync(join(this.home, "at-start"), order);
  }

  /** Starts the adapter anew and at once: without it, it waits longer each time. */
  async anew(): Promise<void> {
    await this.line.call({ call: "channel.disable", channel: TELEGRAM });
    await this.orders.left();
    await this.line.call({ call: "channel.enable", channel: TELEGRAM });
  }

  /** Waits for what a probe finds. @throws {Error} with what the daemon said, when it is not there in time. */
  async eventually<T>(
    what: string,
    probe: () => Promise<T | undefined> | T | undefined,
    timeoutMs = 30_000,
  ): Promise<T> {
    const until = Date.now() + timeoutMs;
    for (;;) {
      const found = await probe();
      if (found !== undefined) return found;
      if (Date.now() > until)
        throw new Error(`not within ${timeoutMs} ms: ${what}\n${this.daemon.stderr.slice(-4_000)}`);
      await new Promise((done) => setTimeout(done, 20));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.line[Symbol.asyncDispose]();
    await this.daemon[Symbol.asyncDispose]();
    await this.orders[Symbol.asyncDispose]();
    rmSync(this.home, { recursive: true, force: true });
  }
}

/** A folder of one test. */
export class Scratch implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "wirken-scratch-"));
  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
