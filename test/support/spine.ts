import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod/mini";
import { Connection } from "../../src/cli/connection.ts";
import { homeFrom } from "../../src/config/home.ts";
import type { RowView } from "../../src/ipc/audit-calls.ts";
import { type AnswerTo, type ApprovalView, OPERATOR_ANSWERS } from "../../src/ipc/operator.ts";
import { newHome, type Ran, TestDaemon } from "./daemon.ts";
import { ScriptedModel } from "./scripted-model.ts";
import { type SlackOptions, SlackServer } from "./slack-server/slack-server.ts";
import { type Shown, TelegramServer } from "./telegram-server.ts";
import { ownWorkspace } from "./own-workspace.ts";

/** People on Telegram, by the platform's ids; the test's owner is linked by the invitation that `vault add` prints. */
export const OWNER = { id: 4_001, name: "Test Owner" } as const;
export const STRANGER = { id: 4_002, name: "Test Stranger" } as const;
/** The same two on Slack, in direct talk with the bot. */
export const SLACK_OWNER = { user: "U0ADA", channel: "D0ADA" } as const;
export const SLACK_STRANGER = { user: "U0BOB", channel: "D0BOB" } as const;

/** The vault of the tests is behind a passphrase: there is no keychain here, and a credential wants a protector. */
const ENVIRONMENT = { WIRKEN_VAULT_PASSPHRASE: "the passphrase of a test" } as const;
/** What takes milliseconds here has this long on a machine that is busy. */
export const PATIENCE_MS = 20_000;

const Added = OPERATOR_ANSWERS["vault.add"];
const WrittenConfig = z.looseObject({
  agents: z.record(z.string(), z.looseObject({})),
  providers: z.record(z.string(), z.looseObject({})),
  channels: z.record(z.string(), z.looseObject({})),
});
type WrittenConfig = z.infer<typeof WrittenConfig>;
const Link = z.object({ code: z.string(), link: z.nullable(z.string()) });

/** The product as it ships, between a model server, a Bot API server and a Slack, all on loopback. */
export class Spine implements AsyncDisposable {
  readonly model: ScriptedModel;
  readonly telegram: TelegramServer;
  readonly slack: SlackServer;
  readonly home: string;
  #daemon: TestDaemon;
  #operator: Connection | null = null;

  private constructor(
    home: string,
    daemon: TestDaemon,
    model: ScriptedModel,
    telegram: TelegramServer,
    slack: SlackServer,
  ) {
    this.home = home;
    this.#daemon = daemon;
    this.model = model;
    this.telegram = telegram;
    this.slack = slack;
  }

  /** Starts all of it; what is asked for is enrolled, connected and has its owner. */
  static async start(
    options: { channels?: readonly ("telegram" | "slack")[]; owner?: boolean; slack?: SlackOptions } = {},
  ): Promise<Spine> {
    const { channels = ["telegram"], owner = true } = options;
    const [model, telegram, slack] = await Promise.all([
      ScriptedModel.start(),
      TelegramServer.start(),
      SlackServer.start({ retryMs: 1_000, ...options.slack }),
    ]);
    const home = newHome();
    const config = {
      agents: { default: { model: "scripted/test-model" } },
      providers: { scripted: { baseUrl: model.baseUrl } },
      channels: {
        telegram: { enabled: channels.includes("telegram"), apiRoot: telegram.apiRoot },
        slack: { enabled: channels.includes("slack"), apiRoot: slack.apiRoot },
      },
    };
    const daemon = await TestDaemon.start({ home, config, environment: ENVIRONMENT });
    const spine = new Spine(home, daemon, model, telegram, slack);
    for (const channel of channels) {
      const { code } = await spine.enrol(channel);
      if (owner) await spine.#link(channel, code);
    }
    return spine;
  }

  get daemon(): TestDaemon {
    return this.#daemon;
  }

  /** Ends it as an operator does, or as a crash does, and starts it again on the same data. */
  async restart(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    await this.#hangUp();
    await this.#daemon.end(signal);
    this.#daemon = await TestDaemon.start({ home: this.home, environment: ENVIRONMENT });
  }

