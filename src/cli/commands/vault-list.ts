import { Command } from "commander";
import * as z from "zod/mini";
import type { AnswerTo } from "../../ipc/operator.ts";
import { canBeChecked, CredentialScope, type CredentialView } from "../../ipc/vault-calls.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { moment } from "../moment.ts";
import type { OperatorPort } from "../operator-port.ts";
import { reachOperator } from "../reach.ts";
import { table } from "../table.ts";

const Options = z.object({ json: z._default(z.boolean(), false) });

export function vaultListCommand(context: Context): Command {
  return new Command("list")
    .summary("what is enrolled; never a value")
    .option("--json", "print one JSON object")
    .action((options: unknown) =>
      context.run(async () => {
        const { json } = Options.parse(options);
        await using operator = await reachOperator(context);
        const answer = await everyCredential(operator);
        const { terminal } = context;
        if (json) terminal.print(JSON.stringify(answer));
        else if (answer.credentials.length > 0) terminal.print(credentialTable(answer));
        else
          terminal.say("wirken: nothing is enrolled\nhint: wirken vault add anthropic, or: wirken vault add telegram");
        if (!json) terminal.say(answer.status.sentence);
        return EXIT.ok;
      }),
    );
}

/** Every credential, whatever number of answers that takes. */
export async function everyCredential(
  operator: OperatorPort,
): Promise<Pick<AnswerTo<"vault.list">, "status" | "credentials">> {
  let answer = await operator.call({ call: "vault.list" });
  const { status, credentials } = answer;
  while (answer.more) {
    answer = await operator.call({ call: "vault.list", after: CredentialScope.parse(credentials.at(-1)?.scope) });
    credentials.push(...answer.credentials);
  }
  return { status, credentials };
}

/** What `vault list` says. */
export function credentialTable({ credentials }: Pick<AnswerTo<"vault.list">, "credentials">): string {
  return table(
    ["for", "credentials", "version", "created", "expires", "rotation due", "last used", "checked", "account", "hosts"],
    credentials.map((one) => [
      one.scope.replace(/^(?:channel|provider)\//, ""),
      one.names.join(", "),
      one.fallback === null ? String(one.version) : `${one.version} (before: ${one.fallback})`,
      day(one.created),
      day(one.expires),
      day(one.rotationDue),
      one.lastUsed === null ? "-" : moment(one.lastUsed),
      checkedText(one),
      one.account ?? "-",
      hostsText(one),
    ]),
  );
}

function hostsText({ hosts, header }: CredentialView): string {
  const to = hosts.length === 0 ? "-" : hosts.join(", ");
  return header === null ? to : `${to} (in ${header})`;
}

/** What a platform refused last is worth more than that it was once good. */
function checkedText({ scope, checked, lastCheck }: CredentialView): string {
  if (!canBeChecked(scope)) return "-";
  if (lastCheck !== null && lastCheck.result !== "good") return `${lastCheck.result} ${day(lastCheck.at)}`;
  return checked ? "yes" : "not yet";
}

function day(at: string | null): string {
  return at === null ? "-" : moment(at).slice(0, "2026-11-23".length);
}
