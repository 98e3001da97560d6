import type { AnswerTo } from "../ipc/operator.ts";
import { moment } from "./moment.ts";
import { printable } from "./printable.ts";
import { table } from "./table.ts";

type Channels = AnswerTo<"channel.status">["channels"];

/** How channels have been, for a person: a table, what went wrong, and what their processes said of themselves. */
export function healthText(channels: Channels): string {
  if (channels.length === 0) return "no channel is set up";
  const rows = channels.map(({ channel, health }) => [
    channel.channel,
    channel.state,
    time(health.connectedSince),
    time(health.lastIn),
    time(health.lastOut),
    String(health.redelivered),
    String(health.failed),
  ]);
  const head = ["channel", "state", "connected since", "last in", "last out", "redelivered", "errors"];
  const said = channels.flatMap(({ channel, health }) => [
    ...(channel.note === null ? [] : [`- ${channel.channel}: ${printable(channel.note)}`]),
    ...(health.lastError === null ? [] : [`- ${channel.channel}, last error: ${printable(health.lastError)}`]),
    ...health.notices.map(({ at, sentence }) => `- ${channel.channel}, ${moment(at)}: ${printable(sentence)}`),
  ]);
  return [table(head, rows), ...(said.length === 0 ? [] : [said.join("\n")])].join("\n\n");
}

function time(at: string | null): string {
  return at === null ? "-" : moment(at);
}
