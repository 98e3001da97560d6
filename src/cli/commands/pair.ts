import { Command, Option } from "commander";
import * as z from "zod/mini";
import { type AnswerTo, Role } from "../../ipc/operator.ts";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { moment } from "../moment.ts";
import { personOf } from "../person.ts";
import { reachOperator } from "../reach.ts";
import { removedText } from "./people-remove.ts";
import { table } from "../table.ts";

const Json = z.object({ json: z._default(z.boolean(), false) });
const Approve = z.object({
  json: z._default(z.boolean(), false),
  role: Role,
  as: z.optional(z.string().check(z.minLength(1), z.maxLength(100))),
});

export function pairCommand(context: Context): Command {
  return new Command("pair")
    .summary("who may talk to the agents")
    .addCommand(list(context))
    .addCommand(approve(context))
    .addCommand(revoke(context));
}

function list(context: Context): Command {
  return new Command("list")
    .summary("people, and strangers who wait")
    .option("--json", "print one JSON object")
    .action((options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "pair.list" });
        context.terminal.print(json ? JSON.stringify(answer) : pairText(answer));
        return EXIT.ok;
      }),
    );
}

/** What `pair list` says. */
export function pairText({ people, pending }: AnswerTo<"pair.list">): string {
  const parts = [
    table(
      ["person", "role", "name", "channels"],
      people.map(({ principal, role, name, identities }) => [
        principal,
        role,
        name,
        identities.map(({ channel, name: there, id }) => `${channel} (${there === "" ? id : there})`).join(", ") || "-",
      ]),
    ),
  ];
  if (pending.length > 0) {
    parts.push(
      table(
        ["code", "channel", "who", "until"],
        pending.map(({ code, channel, name, id, expires }) => [
          code,
          channel,
          name === "" ? id : `${name} (${id})`,
          moment(expires),
        ]),
      ),
      "let one in with: wirken pair approve CODE [--role user|approver|owner] [--as NAME]",
    );
  }
  return parts.join("\n\n");
}

function approve(context: Context): Command {
  return new Command("approve")
    .summary("let a stranger in by the code that they were given")
    .argument("<code>", "eight letters and digits")
    .addOption(
      new Option("--role <role>", "user asks; approver also decides; owner also changes people and settings")
        .choices(Role.options)
        .default("user"),
    )
    .option("--as <name>", "what to call them here")
    .option("--json", "print one JSON object")
    .action((typed: string, options: unknown) =>
      context.run(async () => {
        const { json, role, as } = Approve.parse(options);
        const code = codeOf(typed);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "pair.approve", code, role, as: as ?? null });
        const { name, channel, principal } = answer;
        context.terminal.print(
          json
            ? JSON.stringify(answer)
            : table(["person", "role", "name", "channel"], [[principal, answer.role, name, channel]]),
        );
        return EXIT.ok;
      }),
    );
}

/** A code as it is read aloud: any case, o for 0, i and l for 1. */
export function codeOf(typed: string): string {
  const code = typed.toUpperCase().replaceAll("-", "").replaceAll("O", "0").replaceAll(/[IL]/g, "1");
  if (!/^[0-9A-HJKMNP-TV-Z]{8}$/.test(code))
    throw usage(`${typed} is not a pairing code`, "it has eight letters and digits: wirken pair list");
  return code;
}

function revoke(context: Context): Command {
  return new Command("revoke")
    .summary("take a person's access away; what they did stays in the log")
    .description("The same as wirken people remove, which can also hand out and erase what is theirs.")
    .argument("<person>", "id or name, as in: wirken pair list")
    .option("--json", "print one JSON object")
    .action((who: string, options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        await using operator = await reachOperator(context);
        const { people } = await operator.call({ call: "pair.list" });
        const answer = await operator.call({ call: "pair.revoke", principal: personOf(who, people) });
        context.terminal.print(json ? JSON.stringify(answer) : removedText(answer));
        return EXIT.ok;
      }),
    );
}
