import { realpathSync } from "node:fs";
import { join } from "node:path";
import type { Greeting } from "./status.ts";

/** What `wirken start` says once it is ready: where the page is, what answers, what runs, and the exact next commands.
 *  @param program the executable's real path. @param link a login link; null where there is no page. */
export function banner(status: Greeting, link: string | null, program: string, milliseconds: number): string {
  const home = process.env["WIRKEN_HOME"];
  const command = `${home === undefined || home === "" ? "" : `WIRKEN_HOME=${quoted(home)} `}${onPath(program) ? "wirken" : quoted(program)}`;
  const channels = status.channels.filter((one) => one.enabled);
  const lines = [
    `wirken ${status.version}, ready in ${milliseconds} ms`,
    "",
    `  page      ${link ?? "not served"}`,
    `            one use, two minutes; a fresh link: ${command} web`,
    `  model     ${status.model.ref}`,
    ...(status.model.note === null ? [] : [`            ${status.model.note}`]),
    ...(channels.length === 0
      ? ["  channels  the page and the terminal; add one with vault add telegram, or vault add slack"]
      : channels.map(
          (one, index) =>
            `  ${index === 0 ? "channels" : "        "}  ${one.channel}: ${one.state}${one.account === null ? "" : ` as ${one.account}`}${one.note === null ? "" : ` (${one.note})`}`,
        )),
    `  vault     ${status.vault.sentence}`,
    `  sandbox   ${sandboxLine(status.sandbox)}`,
    `  search    ${status.search.replace(/^web search is /, "")}`,
    ...(status.log.stopped === null ? [] : ["", `  ${status.log.stopped}`]),
    "",
    "next, in a second terminal:",
    ...(status.log.stopped === null
      ? [
          `  ${command} ask "list my files"`,
          ...(status.model.ref === "offline/offline" ? [`  ${command} vault add anthropic`] : []),
          ...(channels.length === 0 ? [`  ${command} vault add telegram`] : []),
          `  ${command} audit verify`,
        ]
      : [`  ${command} audit verify`, `  ${command} status`]),
    ...(onPath(program)
      ? []
      : [`to type just wirken: mkdir -p ~/.local/bin && ln -sf ${quoted(program)} ~/.local/bin/wirken`]),
    "",
    "Ctrl-C stops it, and so does closing this terminal",
  ];
  return lines.join("\n");
}

function onPath(program: string): boolean {
  return (process.env["PATH"] ?? "")
    .split(":")
    .some((place) => place.startsWith("/") && leadsTo(join(place, "wirken"), program));
}

function leadsTo(path: string, program: string): boolean {
  try {
    return realpathSync(path) === program;
  } catch {
    return false;
  }
}

function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;
}

function sandboxLine({ works, note }: Greeting["sandbox"]): string {
  if (!works) return `does not work: ${note ?? "unknown"}`;
  return note === null
    ? "works: commands run in bubblewrap, and reach only hosts that somebody allowed them"
    : `WEAKER: ${note}`;
}
