import { Command } from "commander";
import * as z from "zod/mini";
import { loadConfig } from "../../config/load.ts";
import { CredentialScope } from "../../ipc/operator.ts";
import type { AnswerTo } from "../../ipc/operator.ts";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { type Enrolment, enrolmentOf } from "../credential-name.ts";
import { EXIT, type ExitStatus } from "../exit-status.ts";
import { moment } from "../moment.ts";
import { newPassphrase } from "../new-passphrase.ts";
import type { OperatorPort } from "../operator-port.ts";
import { slackInstructions, telegramInstructions } from "../platform-instructions.ts";
import { printable } from "../printable.ts";
import { reachOperator } from "../reach.ts";
import { readSecrets } from "../secret-input.ts";
import { refuseSecretArguments, SecretOptions, secretSource, takesSecret } from "../secret-options.ts";

const Options = z.extend(SecretOptions, { json: z._default(z.boolean(), false), check: z._default(z.boolean(), true) });

export function vaultAddCommand(context: Context): Command {
  const command = new Command("add")
    .summary("enrol a channel or a model provider")
    .description(
      "Asks for each credential with a hidden prompt, checks it with its platform in a process of its own, and seals it.",
    )
    .argument("<what>", "telegram, slack, anthropic, openai, openrouter, or a provider from config.json")
    .option("--no-check", "save it unchecked; it is checked at the next start")
    .option("--json", "print one JSON object");
  return takesSecret(command).action((what: string, options: unknown) =>
    context.run(async () => await add(command, what, options, context), { network: true }),
  );
}

async function add(command: Command, what: string, options: unknown, context: Context): Promise<ExitStatus> {
  const how = "wirken vault add";
  const enrolment = enrolmentOf(what, configuredProviders(context));
  refuseSecretArguments(command, 1, `${how} ${enrolment.subject}`);
  const { json, check, ...given } = Options.parse(options);
  const source = secretSource(given, context.terminal, `${how} ${enrolment.subject}`);
  const scope = CredentialScope.safeParse(enrolment.scope);
  if (!scope.success) throw usage(`${enrolment.subject} cannot be enrolled`, null);
  await using operator = await reachOperator(context);
  if (!source.stdin && source.file === null) {
    await protectFirst(operator, context);
    instruct(enrolment, context);
  }
  const payload = await readSecrets(enrolment, source, context.terminal);
  try {
    if (check) context.terminal.say(`checking it with ${enrolment.subject} …`);
    const answer = await operator.call({ call: "vault.add", scope: scope.data, check }, { payload });
    context.terminal.print(json ? JSON.stringify(answer) : addedText(enrolment, answer));
    return EXIT.ok;
  } finally {
    payload.fill(0);
  }
}

/** No credential is kept by a vault that nothing protects. Where no keychain can, a passphrase is chosen before anything else is typed. */
async function protectFirst(operator: OperatorPort, { terminal }: Context): Promise<void> {
  const { protector, keychain } = await operator.call({ call: "vault.status" });
  if (protector !== "none" || keychain === "works") return;
  const why = { locked: "is locked", absent: "is not there", unreachable: "does not answer" }[keychain];
  terminal.say(
    `a credential is kept behind the keychain of the operating system, which ${why}, or behind a passphrase`,
  );
  const passphrase = await newPassphrase(terminal, { stdin: false, file: null });
  const { sentence } = await operator.call({ call: "vault.protect", protector: "passphrase" }, { payload: passphrase });
  terminal.say(`the vault is ${sentence}`);
}

/** Providers that the configuration names; a file that is wrong names none here, and the daemon says what is wrong with it. */
function configuredProviders({ home }: Context): string[] {
  const loaded = loadConfig(home.config);
  return loaded.state === "loaded" ? Object.keys(loaded.config.providers) : [];
}

function instruct({ kind, subject }: Enrolment, { terminal }: Context): void {
  if (kind !== "channel") return;
  if (subject.startsWith("slack")) terminal.say(slackInstructions());
  if (subject.startsWith("telegram")) terminal.say(telegramInstructions());
}

/** What `vault add` says at its end: what was saved, what else happened, and how to become the owner there. */
export function addedText(
  { kind, subject }: Enrolment,
  { checked, account, notes, owner }: AnswerTo<"vault.add">,
): string {
  const who = account === null ? "" : `, as ${printable(account)}`;
  const lines = [`saved ${subject}${who}${checked ? "" : ", unchecked: it is checked at the next start"}`];
  lines.push(...notes.map((note) => printable(note)));
  if (kind === "channel" && owner !== null) {
    lines.push("");
    if (owner.link === null)
      lines.push(`to be known there as the owner, send this code to the bot: ${printable(owner.code)}`);
    else lines.push("to be known there as the owner, open this link and press Start:", printable(owner.link));
    lines.push(`it counts for its first sender, until ${moment(owner.until)}`);
  }
  return lines.join("\n");
}
