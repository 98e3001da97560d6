import { setTimeout as delay } from "node:timers/promises";
import { Command } from "commander";
import * as z from "zod/mini";
import { nearest } from "../../config/nearest.ts";
import { AdapterChannel, PLATFORMS, platformOf } from "../../ipc/channel.ts";
import type { AnswerTo } from "../../ipc/operator.ts";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitStatus } from "../exit-status.ts";
import { healthText } from "../channel-health.ts";
import type { OperatorPort } from "../operator-port.ts";
import { firstMessage, instructionsFor } from "../platform-instructions.ts";
import { reachOperator } from "../reach.ts";
import { channelTable } from "./status.ts";

/** A platform that is reached at all is connected within seconds. */
const CONNECTED_MS = 15_000;
const LOOK_MS = 500;
const UNDECIDED: ReadonlySet<string> = new Set(["connecting", "reconnecting"]);

const Json = z.object({ json: z._default(z.boolean(), false) });

export function channelCommand(context: Context): Command {
  const list = new Command("list")
    .summary("every channel and its state")
    .option("--json", "print one JSON object")
    .action((options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "channel.list" });
        if (json) context.terminal.print(JSON.stringify(answer));
        else if (answer.channels.length > 0) context.terminal.print(channelTable(answer.channels));
        else
          context.terminal.say(
            "wirken: no channel is set up\nhint: wirken vault add telegram, or: wirken vault add slack",
          );
        return EXIT.ok;
      }),
    );
  return new Command("channel")
    .summary("list, enable, disable and test channels")
    .addCommand(list)
    .addCommand(statusCommand(context))
    .addCommand(testCommand(context))
    .addCommand(switching(context, "enable"))
    .addCommand(switching(context, "disable"));
}

function switching(context: Context, what: "enable" | "disable"): Command {
  return new Command(what)
    .summary(
      what === "enable" ? "start a channel; the daemon needs no restart" : "stop a channel; its credentials stay",
    )
    .argument("<channel>", "such as telegram, slack, slack:acme")
    .option("--json", "print one JSON object")
    .action((word: string, options: unknown) =>
      context.run(async (): Promise<ExitStatus> => {
        const { json } = Json.parse(options);
        const channel = channelOf(word);
        await using operator = await reachOperator(context);
        const view: AnswerTo<"channel.enable"> =
          what === "enable"
            ? await operator.call({ call: "channel.enable", channel })
            : await operator.call({ call: "channel.disable", channel });
        context.terminal.print(json ? JSON.stringify(view) : channelTable([view]));
        if (what === "enable" && !json) context.terminal.say(await nextStep(operator, view));
        return EXIT.ok;
      }),
    );
}

/** Waits until it is known how an enabled channel is. @returns what to do next, for a person. */
async function nextStep(operator: OperatorPort, view: AnswerTo<"channel.enable">): Promise<string> {
  const platform = platformOf(AdapterChannel.parse(view.channel));
  if (view.state === "no-credentials")
    return `${instructionsFor(platform)}\nhint: then wirken vault add ${view.channel}`;
  let now = view;
  for (let waited = 0; waited < CONNECTED_MS && UNDECIDED.has(now.state); waited += LOOK_MS) {
    await delay(LOOK_MS);
    const { channels } = await operator.call({ call: "channel.list" });
    now = channels.find(({ channel }) => channel === view.channel) ?? now;
  }
  if (now.state === "connected")
    return `${view.channel}: connected${now.account === null ? "" : ` as ${now.account}`}\nhint: ${firstMessage(platform, now.account)}`;
  return `${view.channel}: ${now.state}${now.note === null ? "" : `: ${now.note}`}\nhint: wirken channel status shows how it goes on`;
}

function statusCommand(context: Context): Command {
  return new Command("status")
    .summary("how each channel has been since the daemon was started")
    .option("--json", "print one JSON object")
    .action((options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "channel.status" });
        context.terminal.print(json ? JSON.stringify(answer) : healthText(answer.channels));
        return EXIT.ok;
      }),
    );
}

function testCommand(context: Context): Command {
  return new Command("test")
    .summary("send yourself a message on a channel, and wait for your answer")
    .argument("<channel>", "such as telegram, slack, slack:acme")
    .option("--json", "print one JSON object")
    .action((word: string, options: unknown) =>
      context.run(async (): Promise<ExitStatus> => {
        const { json } = Json.parse(options);
        const channel = channelOf(word);
        await using operator = await reachOperator(context);
        if (!json) context.terminal.say(`${channel}: sending you a message: answer it there`);
        const answer = await operator.call({ call: "channel.test", channel });
        context.terminal.print(json ? JSON.stringify(answer) : answer.sentence);
        return answer.state === "answered" ? EXIT.ok : EXIT.bad;
      }),
    );
}

function channelOf(word: string): AdapterChannel {
  const channel = AdapterChannel.safeParse(word);
  if (channel.success) return channel.data;
  const near = nearest(word, PLATFORMS);
  throw usage(
    `${word} is not a channel`,
    near === null
      ? `a channel is ${PLATFORMS.join(" or ")}, or one of these with a name: slack:acme`
      : `did you mean ${near}?`,
  );
}
