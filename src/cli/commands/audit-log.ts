import { Command } from "commander";
import * as z from "zod/mini";
import { KINDS } from "../../../audit/action.ts";
import { nearest } from "../../config/nearest.ts";
import type { RowFilter } from "../../ipc/audit-calls.ts";
import { Name, PrincipalId, SessionId } from "../../ipc/ids.ts";
import { rowsAsTheyCome } from "../audit-row.ts";
import { notRunning, usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import type { OperatorPort } from "../operator-port.ts";
import { personOf } from "../person.ts";
import { pointInTime } from "../point-in-time.ts";
import { printable } from "../printable.ts";
import { reachOperator } from "../reach.ts";
import { type Asked, followRows, limitOf, MAX_ROWS, sayUnread, searchRows, showRows } from "../rows.ts";
import { seqOf } from "../whole-number.ts";

const Options = z.object({
  json: z._default(z.boolean(), false),
  follow: z._default(z.boolean(), false),
  limit: z.string(),
  after: z.optional(z.string()),
  before: z.optional(z.string()),
  kind: z.optional(z.string().check(z.maxLength(64))),
  session: z.optional(z.string()),
  agent: z.optional(z.string()),
  channel: z.optional(z.string().check(z.maxLength(64))),
  principal: z.optional(z.string().check(z.maxLength(100))),
  tool: z.optional(z.string().check(z.maxLength(64))),
  since: z.optional(z.string().check(z.maxLength(64))),
  until: z.optional(z.string().check(z.maxLength(64))),
  text: z.optional(z.string().check(z.maxLength(200))),
});
type Options = z.infer<typeof Options>;

export function auditLogCommand(context: Context): Command {
  return new Command("log")
    .summary("rows of the log, found by what they are about")
    .description(
      "Prints the newest rows that fit, oldest first. What a row does not say itself, its causes say: the end of a command belongs to the session, the person and the channel it was run for.",
    )
    .option("--kind <kind>", "only this kind, such as tool.called, or a family: tool.")
    .option("--session <id>", "only what happened in this session")
    .option("--agent <name>", "only what this agent did")
    .option("--channel <channel>", "only what came from this channel, such as telegram or slack:acme")
    .option("--principal <person>", "only what was done for this person, or decided by them: an id or a name")
    .option("--tool <tool>", "only calls of this tool")
    .option("--since <time>", "not earlier: 2h, 3d, 2026-11-28 or 2026-11-28T14:03")
    .option("--until <time>", "earlier than this")
    .option("--text <words>", "only rows whose content says this, where it is not erased")
    .option("--limit <number>", `how many rows, at most ${MAX_ROWS}`, "50")
    .option("--after <seq>", "the first rows after this one, instead of the newest")
    .option("--before <seq>", "only rows before this one")
    .option("-f, --follow", "then each new row as it comes, until Ctrl-C")
    .option("--json", "print one JSON object a line")
    .action((options: unknown) =>
      context.run(async () => {
        const parsed = Options.parse(options);
        const limit = limitOf(parsed.limit, "for more, go on with --after");
        const asked = filterOf(parsed, Date.now());
        if (parsed.follow && (parsed.before !== undefined || parsed.until !== undefined))
          throw usage("what is still to come has no end: --follow goes without --before and --until");
        const unknown = asked.kind === undefined ? null : unknownKind(asked.kind);
        if (unknown !== null) context.terminal.say(unknown);
        await using operator = await reachOperator(context);
        if (parsed.follow && operator.daemon === null) throw notRunning();
        const filter = { ...asked, ...(await aboutWhom(operator, parsed.principal)) };
        const { json, follow } = parsed;
        const shown = { wanted: () => true, ...rowsAsTheyCome(follow), json, follow };
        const { rows, size, unread } = await searchRows(operator, filter, limit, shown.wanted);
        showRows(context, rows, shown);
        sayUnread(context, unread);
        if (parsed.follow) return await followRows(context, operator, filter, size - 1, shown);
        if (!parsed.json) context.terminal.say(`${rows.length} of ${size} rows`);
        return EXIT.ok;
      }),
    );
}

/** What is said of a kind that this version does not know: a newer one may have written rows of it, so they are looked for all the same. */
export function unknownKind(kind: string): string | null {
  const kinds = Object.keys(KINDS);
  const families = [...new Set(kinds.map((known) => `${known.split(".", 1).join("")}.`))];
  if (kinds.includes(kind) || families.includes(kind)) return null;
  const near = families.find((family) => family === `${kind}.`) ?? nearest(kind, [...kinds, ...families]);
  return `note: this version knows no kind of row ${printable(kind)}${near === null ? "" : `: did you mean ${near}?`}`;
}

async function aboutWhom(operator: OperatorPort, who: string | undefined): Promise<Pick<RowFilter, "principal">> {
  if (who === undefined) return {};
  const id = PrincipalId.safeParse(who);
  // Somebody who was let in once and is not any more is known by their id only.
  if (id.success) return { principal: id.data };
  return { principal: personOf(who, (await operator.call({ call: "pair.list" })).people) };
}

function filterOf(options: Options, now: number): Asked {
  const { after, before, kind, session, agent, channel, tool, since, until, text } = options;
  const id = session === undefined ? undefined : SessionId.safeParse(session);
  if (id !== undefined && !id.success) throw usage("that is not a session's id", "it begins with s_");
  const name = agent === undefined ? undefined : Name.safeParse(agent);
  if (name !== undefined && !name.success) throw usage(`${String(agent)} is not an agent's name`);
  for (const [option, value] of Object.entries({ kind, channel, tool, text }))
    if (value === "") throw usage(`--${option} is empty`);
  const from = since === undefined ? undefined : pointInTime(since, "--since", now);
  const to = until === undefined ? undefined : pointInTime(until, "--until", now);
  if (from !== undefined && to !== undefined && from >= to)
    throw usage("--since is not earlier than --until, so nothing lies between", "exchange them");
  return {
    ...(after === undefined ? {} : { after: seqOf(after) }),
    ...(before === undefined ? {} : { before: seqOf(before) }),
    ...(kind === undefined ? {} : { kind }),
    ...(id === undefined ? {} : { session: id.data }),
    ...(name === undefined ? {} : { agent: name.data }),
    ...(channel === undefined ? {} : { channel }),
    ...(tool === undefined ? {} : { tool }),
    ...(from === undefined ? {} : { since: from }),
    ...(to === undefined ? {} : { until: to }),
    ...(text === undefined ? {} : { text }),
  };
}
