import { Command } from "commander";
import * as z from "zod/mini";
import { CommandError } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitStatus } from "../exit-status.ts";
import { waitingBrowser } from "../open-in-browser.ts";
import { InterruptedError } from "../interrupted-error.ts";
import type { OperatorPort } from "../operator-port.ts";
import { printable } from "../printable.ts";
import { needDaemon } from "../reach.ts";

const Options = z.object({
  json: z._default(z.boolean(), false),
  open: z._default(z.boolean(), true),
  scope: z.optional(z.string()),
  host: z.optional(z.string()),
});

export function mcpAuthorizeCommand(context: Context): Command {
  return new Command("authorize")
    .summary("let a server be used in your name: you log in with it in a browser, and the tokens go to the vault")
    .description(
      "Prints an address, and opens it where there is a desktop. What your browser comes back with goes to the page of this machine; nothing is to be copied.",
    )
    .argument("<name>", "as in: wirken mcp list")
    .option("--scope <words>", "ask for these rights, as the server calls them; left out: those it asks for itself")
    .option("--host <name>", "another host that it logs you in at, once you know that it is the right one")
    .option("--no-open", "print the address only")
    .option("--json", "print one JSON object at the end")
    .addHelpText("after", `\nExit status is ${EXIT.bad} if it comes to nothing.`)
    .action((name: string, options: unknown) =>
      context.run(async () => await authorize(context, name, Options.parse(options)), { network: true }),
    );
}

async function authorize(
  context: Context,
  name: string,
  { json, open, scope, host }: z.infer<typeof Options>,
): Promise<ExitStatus> {
  const { terminal } = context;
  using browser = open && !json && terminal.interactive ? waitingBrowser(context) : null;
  await using daemon = await needDaemon(context);
  const begin = async (allowed: string | null) =>
    await daemon.call({ call: "mcp.authorize", name, scope: scope ?? null, host: allowed });
  let begun = await begin(host ?? null);
  // One server may name another host than its own to log in at, and that one a further one; not more.
  for (let asked = 0; begun.state === "host-needed"; asked += 1) {
    const { host: needed } = begun;
    terminal.say(printable(`${name} would have you log in at ${needed}, which it may not reach so far`));
    if (!terminal.interactive || asked >= 3)
      throw new CommandError(
        EXIT.refused,
        printable(`${name} was not authorized`),
        `if ${needed} is right: --host ${needed}`,
      );
    if (!/^y(es)?$/i.test((await terminal.ask(`may ${name} reach ${printable(needed)}? [y/N] `)).trim()))
      throw new CommandError(EXIT.refused, "nothing was authorized");
    begun = await begin(needed);
  }
  const { url, id } = begun;
  terminal.say("open this in a browser on this machine, and log in:");
  if (json) terminal.say(printable(url));
  else terminal.print(printable(url));
  await browser?.open(url);
  const trouble = await answered(context, daemon, id);
  if (trouble !== null) throw new CommandError(EXIT.bad, printable(`${name} was not authorized: ${trouble}`));
  terminal.print(
    json
      ? JSON.stringify({ name, authorized: true })
      : `${name} is authorized; its tokens are in the vault, and are renewed by themselves`,
  );
  return EXIT.ok;
}

/** Waits for the browser, or for somebody who types where it ended: it may run on another machine. @returns why it came to nothing. */
async function answered({ terminal }: Context, daemon: OperatorPort, id: string): Promise<string | null> {
  const over = new AbortController();
  const waiting = daemon.call({ call: "mcp.authorize.wait", id }).finally(() => over.abort());
  if (!terminal.interactive) terminal.say("waiting for the browser, ten minutes at most …");
  else {
    terminal.say(
      "waiting for the browser, ten minutes at most; if it runs on another machine, it ends at an address that it cannot open:",
    );
    try {
      const typed = await terminal.ask("paste that here, or just wait: ", over.signal);
      const query = typed.trim().replace(/^[^?]*\?/, "");
      await daemon.call({ call: "mcp.authorize.back", id }, { payload: Buffer.from(query) });
    } catch (error) {
      // The browser was quicker, which ends the question; or what was typed is wrong, which is said by whoever waits.
      if (!over.signal.aborted && error instanceof InterruptedError) throw error;
    }
  }
  return (await waiting).trouble;
}
