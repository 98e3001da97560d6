import { Command } from "commander";
import * as z from "zod/mini";
import type { AnswerTo } from "../../ipc/operator.ts";
import type { Context } from "../context.ts";
import { agentOf, placedPerson } from "../placed-person.ts";
import { EXIT } from "../exit-status.ts";
import { moment } from "../moment.ts";
import { printableLines } from "../printable.ts";
import { reachOperator } from "../reach.ts";
import { pairs } from "../table.ts";
import { seqOf } from "../whole-number.ts";

const Options = z.object({ json: z._default(z.boolean(), false), at: z.optional(z.string()) });

export function policyCommand(context: Context): Command {
  return new Command("policy")
    .summary("the rules that decide what may be done")
    .addCommand(show(context))
    .addCommand(test(context));
}

const Test = z.object({
  json: z._default(z.boolean(), false),
  as: z.optional(z.string()),
  agent: z._default(z.string(), "default"),
  whyNot: z._default(z.boolean(), false),
});

function test(context: Context): Command {
  return new Command("test")
    .summary("what would be decided about a kind of action, and why")
    .description("Asked afresh: in a conversation of its own, in which nothing was denied and nothing was read.")
    .argument("<action>", "such as exec:rw; policy show names them")
    .option("--as <who>", "channel:person, such as telegram:Ada; the owner on the terminal if left out")
    .option("--agent <name>", "which agent asks", "default")
    .option("--why-not", "say too what would have to change for it to be done without a question")
    .option("--json", "print one JSON object")
    .action((key: string, options: unknown) =>
      context.run(async () => {
        const { json, as, agent, whyNot } = Test.parse(options);
        await using operator = await reachOperator(context);
        const who = await placedPerson(operator, as);
        const answer = await operator.call({ call: "policy.test", key, agent: agentOf(agent), ...who, whyNot });
        context.terminal.print(json ? JSON.stringify(answer) : decisionText(answer));
        if (whyNot && !json) context.terminal.print(printableLines(changesText(answer)));
        return answer.verdict === "refuse" ? EXIT.refused : EXIT.ok;
      }),
    );
}

const DECISIONS = { allow: "done without a question", ask: "somebody is asked first", refuse: "refused" } as const;

/** What `policy test --why-not` says below that. */
export function changesText({
  verdict,
  changes,
  tier,
}: Pick<AnswerTo<"policy.test">, "verdict" | "changes" | "tier">): string {
  if (verdict === "allow") return "nothing has to change";
  if (changes.length === 0)
    return tier === 3
      ? "nothing that is set beforehand changes that: it is asked for every time"
      : "no single thing would change that";
  return [
    "it would be otherwise with one of these:",
    ...changes.map(({ what, verdict: then }) => `  ${what}: ${DECISIONS[then]}`),
  ].join("\n");
}

/** What `policy test` says. */
export function decisionText({ verdict, tier, reason, rests, scopes, people }: AnswerTo<"policy.test">): string {
  const words = DECISIONS;
  return pairs([
    ["decision", words[verdict]],
    ["why", reason],
    ["tier", String(tier)],
    ...(people === 1 ? [] : [["by", `${people} different people`] as const]),
    ...(rests === null ? [] : [["rests on", `row #${rests}`] as const]),
    ...(scopes.length === 0 ? [] : [["may be", scopes.join(", ")] as const]),
  ]);
}

function show(context: Context): Command {
  return new Command("show")
    .summary("policy and agents' settings, as they were in force at a row")
    .option("--at <row>", "its number, as in: wirken audit log; the newest if left out")
    .option("--json", "print one JSON object")
    .action((options: unknown) =>
      context.run(async () => {
        const { json, at } = Options.parse(options);
        const seq = at === undefined ? null : seqOf(at);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "policy.show", seq });
        context.terminal.print(json ? JSON.stringify(answer) : policyText(answer));
        return EXIT.ok;
      }),
    );
}

/** What `policy show` says. */
export function policyText({ seq, policy, agents }: AnswerTo<"policy.show">): string {
  if (policy === null) return `no policy was in force at row #${seq}`;
  return [
    pairs([
      ["policy", policy.digest],
      ["in force", `at row #${seq}, since ${moment(policy.since)} (row #${policy.row})`],
    ]),
    textOf(policy.text),
    ...agents.flatMap(({ agent, provider, model, digest, since, row, text }) => [
      pairs([
        ["agent", agent],
        ["model", `${provider}/${model}`],
        ["settings", digest],
        ["in force", `since ${moment(since)} (row #${row})`],
      ]),
      textOf(text),
    ]),
  ].join("\n\n");
}

/** The text without its salt, which only keeps the digest from being guessed, laid out to be read. */
function textOf(text: string | null): string {
  if (text === null) return "  (erased, or the vault is locked)";
  let laid = text;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) {
      const { salt: _, ...rest }: Record<string, unknown> = { ...value };
      laid = JSON.stringify(rest, null, 2);
    }
  } catch {
    // It is shown as it is.
  }
  return printableLines(laid)
    .split("\n")
    .map((line) => `  ${line}`)
    .join("\n");
}
