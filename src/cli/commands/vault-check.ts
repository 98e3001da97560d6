import { Command } from "commander";
import * as z from "zod/mini";
import type { AnswerTo } from "../../ipc/operator.ts";
import { canBeChecked, CredentialScope } from "../../ipc/vault-calls.ts";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { configuredProviders } from "../credential-options.ts";
import { enrolmentOf } from "../credential-name.ts";
import { EXIT, type ExitStatus } from "../exit-status.ts";
import { printable } from "../printable.ts";
import { reachOperator } from "../reach.ts";
import { table } from "../table.ts";
import { everyCredential } from "./vault-list.ts";

const Options = z.object({ json: z._default(z.boolean(), false) });

type Result = AnswerTo<"vault.check">;

export function vaultCheckCommand(context: Context): Command {
  return new Command("check")
    .summary("ask each platform whether its credential still works")
    .description(
      "Asks one platform after the other, each in a process of its own that is handed this credential only. Ends with 1 where one is refused, and with 3 where one could not be asked.",
    )
    .argument("[what]", "one channel or provider; all if left out")
    .option("--json", "print one JSON object")
    .action((what: string | undefined, options: unknown) =>
      context.run(async () => await check(what, options, context), { network: true }),
    );
}

async function check(what: string | undefined, options: unknown, context: Context): Promise<ExitStatus> {
  const { json } = Options.parse(options);
  const { terminal } = context;
  const named = what === undefined ? null : scopeOf(enrolmentOf(what, configuredProviders(context)).scope);
  await using operator = await reachOperator(context);
  const scopes =
    named === null
      ? (await everyCredential(operator)).credentials.map(({ scope }) => scope).filter((scope) => canBeChecked(scope))
      : [named];
  const results: Result[] = [];
  for (const scope of scopes) {
    terminal.say(`checking ${shortOf(scope)} …`);
    results.push(await operator.call({ call: "vault.check", scope: scopeOf(scope) }));
  }
  if (json) terminal.print(JSON.stringify({ results }));
  else if (results.length > 0) terminal.print(checkTable(results));
  else terminal.say("wirken: nothing is enrolled that a platform could be asked about");
  if (results.some(({ result }) => result === "refused")) return EXIT.bad;
  return results.some(({ result }) => result === "unreachable") ? EXIT.notReady : EXIT.ok;
}

function scopeOf(scope: string): z.infer<typeof CredentialScope> {
  const parsed = CredentialScope.safeParse(scope);
  if (!parsed.success) throw usage(`${scope} is no credential's scope`, "run wirken vault list to see what there is");
  return parsed.data;
}

function shortOf(scope: string): string {
  return scope.replace(/^(?:channel|provider)\//, "");
}

/** What `vault check` says. */
export function checkTable(results: readonly Result[]): string {
  return table(
    ["for", "result", "account", "why"],
    results.map(({ scope, result, account, sentence }) => [
      shortOf(scope),
      result,
      account === null ? "-" : printable(account),
      sentence === null ? "-" : printable(sentence),
    ]),
  );
}
