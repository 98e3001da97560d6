import { Command } from "commander";
import * as z from "zod/mini";
import { CredentialScope } from "../../ipc/vault-calls.ts";
import { nearest } from "../../config/nearest.ts";
import { CommandError, usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import type { OperatorPort } from "../operator-port.ts";
import { reachOperator } from "../reach.ts";
import { everyCredential } from "./vault-list.ts";

const Options = z.object({ json: z._default(z.boolean(), false), yes: z._default(z.boolean(), false) });

export function vaultRemoveCommand(context: Context): Command {
  return new Command("remove")
    .summary("destroy the credentials of a channel or a provider")
    .argument("<what>", "as in: wirken vault list")
    .option("--yes", "do not ask")
    .option("--json", "print one JSON object")
    .action((what: string, options: unknown) =>
      context.run(async () => {
        const { json, yes } = Options.parse(options);
        const { terminal } = context;
        if (!yes && !terminal.interactive)
          throw usage("there is no terminal to ask on", "say that you mean it with --yes");
        await using operator = await reachOperator(context);
        const scope = await enrolledScope(operator, what);
        if (!yes) {
          const answer = await terminal.ask(`destroy what is enrolled for ${what}? [y/N] `);
          if (!/^y(es)?$/i.test(answer.trim())) throw new CommandError(EXIT.bad, "nothing was removed");
        }
        const answer = await operator.call({ call: "vault.remove", scope });
        const records = answer.removed === 1 ? "1 credential" : `${answer.removed} credentials`;
        terminal.print(json ? JSON.stringify(answer) : `removed ${records} of ${what}`);
        return EXIT.ok;
      }),
    );
}

/** The scope of what somebody named, which must be enrolled. @throws {CommandError} naming the nearest that is. */
export async function enrolledScope(operator: OperatorPort, what: string): Promise<string> {
  const { credentials } = await everyCredential(operator);
  return scopeOf(
    what,
    credentials.map((one) => one.scope),
  );
}

function scopeOf(what: string, scopes: readonly string[]): string {
  const names = scopes.map((scope) => scope.replace(/^(?:channel|provider)\//, ""));
  const index = scopes.includes(what) ? scopes.indexOf(what) : names.indexOf(what);
  const scope = CredentialScope.safeParse(scopes[index]);
  if (scope.success) return scope.data;
  const near = nearest(what, names);
  throw usage(`nothing is enrolled for ${what}`, near === null ? "see: wirken vault list" : `did you mean ${near}?`);
}
