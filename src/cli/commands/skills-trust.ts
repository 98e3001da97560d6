import { readFileSync } from "node:fs";
import { Command } from "commander";
import * as z from "zod/mini";
import type { AnswerTo } from "../../ipc/operator.ts";
import { CommandError } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { printable } from "../printable.ts";
import { reachOperator } from "../reach.ts";

const Options = z.object({
  json: z._default(z.boolean(), false),
  root: z.optional(z.string()),
  identity: z.optional(z.string()),
  for: z._default(z.string(), "*"),
  until: z.optional(z.string()),
  own: z._default(z.boolean(), false),
});

export function skillsTrustCommand(context: Context): Command {
  return new Command("trust")
    .summary("use what this key signs, or whoever has a certificate under this root")
    .description(
      "Get it from whoever it belongs to, by a way that you trust: whoever holds its other half writes what your agents are told. " +
        "A root is for skills with a skill.oms.sig (OpenSSF Model Signing).",
    )
    .argument("[vkey]", "the public key, NAME+HEX+BASE64")
    .option("--root <file>", "a PEM file with one root certificate, instead of a key")
    .option(
      "--identity <pattern>",
      "of a root: only certificates of such a subject, name or address, as in '*@example.com'",
    )
    .option("--for <pattern>", "only skills of such names; * stands for any characters, as in acme-*", "*")
    .option("--until <day>", "the last day on which it is trusted, as 2030-12-31")
    .option("--own", "it is your own: what it signs is your word, and not a stranger's")
    .option("--json", "print one JSON object")
    .action((vkey: string | undefined, options: unknown) =>
      context.run(async () => {
        const { json, own, for: names, until, root, identity } = Options.parse(options);
        const pem = root === undefined ? null : rootAt(root);
        if ((vkey === undefined) === (pem === null))
          throw new CommandError(EXIT.usage, "give a public key, or --root FILE", "one of the two");
        if (identity !== undefined && pem === null)
          throw new CommandError(EXIT.usage, "--identity is for a root: a key is somebody's already", "leave it out");
        if (!/^[a-z0-9*-]{1,64}$/.test(names))
          throw new CommandError(
            EXIT.usage,
            "--for is a skill's name, in which * may stand for any characters",
            "such as: --for 'acme-*'",
          );
        await using operator = await reachOperator(context);
        const given = { names, until: endOf(until), own };
        const answer =
          pem === null
            ? await operator.call({ call: "skill.trust", vkey: vkey ?? "", ...given })
            : await operator.call({ call: "skill.trust-root", identity: identity ?? null, ...given }, { payload: pem });
        context.terminal.print(json ? JSON.stringify(answer) : trustText(answer));
        return EXIT.ok;
      }),
    );
}

export function skillsUntrustCommand(context: Context): Command {
  return new Command("untrust")
    .summary("refuse what this key signed, or was signed under this root, from now on")
    .argument("<key>", "its name, as in: wirken skills list, or the whole key; of a root also its fingerprint")
    .option("--json", "print one JSON object")
    .action((key: string, options: unknown) =>
      context.run(async () => {
        const { json } = Options.parse(options);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "skill.untrust", key });
        context.terminal.print(
          json
            ? JSON.stringify(answer)
            : `${answer.name} is trusted no more: what ${answer.of === "root" ? "was signed under it" : "it signed"} is refused from now on`,
        );
        return EXIT.ok;
      }),
    );
}

/** The end of that day (UTC). @throws {CommandError} usage. */
function endOf(day: string | undefined): string | null {
  if (day === undefined) return null;
  const end = /^\d{4}-\d\d-\d\d$/.test(day) ? Date.parse(`${day}T23:59:59.999Z`) : Number.NaN;
  if (Number.isNaN(end)) throw new CommandError(EXIT.usage, "--until is a day, as 2030-12-31", "");
  return new Date(end).toISOString();
}

/** @throws {CommandError} usage. */
function rootAt(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new CommandError(
      EXIT.usage,
      `--root: ${printable(path)} cannot be read`,
      "give a PEM file with one certificate",
      {
        cause,
      },
    );
  }
}

function trustText({ name, names, until, own, of, identity, vkey }: AnswerTo<"skill.trust">): string {
  const signs = of === "key" ? "it signs" : `${identity === null ? "anybody" : printable(identity)} signs under it`;
  const which = names === "*" ? `every skill that ${signs}` : `skills of the name ${names} that ${signs}`;
  return `${name}${of === "root" ? ` (${vkey.slice(0, 16)})` : ""} is trusted for ${which}${until === null ? "" : ` until ${until.slice(0, 10)}`}${own ? ", as your own word" : ""}`;
}
