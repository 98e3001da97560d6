import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { SlackServer } from "../../test/support/slack-server/slack-server.ts";
import { TestDaemon } from "../../test/support/daemon.ts";
import { TelegramServer } from "../../test/support/telegram-server.ts";
import type { Figure } from "./figure.ts";

/** After the last activity, so that what a start leaves behind is collected. */
const SETTLE_MS = 5_000;

/** What an adapter of these platforms may hold when idle, MB. */
const ADAPTER_MB = 45;

export interface Held {
  readonly name: string;
  /** Proportional set size, MB: shared pages are counted once over all that share them. */
  readonly pss: number;
}

export function held(pid: number): Held[] {
  const own = { name: nameOf(pid), pss: pssOf(pid) };
  const children = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((child) => parentOf(child) === pid);
  return [own, ...children.flatMap((child) => held(child))];
}

function parentOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return 0; // it ended meanwhile
  }
}

function nameOf(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(1).join(" ").trim();
}

function pssOf(pid: number): number {
  const line = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1];
  return Number(line ?? Number.NaN) / 1024;
}

/** Idle memory of the supervisor and its children, with three channels connected to servers of this run. */
export async function memoryFigures(): Promise<Figure[]> {
  await using telegram = await TelegramServer.start();
  await using slack = await SlackServer.start();
  const config = {
    channels: {
      telegram: { apiRoot: telegram.apiRoot },
      "telegram:two": { apiRoot: telegram.apiRoot },
      slack: { apiRoot: slack.apiRoot },
    },
  };
  await using daemon = await TestDaemon.start({
    config,
    environment: { WIRKEN_VAULT_PASSPHRASE: "a passphrase of the bench" },
  });
  await enrol(daemon, "telegram", telegram.token);
  await enrol(daemon, "telegram:two", telegram.token);
  await enrol(daemon, "slack", `${slack.tokens["bot-token"]}\n${slack.tokens["app-token"]}`);
  await daemon.wirken(["ask", "hello"]);
  await sleep(SETTLE_MS);
  const processes = held(daemon.pid);
  const sum = processes.reduce((total, { pss }) => total + pss, 0);
  const idle = processes.filter(({ name }) => !name.startsWith("agent"));
  const idleSum = idle.reduce((total, { pss }) => total + pss, 0);
  return [
    ...processes.map(({ name, pss }) => {
      const most = name.startsWith("adapter ") ? ADAPTER_MB : null;
      return {
        what: `PSS of ${name}`,
        measured: `${pss.toFixed(1)} MB`,
        budget: most === null ? null : `≤ ${most} MB`,
        met: most === null ? null : pss <= most,
      };
    }),
    {
      what: "together, the agent of a session that was talked in included",
      measured: `${sum.toFixed(0)} MB`,
      budget: null,
      met: null,
    },
    {
      what: "together: supervisor, ingress, web, model, adapters",
      measured: `${idleSum.toFixed(0)} MB`,
      budget: "≤ 250 MB",
      met: idleSum <= 250,
    },
  ];
}

async function enrol(daemon: TestDaemon, channel: string, secrets: string): Promise<void> {
  const { status, stderr } = await daemon.wirken(["vault", "add", channel, "--stdin", "--no-check"], {
    stdin: `${secrets}\n`,
  });
  if (status !== 0) throw new Error(`cannot enrol ${channel}: ${stderr}`);
}
