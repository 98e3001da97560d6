import { Command } from "commander";
import * as z from "zod/mini";
import { type Alarm, readAlarms } from "../../../audit/alarm.ts";
import { BUILD } from "../../ipc/build.ts";
import type { AnswerTo } from "../../ipc/operator.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { moment, span } from "../moment.ts";
import { FINISH_UPGRADE, OTHER_BUILD } from "../other-build.ts";
import { printable } from "../printable.ts";
import { reachDaemon } from "../reach.ts";
import { processesText } from "./doctor-confinement.ts";
import { pairs, table } from "../table.ts";

const Options = z.object({ json: z._default(z.boolean(), false), processes: z._default(z.boolean(), false) });

export function statusCommand(context: Context): Command {
  return new Command("status")
    .summary("what runs, and what is missing")
    .option("--processes", "every process: what it reaches, and what holds it, as tried just now")
    .option("--json", "print one JSON object")
    .addHelpText("after", `\nExit status is ${EXIT.notReady} if no daemon runs, or its disk is full.`)
    .action((options: unknown) =>
      context.run(async () => {
        const { json, processes } = Options.parse(options);
        const { terminal, home } = context;
        await using daemon = await reachDaemon(context);
        if (daemon === null) {
          const alarms = readAlarms(home.audit);
          terminal.print(
            json
              ? JSON.stringify({ running: false, home: home.root, ...(alarms.length === 0 ? {} : { alarms }) })
              : notRunningText(home.root, alarms),
          );
          terminal.say(
            alarms.length === 0
              ? "hint: start it with: wirken start"
              : "hint: wirken audit verify says more; then wirken audit acknowledge, or wirken audit restore",
          );
          return EXIT.notReady;
        }
        if (processes) {
          const answer = await daemon.call({ call: "confinement" });
          const { processes: lists } = await daemon.call({ call: "egress.show", process: null });
          terminal.print(json ? JSON.stringify({ ...answer, lists }) : processesText(answer, lists));
          return EXIT.ok;
        }
        const status = await daemon.call({ call: "status" });
        terminal.print(json ? JSON.stringify({ running: true, ...status }) : statusText(status, Date.now()));
        if (status.build !== BUILD) terminal.say(`wirken: ${OTHER_BUILD}\nhint: ${FINISH_UPGRADE}`);
        return status.storage.state === "exhausted" ? EXIT.notReady : EXIT.ok;
      }),
    );
}

/** An alarm outlives the daemon that raised it: the next one refuses to start. */
function notRunningText(root: string, alarms: readonly Alarm[]): string {
  const lines = alarms.map(
    ({ code, seq, sentence, at }) =>
      `ALARM ${moment(at)} ${printable(code)}${seq === null ? "" : ` at row ${seq}`}: ${printable(sentence)}`,
  );
  return [`not running (${root})`, ...lines].join("\n");
}

/** What `status` says. @param now milliseconds since 1970. */
export function statusText(status: AnswerTo<"status">, now: number): string {
  const entries: [string, string][] = [
    [
      "wirken",
      `${status.version}, process ${status.pid}, since ${moment(status.since)} (${span(now - Date.parse(status.since))})`,
    ],
    ["data", status.home],
    ["page", status.web ?? "not served"],
    ["vault", status.vault.sentence],
    ["model", joined(`${status.model.ref} for agent ${status.model.agent}`, status.model.note)],
    ["search", status.search.replace(/^web search is /, "")],
    ["sandbox", joined(sandboxWord(status.sandbox), status.sandbox.note)],
    ["log", logText(status.log)],
  ];
  if (status.proxy !== null) entries.push(["proxy", status.proxy]);
  if (status.pendingApprovals > 0) {
    entries.push(["approvals", `${status.pendingApprovals} waiting: wirken approvals list`]);
  }
  const parts = [pairs(entries)];
  if (status.channels.length > 0) parts.push(channelTable(status.channels));
  if (status.notes.length > 0) parts.push(status.notes.map((note) => `- ${note}`).join("\n"));
  return parts.join("\n\n");
}

/** Channels as they are listed here and by `channel list`. */
export function channelTable(channels: AnswerTo<"channel.list">["channels"]): string {
  return table(
    ["channel", "state", "account", "note"],
    channels.map(({ channel, state, account, note }) => [channel, state, account ?? "-", note ?? ""]),
  );
}

function logText({ rows, checkpoint, stopped }: AnswerTo<"status">["log"]): string {
  if (stopped !== null) return `stopped: ${stopped}`;
  return `${rows} rows, signed up to row ${Math.max(0, checkpoint - 1)}`;
}

function joined(text: string, note: string | null): string {
  return note === null ? text : `${text}\n${note}`;
}

function sandboxWord({ works, note }: AnswerTo<"status">["sandbox"]): string {
  if (!works) return "does not work";
  return note === null ? "works" : "weaker";
}
