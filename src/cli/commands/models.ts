import { Command } from "commander";
import * as z from "zod/mini";
import type { PriceView } from "../../ipc/model-calls.ts";
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
const Use = z.extend(Json, {
  agent: z._default(z.string(), "default"),
  fallback: z._default(z.array(z.string()), []),
});
const ClearFallback = z.object({ clearFallback: z._default(z.boolean(), false) });
const Price = z.extend(Json, {
  input: z.optional(z.string()),
  output: z.optional(z.string()),
  source: z.optional(z.string()),
  remove: z._default(z.boolean(), false),
});

export function modelsCommand(context: Context): Command {
  return new Command("models")
    .summary("which there are, whether one works, which an agent talks to, and what they cost")
    .addCommand(list(context))
    .addCommand(test(context))
    .addCommand(use(context))
    .addCommand(price(context));
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
    models.map(({ id, tools, images, pdfs, window, modified, agents }) => [
      `${provider}/${id}`,
      yes(tools),
      images === true && pdfs === true ? "yes, PDFs" : yes(images),
      window === null ? "?" : `${Math.round(window / 1000)}k`,
      modified?.slice(0, 10) ?? "-",
      agents.join(", "),
    ]),
  );
  if (rows.length > 0)
    context.terminal.print(table(["model", "tools", "pictures", "context", "since", "agents"], rows));
  for (const { provider, note } of providers)
    if (note !== null) context.terminal.say(printable(`${provider}: ${note}`));
}

/** What nobody says is a question. */
function yes(able: boolean | null): string {
  return able === null ? "?" : able ? "yes" : "no";
}

function test(context: Context): Command {
  return new Command("test")
    .summary("ask one three small questions, and say what works")
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
        return answer.text && answer.tools && answer.attested?.holds !== false ? EXIT.ok : EXIT.bad;
      }),
    );
}

function testText(seen: AnswerTo<"models.test">): string {
  const { inputTokens, outputTokens } = seen;
  return [
    `${seen.model} answers (${(seen.ms / 1000).toFixed(1)} s, ${inputTokens} tokens in, ${outputTokens} out)`,
    ...(seen.attested === null
      ? []
      : [`  attested   ${seen.attested.holds ? "yes" : "no"}: ${evidenceText(seen.attested)}`]),
    `  text       ${seen.text ? "works" : "does not: its answer was empty"}`,
    `  streaming  ${seen.pieces > 1 ? `works: ${seen.pieces} pieces` : "its answer came in one piece"}`,
    `  pictures   ${seen.images ? "works" : `does not: ${seen.whyImages ?? "no reason was given"}`}`,
    `  tools      ${seen.tools ? "works" : `does not: ${seen.why ?? "no reason was given"}`}`,
  ]
    .map((line) => printable(line))
    .join("\n");
}

function evidenceText({ evidence, manifest }: NonNullable<AnswerTo<"models.test">["attested"]>): string {
  return manifest === null ? evidence : `${evidence}, by the manifest ${manifest}`;
}

function use(context: Context): Command {
  return new Command("use")
    .summary("let an agent talk to a model from its next turn on")
    .description(
      "Models to fall back on are asked, in the order given, where the agent's own is not there: out of reach, overloaded, failing or silent. Each such call is recorded with the reason, and said in the conversation.",
    )
    .argument("[model]", "provider/model, such as anthropic/claude-sonnet-4-5")
    .option("--agent <name>", "which agent", "default")
    .option("--fallback <model...>", "asked where that is not there, in this order; takes the place of those before")
    .option("--clear-fallback", "nothing is asked instead any more")
    .option("--json", "print one JSON object")
    .action((text: string | undefined, options: unknown) =>
      context.run(async () => {
        const { clearFallback } = ClearFallback.parse(options);
        const { json, agent, fallback } = Use.parse(options);
        if (clearFallback && fallback.length > 0)
          throw usage("--fallback and --clear-fallback exclude each other", "give one of them");
        if (text === undefined && fallback.length === 0 && !clearFallback)
          throw usage("which model is meant?", "wirken models use provider/model, or --fallback provider/model");
        const model = text === undefined ? null : refOf(text);
        const others = fallback.map((one) => refOf(one));
        await using operator = await reachOperator(context);
        const name = agentOf(agent);
        const used = model === null ? null : await operator.call({ call: "models.use", model, agent: name });
        const behind =
          others.length > 0 || clearFallback
            ? await operator.call({ call: "models.fall-back", models: others, agent: name })
            : null;
        if (json) context.terminal.print(JSON.stringify({ ...used, ...(behind === null ? {} : { fallback: behind }) }));
        else {
          if (used !== null)
            context.terminal.print(`agent ${used.agent} now uses ${used.model} (before: ${used.before})`);
          if (behind !== null) context.terminal.print(behindText(behind));
          for (const note of [used?.note ?? null, ...(behind?.notes ?? [])])
            if (note !== null) context.terminal.say(printable(note));
        }
        return EXIT.ok;
      }),
    );
}

