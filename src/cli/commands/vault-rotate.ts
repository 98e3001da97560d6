import { Command } from "commander";
import type { AnswerTo } from "../../ipc/operator.ts";
import { CredentialScope } from "../../ipc/vault-calls.ts";
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
import { printable } from "../printable.ts";
import { reachOperator } from "../reach.ts";
import { readSecrets } from "../secret-input.ts";
import { refuseSecretArguments, secretSource, takesSecret } from "../secret-options.ts";

export function vaultRotateCommand(context: Context): Command {
  const command = new Command("rotate")
    .summary("replace a credential while what uses it goes on")
    .description(
      "Asks for the new values, checks them with the platform before anything is changed, and hands them to the running process. The one before is destroyed once the new one works there; if it does not, the one before is put back.",
    )
    .argument("<what>", "a channel, a provider or secret/NAME that is enrolled: see wirken vault list")
    .option("--expires <time>", "refuse it from then on; without this, as before")
    .option("--rotate-by <time>", "remind of replacing it by then; without this, as before")
    .option(
      "--host <name>",
      "a host that a request may carry it to; may be given more than once; without, as before",
      collect,
      [],
    )
    .option("--header <name>", "the header that a request carries it in; without this, as before")
    .option("--no-check", "save it beside the one before, unchecked; it is tried at the next start")
    .option("--json", "print one JSON object");
  return takesSecret(command).action((what: string, options: unknown) =>
    context.run(async () => await rotate(command, what, options, context), { network: true }),
  );
}

async function rotate(command: Command, what: string, options: unknown, context: Context): Promise<ExitStatus> {
  const enrolment = enrolmentOf(what, configuredProviders(context));
  const { kind, subject } = enrolment;
  const how = `wirken vault rotate ${subject}`;
  refuseSecretArguments(command, 1, how);
  const { json, check: wanted, expires, rotateBy, host, header, ...given } = CredentialOptions.parse(options);
  const { hosts, ...dates } = datesAndHosts({ expires, rotateBy, host }, Date.now());
  const source = secretSource(given, context.terminal, how);
  const scope = CredentialScope.safeParse(enrolment.scope);
  if (!scope.success) throw usage(`${subject} cannot be enrolled`, null);
  await using operator = await reachOperator(context);
  if (!source.stdin && source.file === null) instruct(enrolment, context);
  const payload = await readSecrets(enrolment, source, context.terminal);
  try {
    const check = wanted && kind !== "secret";
    if (check) context.terminal.say(`checking it with ${subject} …`);
    const call = {
      call: "vault.rotate",
      scope: scope.data,
      check,
      ...dates,
      hosts: host.length === 0 ? null : hosts,
      header: headerOf(header),
    } as const;
    const answer = await operator.call(call, { payload });
    context.terminal.print(json ? JSON.stringify(answer) : rotatedText(enrolment, answer));
    return EXIT.ok;
  } finally {
    payload.fill(0);
  }
}

/** What `vault rotate` says at its end. */
export function rotatedText(
  { subject }: Enrolment,
  { account, version, state, notes }: AnswerTo<"vault.rotate">,
): string {
  const who = account === null ? "" : `, as ${printable(account)}`;
  const done =
    state === "in-use"
      ? `${subject} goes on with version ${version}${who}; the one before is destroyed`
      : `${subject}: version ${version} is saved and not in use yet`;
  return [done, ...notes.map((note) => printable(note))].join("\n");
}
