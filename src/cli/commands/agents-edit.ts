import { Command } from "commander";
import * as z from "zod/mini";
import { AgentSettings, MAX_INSTRUCTIONS } from "../../ipc/agent-calls.ts";
import type { Name } from "../../ipc/ids.ts";
import { ModelRef } from "../../ipc/provider.ts";
import { agentText } from "../agent-text.ts";
import { readBounded } from "../bounded-file.ts";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import type { OperatorPort } from "../operator-port.ts";
import { personOf } from "../person.ts";
import { agentOf } from "../placed-person.ts";
import { reachOperator } from "../reach.ts";
import { placeOf } from "./agents-bind.ts";

const Many = z._default(z.array(z.string()), []);
const Options = z.object({
  json: z._default(z.boolean(), false),
  model: z.optional(z.string()),
  instructions: z.optional(z.string()),
  tool: Many,
  skill: Many,
  person: Many,
  channel: Many,
  budget: z.optional(z.string()),
  rounds: z.optional(z.string()),
  minutes: z.optional(z.string()),
  clear: Many,
});
type Options = z.infer<typeof Options>;

/** What `--clear` sets back, by its option's name. */
const CLEARED = {
  model: "model",
  instructions: "instructions",
  tools: "tools",
  skills: "skills",
  people: "people",
  budget: "budgetUsdPerDay",
  rounds: "rounds",
  minutes: "turnMinutes",
} as const satisfies Record<string, keyof AgentSettings>;

export function agentsAddCommand(context: Context): Command {
  return settable(new Command("add"))
    .summary("make another agent")
    .description(
      "It is there at once. What is not said is as with every agent: the default agent's model, all tools, all skills in use, $5 a day, and everybody who is paired may talk to it.",
    )
    .action((name: string, options: unknown) =>
      context.run(async () => {
        const parsed = Options.parse(options);
        const agent = agentOf(name);
        await using operator = await reachOperator(context);
        const settings = await settingsOf(operator, parsed);
        const places = parsed.channel.map((text) => placeOf(text));
        await operator.call({ call: "agents.add", agent, settings });
        return await shown(context, operator, agent, places, parsed.json);
      }),
    );
}

export function agentsSetCommand(context: Context): Command {
  return settable(new Command("set"))
    .summary("change what is set for an agent; it goes by that from its next turn on")
    .option("--clear <setting...>", `set back: ${Object.keys(CLEARED).join(", ")}, or all`)
    .action((name: string, options: unknown) =>
      context.run(async () => {
        const parsed = Options.parse(options);
        const agent = agentOf(name);
        await using operator = await reachOperator(context);
        const settings = { ...clearedOf(parsed.clear), ...(await settingsOf(operator, parsed)) };
        const places = parsed.channel.map((text) => placeOf(text));
        if (Object.keys(settings).length + places.length === 0)
          throw usage("there is nothing to set", "such as --model ollama/qwen3:8b, --tool read_file or --clear tools");
        if (Object.keys(settings).length > 0) await operator.call({ call: "agents.set", agent, settings });
        return await shown(context, operator, agent, places, parsed.json);
      }),
    );
}

function settable(command: Command): Command {
  return command
    .argument("<name>", "a-z, 0-9 and -, at most 32")
    .option("--model <provider/model>", "as in: wirken models list")
    .option("--instructions <file>", "what it is told before every conversation, a text file")
    .option("--tool <name...>", "the tools that it has and no others; web_* means all that begin so")
    .option("--skill <name...>", "the skills that it has and no others")
    .option("--person <who...>", "who may talk to it beside the owners, by name or id")
    .option("--channel <place...>", "where it answers, as in: wirken agents bind")
    .option("--budget <usd>", "US dollars a day")
    .option("--rounds <number>", "of tools in one turn")
    .option("--minutes <number>", "that one turn may take")
    .option("--json", "print one JSON object");
}

async function shown(
  context: Context,
  operator: OperatorPort,
  agent: Name,
  places: readonly ReturnType<typeof placeOf>[],
  json: boolean,
) {
  for (const place of places) await operator.call({ call: "agents.bind", agent, place });
  const answer = await operator.call({ call: "agents.show", agent });
  context.terminal.print(json ? JSON.stringify(answer) : agentText(answer));
  return EXIT.ok;
}

function clearedOf(names: readonly string[]): AgentSettings {
  const wanted = names.includes("all") ? Object.keys(CLEARED) : names;
  const keys = wanted.map((name) => {
    const found = Object.entries(CLEARED).find(([one]) => one === name)?.[1];
    if (found === undefined)
      throw usage(`--clear: ${name} is no setting`, `one of ${Object.keys(CLEARED).join(", ")}, or all`);
    return found;
  });
  return Object.fromEntries(keys.map((key) => [key, null]));
}

/** @throws {CommandError} for what nobody could mean. */
async function settingsOf(operator: OperatorPort, given: Options): Promise<AgentSettings> {
  const people = given.person.length === 0 ? [] : (await operator.call({ call: "pair.list" })).people;
  const settings = {
    ...(given.model === undefined ? {} : { model: modelOf(given.model) }),
    ...(given.instructions === undefined ? {} : { instructions: fileOf(given.instructions) }),
    ...(given.tool.length === 0 ? {} : { tools: given.tool }),
    ...(given.skill.length === 0 ? {} : { skills: given.skill }),
    ...(given.person.length === 0 ? {} : { people: given.person.map((who) => personOf(who, people)) }),
    ...(given.budget === undefined ? {} : { budgetUsdPerDay: numberOf("--budget", given.budget) }),
    ...(given.rounds === undefined ? {} : { rounds: numberOf("--rounds", given.rounds) }),
    ...(given.minutes === undefined ? {} : { turnMinutes: numberOf("--minutes", given.minutes) }),
  };
  const parsed = AgentSettings.safeParse(settings);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw usage(`${String(issue?.path[0] ?? "a setting")}: ${issue?.message ?? "cannot be set so"}`, null);
}

function modelOf(text: string): ModelRef {
  const model = ModelRef.safeParse(text);
  if (!model.success) throw usage(`${text} is not a model`, "write PROVIDER/MODEL, such as ollama/qwen3:8b");
  return model.data;
}

function fileOf(path: string): string {
  const bytes = readBounded("--instructions", path, MAX_INSTRUCTIONS * 4 + 1, "name a text file");
  const text = bytes.toString("utf8");
  if (text.length > MAX_INSTRUCTIONS)
    throw usage(
      `--instructions: ${path} is longer than ${MAX_INSTRUCTIONS} characters`,
      "it goes with every request to the model",
    );
  if (text.includes("\0") || text.includes("\ufffd")) throw usage(`--instructions: ${path} is no text in UTF-8`, null);
  return text.trimEnd();
}

function numberOf(option: string, text: string): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isFinite(value)) throw usage(`${option} takes a number`, null);
  return value;
}