function behindText({ agent, models, before }: AnswerTo<"models.fall-back">): string {
  const was = before.length === 0 ? "nothing" : before.join(", ");
  return models.length === 0
    ? `agent ${agent} has nothing to fall back on (before: ${was})`
    : `agent ${agent} falls back on ${models.join(", then ")} (before: ${was})`;
}

function price(context: Context): Command {
  return new Command("price")
    .summary("what models cost; give a price where ours is old or missing")
    .description(
      "Prices are US dollars for a million tokens. One that you give goes before the one that is shipped, and is kept in config.json with today's date.",
    )
    .argument("[model]", "provider/model; left out: those that agents have, and all that you gave a price")
    .option("--input <dollars>", "what a million tokens of a request cost")
    .option("--output <dollars>", "what a million tokens of an answer cost")
    .option("--source <text>", "where that is said, such as an address")
    .option("--remove", "go back to the price that is shipped, if there is one")
    .option("--json", "print one JSON object")
    .action((text: string | undefined, options: unknown) =>
      context.run(async () => {
        const { json, input, output, source, remove } = Price.parse(options);
        const model = text === undefined ? null : refOf(text);
        const gives = input !== undefined || output !== undefined || source !== undefined;
        if ((gives || remove) && model === null)
          throw usage("which model is meant?", "wirken models price provider/model …");
        if (gives && remove) throw usage("--remove goes with no price", "give a price, or take one away");
        if (gives && (input === undefined || output === undefined))
          throw usage("a price has two parts", "give --input and --output, US dollars for a million tokens");
        await using operator = await reachOperator(context);
        if (model !== null && (gives || remove)) {
          const given = { input: dollarsOf(input ?? "", "--input"), output: dollarsOf(output ?? "", "--output") };
          const answer = await operator.call({
            call: "models.price.set",
            model,
            price: remove ? null : { ...given, source: source ?? null },
          });
          context.terminal.print(json ? JSON.stringify(answer) : priceText([answer.price]));
          return EXIT.ok;
        }
        const answer = await operator.call({ call: "models.price", model });
        context.terminal.print(json ? JSON.stringify(answer) : priceText(answer.prices));
        return model !== null && answer.prices.some(({ from }) => from === "nobody") ? EXIT.bad : EXIT.ok;
      }),
    );
}

const FROM: Readonly<Record<PriceView["from"], string>> = {
  config: "you",
  shipped: "shipped",
  local: "on this machine",
  nobody: "not known",
};

function priceText(prices: readonly PriceView[]): string {
  const rows = prices.map(({ model, input, output, from, asOf, source, shipped }) => [
    model,
    input === null ? "-" : `$${input}`,
    output === null ? "-" : `$${output}`,
    FROM[from],
    asOf ?? "-",
    [source ?? "", shipped === null ? "" : `shipped: $${shipped.input} and $${shipped.output} as of ${shipped.asOf}`]
      .filter((one) => one !== "")
      .join("; "),
  ]);
  return table(["model", "in", "out", "from", "as of", "source"], rows);
}

/** US dollars for a million tokens. @throws {CommandError} naming the option. */
function dollarsOf(text: string, option: string): number {
  if (text === "") return 0;
  if (!/^\d{1,5}(\.\d{1,6})?$/.test(text)) throw usage(`${option} takes US dollars, not ${text}`, "such as 3 or 0.25");
  return Number(text);
}

/** @throws {CommandError} for what names no model. */
function refOf(text: string): ModelRef {
  const ref = ModelRef.safeParse(text);
  if (!ref.success) throw usage(`${text} names no model`, "write provider/model, such as anthropic/claude-sonnet-4-5");
  return ref.data;
}
