import { Command } from "commander";
import * as z from "zod/mini";
import { loadConfig } from "../../config/load.ts";
import { AdapterChannel, platformOf } from "../../ipc/channel.ts";
import { CredentialScope } from "../../ipc/vault-calls.ts";
import type { AnswerTo } from "../../ipc/operator.ts";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { type Enrolment, enrolmentOf } from "../credential-name.ts";
import { EXIT, type ExitStatus } from "../exit-status.ts";
import { moment } from "../moment.ts";
import { newPassphrase } from "../new-passphrase.ts";
import type { OperatorPort } from "../operator-port.ts";
import { instructionsFor } from "../platform-instructions.ts";
import { pointInTime } from "../point-in-time.ts";
import { printable } from "../printable.ts";
import { reachOperator } from "../reach.ts";
import { readSecrets } from "../secret-input.ts";
import { refuseSecretArguments, SecretOptions, secretSource, takesSecret } from "../secret-options.ts";
import { offerPhrase } from "./vault-recovery.ts";

const Options = z.extend(SecretOptions, {
  json: z._default(z.boolean(), false),
  check: z._default(z.boolean(), true),
  expires: z.optional(z.string()),
  rotateBy: z.optional(z.string()),
  host: z._default(z.array(z.string()), []),
});

const HOST = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;

function collect(host: string, before: readonly string[]): string[] {
  return [...before, host];
}

export function vaultAddCommand(context: Context): Command {
  const command = new Command("add")
    .summary("enrol a channel or a model provider")
    .description(
      "Asks for each credential with a hidden prompt, checks it with its platform in a process of its own, and seals it.",
    )
    .argument(
      "<what>",
      "a channel (telegram, slack, discord, …), a provider (anthropic, openai, …), one from config.json, or secret/NAME for a skill or an MCP server",
    )
    .option("--expires <time>", "refuse it from then on, such as 2027-06-30; warned of 7 days before")
    .option("--rotate-by <time>", "remind of replacing it by then")
    .option("--host <name>", "a host that a request may carry it to; may be given more than once", collect, [])
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
  const { json, check: wanted, expires, rotateBy, host, ...given } = Options.parse(options);
  const check = wanted && enrolment.kind !== "secret";
  const known = {
    expires: expires === undefined ? null : pointInTime(expires, "--expires", Date.now()),
    rotationDue: rotateBy === undefined ? null : pointInTime(rotateBy, "--rotate-by", Date.now()),
    hosts: host.map((name) => hostOf(name)),
  };
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
    const answer = await operator.call({ call: "vault.add", scope: scope.data, check, ...known }, { payload });
    context.terminal.print(json ? JSON.stringify(answer) : addedText(enrolment, answer));
    if (!json) await offerRecovery(operator, context);
    return EXIT.ok;
  } finally {
    payload.fill(0);
  }
}

/** With the first credential there is something to lose. */
async function offerRecovery(operator: OperatorPort, context: Context): Promise<void> {
  const { terminal } = context;
  const { recovery } = await operator.call({ call: "vault.status" });
  if (recovery !== false) return;
  const { credentials } = await operator.call({ call: "vault.list" });
  if (!terminal.interactive || credentials.length !== 1) {
    terminal.say("no recovery phrase was made yet: wirken vault recovery create");
    return;
  }
  const answer = await terminal.ask("make the recovery phrase now, 24 words to write down? [Y/n] ");
  if (/^n/i.test(answer.trim())) {
    terminal.say("later: wirken vault recovery create");
    return;
  }
  await offerPhrase(operator, context);
  terminal.say("the recovery phrase is made: keep the paper where the machine is not");
}

function hostOf(text: string): string {
  const host = text.toLowerCase();
  if (!HOST.test(host))
    throw usage("--host takes the name of a host, such as api.github.com", "without https:// and without a path");
  return host;
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
  if (kind === "channel") terminal.say(instructionsFor(platformOf(AdapterChannel.parse(subject))));
}

/** What `vault add` says at its end: what was saved, what else happened, and how to become the owner there. */
export function addedText(
  { kind, subject }: Enrolment,
  { checked, account, notes, owner }: AnswerTo<"vault.add">,
): string {
  const who = account === null ? "" : `, as ${printable(account)}`;
  const lines = [
    `saved ${subject}${who}${checked || kind === "secret" ? "" : ", unchecked: it is checked at the next start"}`,
  ];
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