  /** Ends it as an operator does. @returns its exit status. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    await this.#hangUp();
    return await this.#daemon.end(signal);
  }

  /** Enrols a channel. @returns the code that its first sender becomes the owner with, and the link that holds it. */
  async enrol(channel: "telegram" | "slack"): Promise<{ code: string; link: string | null }> {
    const { rotation, tokens } = this.slack;
    const slack = Object.values(rotation === null ? tokens : this.slack.rotating);
    const lines = channel === "telegram" ? [this.telegram.token] : slack;
    const ran = await this.daemon.wirken(["vault", "add", channel, "--stdin", "--json"], { stdin: lines.join("\n") });
    if (ran.status !== 0) throw new Error(`${channel} was not enrolled: ${ran.stderr}`);
    await this.connected(channel);
    return Link.parse(Added.parse(JSON.parse(ran.stdout)).owner);
  }

  async connected(channel: string): Promise<void> {
    await this.eventually(`${channel} connected`, async () => {
      const { channels } = await this.status();
      return channels.some((one) => one.channel === channel && one.state === "connected");
    });
  }

  async #link(channel: "telegram" | "slack", code: string): Promise<void> {
    if (channel === "telegram") this.write(`/start ${code}`);
    else this.slack.direct(code, SLACK_OWNER);
    await this.eventually(`the owner linked on ${channel}`, () =>
      this.textsAt(channel).some((text) => text.includes("linked as the owner")),
    );
  }

  /** Somebody writes to the bot alone, on Telegram. */
  write(text: string, who: { readonly id: number; readonly name: string } = OWNER): number {
    return this.telegram.message({
      from: { id: who.id, is_bot: false, first_name: who.name },
      chat: { id: who.id, type: "private", first_name: who.name },
      text,
    });
  }

  /** What is to be read by one person on Telegram, oldest first. */
  shownTo(who: { readonly id: number } = OWNER): readonly Shown[] {
    return this.telegram.shown.filter(({ chat }) => chat === who.id);
  }
  textsAt(
    channel: "telegram" | "slack",
    who: { telegram: number; slack: string } = { telegram: OWNER.id, slack: SLACK_OWNER.channel },
  ): string[] {
    return channel === "telegram"
      ? this.shownTo({ id: who.telegram }).map(({ text }) => text)
      : this.slack.posted.filter((one) => one.channel === who.slack).map(({ text }) => text);
  }

  /** A message on Telegram that holds these words, once it is there. */
  async shown(words: string, who: { readonly id: number } = OWNER): Promise<Shown> {
    return await this.eventually(`“${words}” shown on Telegram`, () =>
      this.shownTo(who).find(({ text }) => text.includes(words)),
    );
  }
  /** The newest request's card as it is shown on Telegram, with the buttons that it has now. */
  async card(): Promise<Shown> {
    const { approval } = await this.asked();
    const shown = await this.eventually("a card shown on Telegram", () =>
      this.telegram.shown.find(({ keyboard }) => keyboard.some(({ data }) => data.includes(approval))),
    );
    return { ...shown };
  }
  /** Ends what runs and waits, wherever it was asked for. */
  async quiet(): Promise<void> {
    const operator = await this.operator();
    for (const { session } of await this.waiting()) await operator.call({ call: "session.stop", session });
    await this.eventually("every turn over", async () => {
      const rows = await this.rows("turn.");
      const ended = new Set(rows.flatMap(({ kind, fields }) => (kind === "turn.ended" ? [fields["turn"]] : [])));
      return rows.every(({ kind, fields }) => kind !== "turn.started" || ended.has(fields["turn"]));
    });
  }
  /** Presses a button. @returns what the presser is told. */
  async press(card: Shown, button: string, who: { readonly id: number } = OWNER): Promise<string> {
    const query = this.telegram.press(card, button, who.id);
    const answer = await this.eventually(`an answer to a press of ${button}`, () =>
      this.telegram.answers.find((one) => one.query === query),
    );
    return answer.text;
  }
  async posted(words: string, channel: string = SLACK_OWNER.channel): Promise<string> {
    return await this.eventually(
      `“${words}” posted on Slack`,
      () => this.slack.posted.find((one) => one.channel === channel && one.text.includes(words))?.text,
    );
  }

  /** A line of the owner's to the daemon, as commands have one: a command for each look at it would take most of a test's time. */
  async operator(): Promise<Connection> {
    if (this.#operator !== null) return this.#operator;
    const { environment } = this.daemon;
    const opened = await Connection.open(homeFrom(environment), environment, () => undefined);
    if (opened === null) throw new Error("the daemon does not listen");
    this.#operator = opened;
    return opened;
  }
  /** Rows of a kind, oldest first: of the newest thousand. */
  async rows(kind?: string): Promise<RowView[]> {
    const filter = { limit: 1000, ...(kind === undefined ? {} : { kind }) };
    const { rows } = await (await this.operator()).call({ call: "audit.rows", filter });
    return rows.toSorted((a, b) => a.seq - b.seq);
  }
  /** Tool calls that ran, or began to. */
  async calls(): Promise<number> {
    return (await this.rows("tool.called")).length;
  }
  /** The newest of them, with the bytes that its row committed to. */
  async lastCall(): Promise<{ row: RowView; action: Record<string, unknown> } | null> {
    const seq = (await this.rows("tool.called")).at(-1)?.seq;
    if (seq === undefined) return null;
    // A list shows the beginning of large content; one row alone is whole.
    const filter = { after: seq - 1, limit: 1 };
    const [row] = (await (await this.operator()).call({ call: "audit.rows", filter })).rows;
    if (row === undefined) throw new Error(`there is no row ${seq}`);
    return { row, action: z.record(z.string(), z.unknown()).parse(JSON.parse(row.content["action"] ?? "null")) };
  }
  async status(): Promise<AnswerTo<"status">> {
    return await (await this.operator()).call({ call: "status" });
  }
  async waiting(): Promise<ApprovalView[]> {
    return (await (await this.operator()).call({ call: "approvals.list" })).approvals;
  }
  /** The newest request that waits, once one does. */
  async asked(): Promise<ApprovalView> {
    return await this.eventually("a request for an approval", async () => (await this.waiting()).at(-1));
  }
  /** Approves on the terminal what was shown there. */
  async approve(card: ApprovalView, scope = "once"): Promise<Ran> {
    return await this.daemon.wirken(["approvals", "approve", card.approval, "--card", card.digest, "--scope", scope]);
  }

  /** What `audit verify` says to somebody who was handed the log's key at its first start. */
  async verified(): Promise<Ran> {
    const vkey = String(
      (await (await this.operator()).call({ call: "audit.rows", filter: { after: -1, limit: 1 } })).rows[0]?.fields[
        "vkey"
      ],
    );
    return await this.daemon.wirken(["audit", "verify", "--vkey", vkey]);
  }

  get workspace(): string {
    return ownWorkspace(this.daemon.data);
  }
  /** The configuration as it is on disk: what it is changed to is written back. */
  changeConfig(change: (config: WrittenConfig) => object): void {
    const path = join(this.daemon.data, "config.json");
    writeFileSync(path, JSON.stringify(change(WrittenConfig.parse(JSON.parse(readFileSync(path, "utf8"))))));
  }

  /** Waits for what a probe finds. @throws {Error} with what the daemon said, when it is not there in time. */
  async eventually<T>(
    what: string,
    probe: () => T | null | undefined | false | Promise<T | null | undefined | false>,
    timeoutMs = PATIENCE_MS,
  ): Promise<T> {
    const until = Date.now() + timeoutMs;
    for (;;) {
      const found = await probe();
      if (found !== undefined && found !== null && found !== false) return found;
      if (Date.now() > until)
        throw new Error(`not within ${timeoutMs} ms: ${what}\n${this.daemon.stderr.slice(-4_000)}`);
      await new Promise((done) => setTimeout(done, 20));
    }
  }

  async #hangUp(): Promise<void> {
    await this.#operator?.[Symbol.asyncDispose]();
    this.#operator = null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#hangUp();
    await this.#daemon[Symbol.asyncDispose]();
    await Promise.all([
      this.model[Symbol.asyncDispose](),
      this.telegram[Symbol.asyncDispose](),
      this.slack[Symbol.asyncDispose](),
    ]);
    rmSync(this.home, { recursive: true, force: true });
  }
}
