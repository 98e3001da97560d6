import { Command } from "commander";
import * as z from "zod/mini";
import { CommandError, usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitStatus } from "../exit-status.ts";
import { chooseProtector, ProtectOption } from "../new-protector.ts";
import type { OperatorPort } from "../operator-port.ts";
import { fail, reachOperator } from "../reach.ts";
import { askedHidden, readSecret } from "../secret-input.ts";
import { refuseSecretArguments, SecretOptions, secretSource, takesSecret } from "../secret-options.ts";
import { refuseWhileRunning } from "../typed-word.ts";
import { vaultText } from "./vault-status.ts";

const CreateOptions = z.object({ json: z._default(z.boolean(), false) });
const UseOptions = z.extend(SecretOptions, { json: z._default(z.boolean(), false), protect: ProtectOption });

export function vaultRecoveryCommand(context: Context): Command {
  return new Command("recovery")
    .summary("a phrase of 24 words that opens the vault when all else is lost")
    .addCommand(createCommand(context))
    .addCommand(useCommand(context));
}

function createCommand(context: Context): Command {
  return new Command("create")
    .summary("make a recovery phrase: shown once, and some of it typed before it counts")
    .option("--json", "print one JSON object")
    .action((options: unknown) =>
      context.run(async () => {
        const { json } = CreateOptions.parse(options);
        if (!context.terminal.interactive)
          throw usage(
            "a recovery phrase is shown to a person who writes it down, and there is no terminal here",
            "run it where somebody can read it: wirken vault recovery create",
          );
        await using operator = await reachOperator(context);
        return await create(operator, context, json);
      }),
    );
}

async function create(operator: OperatorPort, context: Context, json: boolean): Promise<ExitStatus> {
  const { terminal } = context;
  const { state, protector, recovery } = await operator.call({ call: "vault.status" });
  if (state !== "open")
    throw new CommandError(EXIT.notReady, "the vault is locked", "open it first: wirken vault unlock");
  if (protector === "none")
    throw new CommandError(
      EXIT.notReady,
      "nothing protects the vault yet, so there is nothing to recover",
      "wirken vault protect keychain, or: wirken vault protect passphrase",
    );
  if (recovery === true) {
    const answer = await terminal.ask("the phrase that you have will open nothing any more; make a new one? [y/N] ");
    if (!/^y(es)?$/i.test(answer.trim())) throw new CommandError(EXIT.bad, "nothing was changed");
  }
  const status = await offerPhrase(operator, context);
  terminal.print(json ? JSON.stringify(status) : vaultText(status));
  return EXIT.ok;
}

/** Shows a new phrase, has some of it typed, and seals the vault to it. */
export async function offerPhrase(operator: OperatorPort, { terminal }: Context) {
  const { makePhrase } = await import("../recovery-phrase.ts");
  const publicKey = await makePhrase(terminal);
  return await operator.call({ call: "vault.recovery.create" }, { payload: publicKey });
}

function useCommand(context: Context): Command {
  const command = new Command("use")
    .summary("open a vault with its recovery phrase, and give it a new keychain entry or passphrase")
    .description(
      "For a data directory whose keychain or passphrase is lost, or that was copied to another machine. The phrase goes on to work.",
    )
    .option("--protect <by>", "keychain or passphrase; the keychain where one works, if left out")
    .option("--json", "print one JSON object");
  return takesSecret(command).action((options: unknown) =>
    context.run(async () => {
      const how = "wirken vault recovery use";
      refuseSecretArguments(command, 0, how);
      const parsed = UseOptions.safeParse(options);
      if (!parsed.success)
        throw usage("a vault is protected by the keychain or by a passphrase", `${how} --protect keychain`);
      const { json, protect, ...given } = parsed.data;
      await refuseWhileRunning(context, "vault");
      const source = secretSource(given, context.terminal, how);
      const phrase =
        source.stdin || source.file !== null
          ? readSecret(source)
          : await askedHidden(context.terminal, "The 24 words, with a space between two (not shown): ");
      const { recoverOffline } = await import("../../supervisor/offline-vault.ts");
      const protector = await chooseProtector(context, protect, how);
      const status = await recoverOffline(context.home, phrase, protector).catch((error: unknown) => fail(error));
      context.terminal.print(json ? JSON.stringify(status) : vaultText(status));
      return EXIT.ok;
    }),
  );
}
