import { Command, CommanderError } from "commander";
import { homeFrom } from "../config/home.ts";
import { holdCommand } from "../supervisor/own-walls.ts";
import { CommandError } from "./command-error.ts";
import { approvalsCommand } from "./commands/approvals.ts";
import { askCommand } from "./commands/ask.ts";
import { auditCommand } from "./commands/audit.ts";
import { budgetCommand } from "./commands/budget.ts";
import { channelCommand } from "./commands/channel.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { egressCommand } from "./commands/egress.ts";
import { licencesCommand } from "./commands/licences.ts";
import { modelsCommand } from "./commands/models.ts";
import { incidentCommand } from "./commands/incident.ts";
import { pairCommand } from "./commands/pair.ts";
import { peopleCommand } from "./commands/people.ts";
import { policyCommand } from "./commands/policy.ts";
import { recoveryCommand } from "./commands/recovery.ts";
import { sbomCommand } from "./commands/sbom.ts";
import { searchCommand } from "./commands/search.ts";
import { scheduleCommand } from "./commands/schedule.ts";
import { startCommand } from "./commands/start.ts";
import { statusCommand } from "./commands/status.ts";
import { agentsCommand } from "./commands/agents.ts";
import { folderCommand } from "./commands/folder.ts";
import { grantsCommand } from "./commands/grants.ts";
import { haltCommand, resumeCommand } from "./commands/halt.ts";
import { labelCommand } from "./commands/label.ts";
import { sessionsCommand } from "./commands/sessions.ts";
import { mcpCommand } from "./commands/mcp.ts";
import { skillsCommand } from "./commands/skills.ts";
import { stopCommand } from "./commands/stop.ts";
import { memoryCommand } from "./commands/memory.ts";
import { undoCommand } from "./commands/undo.ts";
import { usageCommand } from "./commands/usage.ts";
import { vaultCommand } from "./commands/vault.ts";
import { witnessCommand } from "./commands/witness.ts";
import { webCommand } from "./commands/web.ts";
import type { Context } from "./context.ts";
import { EXIT, type ExitStatus } from "./exit-status.ts";
import { InterruptedError } from "./interrupted-error.ts";
import { processTerminal, type Terminal } from "./terminal.ts";
import { usageText } from "./usage-text.ts";
import { versionText } from "./version-text.ts";

/** Runs one command. @returns the status that the process ends with. */
export async function runProgram(words: readonly string[], environment: NodeJS.ProcessEnv): Promise<ExitStatus> {
  const terminal = processTerminal(environment);
  let status: ExitStatus = EXIT.ok;
  const context: Context = {
    home: homeFrom(environment),
    environment,
    terminal,
    run: async (work, { network } = { network: false }) => {
      status = await settled(async () => {
        if (!network) holdCommand();
        return await work();
      }, terminal);
    },
  };
  const program = programOf(context);
  try {
    await program.parseAsync([...words], { from: "user" });
    return status;
  } catch (error) {
    if (!(error instanceof CommanderError)) return told(error, terminal);
    if (error.exitCode === 0) return EXIT.ok;
    // Help that was shown instead of a missing subcommand is no answer, but needs no sentence besides.
    if (error.code === "commander.help") return EXIT.usage;
    const { sentence, hint } = usageText(error.message, words, (prefix) => commandNames(program, prefix));
    return told(new CommandError(EXIT.usage, sentence, hint), terminal);
  }
}

/** The whole command line. */
export function programOf(context: Context): Command {
  const program = new Command("wirken")
    .description("An AI agent for your workstation that can answer for every action it takes.")
    // Options behind a subcommand are the subcommand's, also where its parent has one of the same name.
    .enablePositionalOptions()
    .version(versionText(), "-V, --version", "print version, build and commit")
    .helpCommand("help [command]", "display help for command");
  const commands = [
    startCommand,
    stopCommand,
    haltCommand,
    resumeCommand,
    statusCommand,
    doctorCommand,
    askCommand,
    vaultCommand,
    channelCommand,
    modelsCommand,
    searchCommand,
  ];
  commands.push(
    pairCommand,
    peopleCommand,
    approvalsCommand,
    grantsCommand,
    folderCommand,
    agentsCommand,
    sessionsCommand,
    skillsCommand,
    mcpCommand,
    scheduleCommand,
    memoryCommand,
    undoCommand,
    policyCommand,
    labelCommand,
    budgetCommand,
    usageCommand,
    incidentCommand,
    auditCommand,
    egressCommand,
    webCommand,
    witnessCommand,
    recoveryCommand,
    sbomCommand,
    licencesCommand,
  );
  for (const command of commands) program.addCommand(command(context));
  program.addHelpText(
    "after",
    [
      "",
      "Exit status: 0 done; 1 done, and the answer is bad; 2 used wrongly; 3 not ready (no daemon, vault locked);",
      "             4 refused by policy; 70 a bug of ours.",
      "Data directory: WIRKEN_HOME, else ~/.wirken.",
    ].join("\n"),
  );
  throwing(program);
  return program;
}

/** Commander's own errors are thrown, not printed: they are said in our words. */
function throwing(command: Command): void {
  command.exitOverride();
  command.showSuggestionAfterError(false);
  command.configureOutput({ outputError: () => undefined });
  for (const sub of command.commands) throwing(sub);
}

/** The names that may stand behind the given words. */
function commandNames(program: Command, prefix: readonly string[]): string[] {
  let at: Command = program;
  for (const word of prefix) {
    const next = at.commands.find((command) => command.name() === word);
    if (next === undefined) break;
    at = next;
  }
  return at.commands.map((command) => command.name());
}

async function settled(work: () => Promise<ExitStatus>, terminal: Terminal): Promise<ExitStatus> {
  try {
    return await work();
  } catch (error) {
    return told(error, terminal);
  }
}

/** Says why a command ended without its answer. @returns the status. */
function told(error: unknown, terminal: Terminal): ExitStatus {
  if (error instanceof InterruptedError) {
    terminal.say("wirken: interrupted; nothing was done");
    return EXIT.usage;
  }
  if (error instanceof CommandError) {
    terminal.say(`wirken: ${error.message}`);
    if (error.hint !== null && error.hint !== "") terminal.say(`hint: ${error.hint}`);
    return error.status;
  }
  if (error instanceof Error && error.name === "HomeError") {
    terminal.say(`wirken: ${error.message}`);
    return EXIT.usage;
  }
  if (error instanceof Error && error.name === "ConfineError") {
    terminal.say(`wirken: this command cannot be held to local sockets: ${error.message}`);
    return EXIT.notReady;
  }
  return toldBug(error, terminal);
}

function toldBug(error: unknown, terminal: Terminal): ExitStatus {
  terminal.say(`wirken: a bug: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  terminal.say("hint: please report it with the lines above and the output of: wirken --version");
  return EXIT.bug;
}
