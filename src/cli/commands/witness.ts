import { resolve } from "node:path";
import { Command } from "commander";
import * as z from "zod/mini";
import { dropScopes } from "../../confine/confine.ts";
import { CommandError, usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitStatus } from "../exit-status.ts";
import { printable } from "../printable.ts";
import { table } from "../table.ts";

const Serving = z.object({
  state: z.string(),
  listen: z.string(),
  name: z.optional(z.string()),
  url: z.optional(z.url({ protocol: /^https?$/ })),
});
const State = z.object({ state: z.string(), json: z._default(z.boolean(), false) });

export function witnessCommand(context: Context): Command {
  return new Command("witness")
    .summary("be a witness of other machines' logs")
    .description(
      "Makes this machine a C2SP witness: it signs each checkpoint of the logs it serves, and never two histories of one.",
    )
    .addCommand(serveCommand(context))
    .addCommand(addLogCommand(context))
    .addCommand(listCommand(context))
    .addCommand(noteCommand(context));
}

function serveCommand(context: Context): Command {
  return new Command("serve")
    .summary("answer on a port until it is ended")
    .requiredOption("--state <dir>", "folder of its key and of what it signed; made if it is not there")
    .option("--listen <address>", "host and port to listen on", "127.0.0.1:7718")
    .option("--name <name>", "name of a new witness, such as witness.example.org/w1")
    .option("--url <url>", "its address as others reach it, where that is another one")
    .addHelpText(
      "after",
      "\nBehind a proxy with TLS it can be reached from everywhere; what it signs needs no TLS to be checked.",
    )
    .action((options: unknown) => context.run(async () => await serveLogs(context, options), { network: true }));
}

async function serveLogs({ terminal }: Context, options: unknown): Promise<ExitStatus> {
  const { state, listen, name, url } = Serving.parse(options);
  const at = addressOf(listen);
  const { openKey, openState, serve } = await witnessCode();
  const folder = resolve(state);
  const witness = await told(() => openKey(folder, name ?? null));
  using kept = await told(() => openState(folder));
  // What it parses comes from anybody: it starts no process and loads no more code.
  dropScopes(["child", "worker", "addon", "ffi", "wasi", "inspector"]);
  await using server = await told(() =>
    serve({ witness, state: kept, line: (line) => terminal.say(`witness: ${line}`) }, at),
  );
  terminal.print(witness.vkey);
  terminal.say(`listening on ${server.url}`);
  terminal.say(`1. here, for each log:  wirken witness add-log VKEY --state ${state}`);
  terminal.say(`2. where the log is:    wirken audit anchor add witness ${url ?? server.url} ${witness.vkey}`);
  await ended();
  return EXIT.ok;
}

function addLogCommand(context: Context): Command {
  return new Command("add-log")
    .summary("serve a log, or its next key; a running witness needs no restart")
    .argument("<vkey>", "the log's public key: wirken audit key show")
    .requiredOption("--state <dir>", "the witness's folder")
    .option("--json", "print one JSON object")
    .action((vkey: string, options: unknown) =>
      context.run(async () => {
        const { state, json } = State.parse(options);
        const { openKey, openState } = await witnessCode();
        await told(() => openKey(resolve(state), null));
        using kept = await told(() => openState(resolve(state)));
        const added = await told(() => kept.addLog(vkey));
        context.terminal.print(json ? JSON.stringify({ added }) : added ? "added" : "this key was there already");
        return EXIT.ok;
      }),
    );
}

function listCommand(context: Context): Command {
  return new Command("list")
    .summary("the logs it serves, and how far it signed each")
    .requiredOption("--state <dir>", "the witness's folder")
    .option("--json", "print one JSON object")
    .action((options: unknown) =>
      context.run(async () => {
        const { state, json } = State.parse(options);
        const { openState } = await witnessCode();
        using kept = await told(() => openState(resolve(state)));
        const logs = kept
          .logs()
          .map(({ origin, vkeys, held }) => ({ origin, vkeys, size: held.size, root: held.root }));
        if (json) context.terminal.print(JSON.stringify({ logs }));
        else if (logs.length === 0)
          context.terminal.say("wirken: no log is served\nhint: wirken witness add-log VKEY --state DIR");
        else
          context.terminal.print(
            table(
              ["log", "rows", "keys"],
              logs.map(({ origin, size, vkeys }) => [origin, String(size), String(vkeys.length)]),
            ),
          );
        return EXIT.ok;
      }),
    );
}

function noteCommand(context: Context): Command {
  return new Command("note")
    .summary("the newest checkpoint that it signed of a log, to verify the log with")
    .argument("<origin>", "the log's name: wirken witness list")
    .requiredOption("--state <dir>", "the witness's folder")
    .action((origin: string, options: unknown) =>
      context.run(async () => {
        const { state } = State.parse(options);
        const { openState } = await witnessCode();
        using kept = await told(() => openState(resolve(state)));
        const { note } = await told(() => kept.held(origin));
        if (note === null) throw usage(`nothing of ${printable(origin)} was signed`, "see: wirken witness list");
        context.terminal.print(note.trimEnd());
        return EXIT.ok;
      }),
    );
}

/** Loaded for these commands alone. */
async function witnessCode() {
  const [{ openKey }, { WitnessState }, { serve }] = await Promise.all([
    import("../../witness/key.ts"),
    import("../../witness/state.ts"),
    import("../../witness/server.ts"),
  ]);
  return { openKey, openState: (folder: string) => WitnessState.open(folder), serve };
}

function addressOf(text: string): { host: string; port: number } {
  const [, host = "", port = ""] = /^(.+):(\d{1,5})$/.exec(text) ?? [];
  if (host === "" || Number(port) > 65_535)
    throw usage(`${text} is no address`, "it is a host and a port: 127.0.0.1:7718");
  return { host: host.replace(/^\[(.*)\]$/, "$1"), port: Number(port) };
}

const STATUS: Readonly<Record<string, ExitStatus>> = {
  WITNESS_INPUT: EXIT.usage,
  WITNESS_STATE: EXIT.notReady,
  WITNESS_PORT: EXIT.notReady,
};

/** A witness's errors in a command's words. */
async function told<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const status = STATUS[code];
    if (status === undefined || !(error instanceof Error)) throw error;
    throw new CommandError(status, error.message, null, { cause: error });
  }
}

async function ended(): Promise<void> {
  await new Promise<void>((done) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => done());
  });
}
