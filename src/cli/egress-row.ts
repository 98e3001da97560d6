import * as z from "zod/mini";
import type { RowView } from "../ipc/audit-calls.ts";
import { moment } from "./moment.ts";
import type { RowsAsTheyCome } from "./rows.ts";
import { GrowingTable } from "./table.ts";

/** Fields of the rows of egress, as far as a line says them. */
const Fields = z.object({
  role: z.string(),
  subject: z.nullable(z.string()),
  host: z.optional(z.nullable(z.string())),
  port: z.optional(z.nullable(z.int())),
  source: z.optional(z.nullable(z.string())),
  reason: z.optional(z.string()),
  times: z.optional(z.int()),
});

const HEADINGS = ["row", "time", "process", "what", "where", "why"] as const;
/** How wide columns are where rows are still to come. */
const WIDTHS = [8, 19, 18, 14, 32] as const;

/** Rows of egress, one line each, one after another. @param follow more are to come. */
export function egressRowsAsTheyCome(follow: boolean): RowsAsTheyCome {
  const growing = new GrowingTable(HEADINGS, follow ? WIDTHS : []);
  return { lines: (rows) => growing.lines(rows.map(cellsOf)), line: (row) => growing.line(cellsOf(row)) };
}

function cellsOf({ seq, at, kind, fields, content }: RowView): string[] {
  const parsed = Fields.safeParse(fields);
  if (!parsed.success) return [`#${seq}`, moment(at), "?", kind, "", "written by another build"];
  const { role, subject, host, port, source, reason, times = 1 } = parsed.data;
  const what = kind === "egress.reached" ? "reached" : kind === "egress.refused" ? wordOf(reason ?? "") : "more";
  return [
    `#${seq}`,
    moment(at),
    subject === null ? role : `${role}:${subject}`,
    times === 1 ? what : `${what} ${times} ×`,
    kind === "egress.flood" ? "-" : placeOf(content["host"] ?? host ?? null, port ?? null),
    kind === "egress.reached"
      ? (SOURCES[source ?? ""] ?? "by an entry of its list that has changed since")
      : kind === "egress.refused"
        ? (REASONS[reason ?? ""] ?? reason ?? "")
        : "more than are told one by one",
  ];
}

function placeOf(host: string | null, port: number | null): string {
  const name = host === null ? "[erased or locked]" : host === "" ? "no host" : host;
  const shown = name.includes(":") && !name.startsWith("[") ? `[${name}]` : name;
  return port === null ? shown : `${shown}:${port}`;
}

/** What the network did not give was not refused. */
function wordOf(reason: string): string {
  return reason === "unresolved" || reason === "unreachable" || reason === "timeout" ? "not reached" : "refused";
}

const SOURCES: Readonly<Record<string, string>> = {
  channel: "shipped with the channel",
  provider: "shipped with the provider",
  config: "config.json names it",
  credential: "the channel's credentials name it",
  anchor: "it is the anchor's address",
};

const REASONS: Readonly<Record<string, string>> = {
  unlisted: "it is not on the list of this process",
  literal: "an address, and the list of this process has none",
  private: "the name leads to this machine or into a private network",
  "server-name": "the connection was for another host than was asked for, or not TLS",
  malformed: "no host and port were named",
  busy: "too many connections at once",
  unresolved: "the name is not known",
  unreachable: "it does not answer",
  timeout: "it did not answer in time",
  withdrawn: "the list of this process has changed",
};
