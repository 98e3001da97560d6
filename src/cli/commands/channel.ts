import { Command } from "commander";
import * as z from "zod/mini";
import { nearest } from "../../config/nearest.ts";
import { AdapterChannel, PLATFORMS } from "../../ipc/channel.ts";
import type { AnswerTo } from "../../ipc/operator.ts";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitStatus } from "../exit-status.ts";
import { reachOperator } from "../reach.ts";
import { channelTable } from "./status.ts";

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
    .summary("list, enable and disable channels")
    .addCommand(list)
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
        return EXIT.ok;
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
