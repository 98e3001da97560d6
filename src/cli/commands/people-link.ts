import { Command } from "commander";
import * as z from "zod/mini";
import { AdapterChannel } from "../../ipc/channel.ts";
import type { AnswerTo } from "../../ipc/operator.ts";
import type { LinkWay } from "../../ipc/people-calls.ts";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { moment } from "../moment.ts";
import { personOf } from "../person.ts";
import { printable } from "../printable.ts";
import { reachOperator } from "../reach.ts";
import { codeOf } from "./pair.ts";

const Options = z.object({ json: z._default(z.boolean(), false), invite: z.optional(z.string()) });
const HINT = "such as telegram:4001, slack:acme:U0ADA, or the eight letters and digits of a pairing code";

export function peopleLinkCommand(context: Context): Command {
  return new Command("link")
    .summary("one more channel that somebody is known on")
    .description(
      "By the platform's own id of them, by the code that they were given there as a stranger, or by a new code that they say there first.",
    )
    .argument("<person>", "id or name, as in: wirken people list")
    .argument("[where]", "CHANNEL:ID, or a pairing code")
    .option("--invite <channel>", "make a code, good for ten minutes, that they say on this channel")
    .option("--json", "print one JSON object")
    .action((who: string, where: string | undefined, options: unknown) =>
      context.run(async () => {
        const { json, invite } = Options.parse(options);
        const to = wayOf(where, invite);
        await using operator = await reachOperator(context);
        const { people } = await operator.call({ call: "pair.list" });
        const answer = await operator.call({ call: "people.link", principal: personOf(who, people), to });
        context.terminal.print(json ? JSON.stringify(answer) : linkedText(answer));
        return EXIT.ok;
      }),
    );
}

/** What `people link` says. */
function linkedText({ name, identities, code }: AnswerTo<"people.link">): string {
  const known = `${printable(name)} is known on ${printable(identities.map(({ channel }) => channel).join(", ")) || "no channel"}`;
  if (code === null) return known;
  return `${code.code}\n${printable(name)} says this to the bot on ${code.channel} first, before ${moment(code.until)}`;
}

/** @throws {CommandError} unless one way is named. */
function wayOf(where: string | undefined, invite: string | undefined): LinkWay {
  if ((where === undefined) === (invite === undefined))
    throw usage("say how they are known there", `${HINT}; or --invite CHANNEL`);
  if (invite !== undefined) return { way: "invite", channel: channelOf(invite) };
  const text = where ?? "";
  // A channel may hold a colon itself; the platform's id stands behind the last.
  const at = text.lastIndexOf(":");
  if (at < 0) return { way: "code", code: codeOf(text) };
  if (at === 0 || at === text.length - 1) throw usage(`${text} names no channel and id`, HINT);
  return { way: "id", channel: channelOf(text.slice(0, at)), id: text.slice(at + 1) };
}

function channelOf(text: string): AdapterChannel {
  const channel = AdapterChannel.safeParse(text);
  if (!channel.success) throw usage(`${text} is no channel that people write on`, "such as telegram or slack:acme");
  return channel.data;
}

export function peopleUnlinkCommand(context: Context): Command {
  return new Command("unlink")
    .summary("have somebody be a stranger on one channel")
    .description("What runs for them there ends, and no approval is remembered for them there any more.")
    .argument("<person>", "id or name, as in: wirken people list")
    .argument("<where>", "CHANNEL, or CHANNEL:ID where they are known there by several ids")
    .option("--json", "print one JSON object")
    .action((who: string, where: string, options: unknown) =>
      context.run(async () => {
        const { json } = Options.parse(options);
        await using operator = await reachOperator(context);
        const { people } = await operator.call({ call: "pair.list" });
        const principal = personOf(who, people);
        const identities = people.find((one) => one.principal === principal)?.identities ?? [];
        const exact = identities.find(({ channel, id }) => `${channel}:${id}` === where);
        const answer = await operator.call({
          call: "people.unlink",
          principal,
          channel: channelOf(exact?.channel ?? where),
          id: exact?.id ?? null,
        });
        context.terminal.print(json ? JSON.stringify(answer) : linkedText({ ...answer, code: null }));
        return EXIT.ok;
      }),
    );
}
