import { Command } from "commander";
import { AdapterChannel, isOwnAccount, platformOf } from "../../ipc/channel.ts";
import { CredentialScope } from "../../ipc/vault-calls.ts";
import type { AnswerTo } from "../../ipc/operator.ts";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { type Enrolment, enrolmentOf } from "../credential-name.ts";
import {
  collect,
  configuredProviders,
  CredentialOptions,
  datesAndHosts,
  headerOf,
  instruct,
} from "../credential-options.ts";
import { EXIT, type ExitStatus } from "../exit-status.ts";
import { moment } from "../moment.ts";
import { newPassphrase } from "../new-passphrase.ts";
import type { OperatorPort } from "../operator-port.ts";
import { printable } from "../printable.ts";
import { reachOperator } from "../reach.ts";
import { readSecrets } from "../secret-input.ts";
import { refuseSecretArguments, secretSource, takesSecret } from "../secret-options.ts";
import { firstMessage } from "../platform-instructions.ts";
import { offerPhrase } from "./vault-recovery.ts";

export function vaultAddCommand(context: Context): Command {
  const command = new Command("add")
    .summary("enrol a channel, a model provider, or the proxy's credential")
    .description(
      "Asks for each credential with a hidden prompt, checks it with its platform in a process of its own, and seals it.",
    )
    .argument(
      "<what>",
      "a channel (telegram, slack, discord, …), a provider (anthropic, openai, …), one from config.json, secret/NAME for a skill or an MCP server, or proxy",
    )
    .option("--expires <time>", "refuse it from then on, such as 2027-06-30; warned of 7 days before")
    .option("--rotate-by <time>", "remind of replacing it by then")
    .option("--host <name>", "a host that a request may carry it to; may be given more than once", collect, [])
    .option(
      "--header <name>",
      "the header that a request carries it in, as its whole value (Authorization: Bearer, if not given)",
    )
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
  const { json, check: wanted, expires, rotateBy, host, header, ...given } = CredentialOptions.parse(options);
  const check = wanted && enrolment.kind !== "secret";
  const known = datesAndHosts({ expires, rotateBy, host }, Date.now());
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
    const answer = await operator.call(
      { call: "vault.add", scope: scope.data, check, ...known, header: headerOf(header) },
      { payload },
    );
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

/** No credential is kept by a vault that nothing protects. Where no keychain can, a passphrase is chosen before anything else is typed. */
export async function protectFirst(operator: OperatorPort, { terminal }: Context): Promise<void> {
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

function isOwn(subject: string): boolean {
  const channel = AdapterChannel.safeParse(subject);
  return channel.success && isOwnAccount(platformOf(channel.data));
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
      lines.push(
        `to be known there as the owner, ${isOwn(subject) ? "write this code to yourself (Note to Self)" : "send this code to the bot"}: ${printable(owner.code)}`,
      );
    else lines.push("to be known there as the owner, open this link and press Start:", printable(owner.link));
    lines.push(`it counts for its first sender, until ${moment(owner.until)}`);
    const channel = AdapterChannel.safeParse(subject).data;
    if (channel !== undefined && owner.link === null) lines.push(firstMessage(platformOf(channel), account));
  }
  return lines.join("\n");
}
