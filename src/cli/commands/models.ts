import { Command } from "commander";
import * as z from "zod/mini";
import { ModelRef } from "../../ipc/provider.ts";
import type { AnswerTo } from "../../ipc/operator.ts";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { agentOf } from "../placed-person.ts";
import { printable } from "../printable.ts";
import { reachOperator } from "../reach.ts";
import { table } from "../table.ts";

const Json = z.object({ json: z._default(z.boolean(), false) });
const Use = z.extend(Json, { agent: z._default(z.string(), "default") });

export function modelsCommand(context: Context): Command {
  return new Command("models")
    .summary("which there are, whether one works, and which an agent talks to")
    .addCommand(list(context))
    .addCommand(test(context))
    .addCommand(use(context));
}

function list(context: Context): Command {
  return new Command("list")
    .summary("what each provider offers")
    .argument("[provider]", "one of them only, such as anthropic")
    .option("--json", "print one JSON object")
    .action((provider: string | undefined, options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        await using operator = await reachOperator(context);
        const answer = await operator.call({
          call: "models.list",
          provider: provider === undefined ? null : agentOf(provider),
        });
        if (json) context.terminal.print(JSON.stringify(answer));
        else print(context, answer);
        return answer.providers.some(({ state }) => state === "refused") ? EXIT.bad : EXIT.ok;
      }),
    );
}

function print(context: Context, { providers }: AnswerTo<"models.list">): void {
  const rows = providers.flatMap(({ provider, models }) =>
    models.map(({ id, tools, modified, agents }) => [
      `${provider}/${id}`,
      tools === null ? "?" : tools ? "yes" : "no",
      modified?.slice(0, 10) ?? "-",
      agents.join(", "),
    ]),
  );
  if (rows.length > 0) context.terminal.print(table(["model", "tools", "since", "agents"], rows));
  for (const { provider, note } of providers)
    if (note !== null) context.terminal.say(printable(`${provider}: ${note}`));
}

function test(context: Context): Command {
  return new Command("test")
    .summary("ask one two small questions, and say what works")
    .description("The questions hold nothing of yours. They are recorded, and cost what they cost.")
    .argument("<model>", "provider/model, such as anthropic/claude-sonnet-4-5")
    .option("--json", "print one JSON object")
    .action((text: string, options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        const model = refOf(text);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "models.test", model });
        if (json) context.terminal.print(JSON.stringify(answer));
        else context.terminal.print(testText(answer));
        return answer.text && answer.tools ? EXIT.ok : EXIT.bad;
      }),
    );
}

function testText(seen: AnswerTo<"models.test">): string {
  const { inputTokens, outputTokens } = seen;
  return [
    `${seen.model} answers (${(seen.ms / 1000).toFixed(1)} s, ${inputTokens} tokens in, ${outputTokens} out)`,
    `  text       ${seen.text ? "works" : "does not: its answer was empty"}`,
    `  streaming  ${seen.pieces > 1 ? `works: ${seen.pieces} pieces` : "its answer came in one piece"}`,
    `  tools      ${seen.tools ? "works" : `does not: ${seen.why ?? "no reason was given"}`}`,
  ]
    .map((line) => printable(line))
    .join("\n");
}

function use(context: Context): Command {
  return new Command("use")
    .summary("let an agent talk to a model from its next turn on")
    .argument("<model>", "provider/model, such as anthropic/claude-sonnet-4-5")
    .option("--agent <name>", "which agent", "default")
    .option("--json", "print one JSON object")
    .action((text: string, options: unknown) =>
      context.run(async () => {
        const { json, agent } = Use.parse(options);
        const model = refOf(text);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "models.use", model, agent: agentOf(agent) });
        if (json) context.terminal.print(JSON.stringify(answer));
        else {
          context.terminal.print(`agent ${answer.agent} now uses ${answer.model} (before: ${answer.before})`);
          if (answer.note !== null) context.terminal.say(printable(answer.note));
        }
        return EXIT.ok;
      }),
    );
}

/** @throws {CommandError} for what names no model. */
function refOf(text: string): ModelRef {
  const ref = ModelRef.safeParse(text);
  if (!ref.success) throw usage(`${text} names no model`, "write provider/model, such as anthropic/claude-sonnet-4-5");
  return ref.data;
}
