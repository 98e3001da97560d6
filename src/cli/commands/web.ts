import { Command } from "commander";
import * as z from "zod/mini";
import { WebSessionId } from "../../ipc/ids.ts";
import type { AnswerTo } from "../../ipc/operator.ts";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitStatus } from "../exit-status.ts";
import { moment } from "../moment.ts";
import { waitingBrowser } from "../open-in-browser.ts";
import { needDaemon } from "../reach.ts";
import { table } from "../table.ts";

const Options = z.object({ json: z._default(z.boolean(), false), open: z._default(z.boolean(), true) });
const Sessions = z.object({ json: z._default(z.boolean(), false), end: z.optional(z.string()) });

export function webCommand(context: Context): Command {
  return new Command("web")
    .summary("a fresh link to the web page")
    .description(
      "Prints a link that logs one browser in, once, within two minutes. Where there is a desktop it is opened.",
    )
    .enablePositionalOptions()
    .option("--no-open", "print the link only")
    .option("--json", "print one JSON object, open nothing")
    .action((options: unknown) => context.run(async () => await link(context, options), { network: true }))
    .addCommand(sessions(context));
}

async function link(context: Context, options: unknown): Promise<ExitStatus> {
  const { json, open } = Options.parse(options);
  const { terminal } = context;
  using browser = open && !json && terminal.interactive ? waitingBrowser(context) : null;
  await using daemon = await needDaemon(context);
  const answer = await daemon.call({ call: "web.link" });
  terminal.print(json ? JSON.stringify(answer) : answer.link);
  if (json) return EXIT.ok;
  terminal.say(`it works once, until ${moment(answer.until)}`);
  await browser?.open(answer.link);
  return EXIT.ok;
}

function sessions(context: Context): Command {
  return new Command("sessions")
    .summary("browsers that are logged in")
    .option("--end <id>", "log one out")
    .option("--json", "print one JSON object")
    .action((options: unknown) =>
      context.run(async () => {
        const { json, end } = Sessions.parse(options);
        await using daemon = await needDaemon(context);
        if (end !== undefined) {
          const session = WebSessionId.safeParse(end);
          if (!session.success) throw usage("that is not a browser's id", "it begins with w_: wirken web sessions");
          const { ended } = await daemon.call({ call: "web.sessions.end", session: session.data });
          if (!ended) throw usage(`no browser is logged in as ${end}`, "see: wirken web sessions");
          context.terminal.print(json ? JSON.stringify({ ended }) : "ended");
          return EXIT.ok;
        }
        const answer = await daemon.call({ call: "web.sessions" });
        if (json) context.terminal.print(JSON.stringify(answer));
        else if (answer.sessions.length > 0) context.terminal.print(sessionTable(answer));
        else context.terminal.say("wirken: no browser is logged in");
        return EXIT.ok;
      }),
    );
}

function sessionTable({ sessions: all }: AnswerTo<"web.sessions">): string {
  return table(
    ["browser", "since", "last seen", "until"],
    all.map(({ session, since, last, until }) => [session, moment(since), moment(last), moment(until)]),
  );
}
