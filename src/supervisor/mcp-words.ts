import { unifiedDiff } from "../broker/diff.ts";
import type { McpServer } from "../config/schema.ts";
import type { OfferedTool } from "../ipc/mcp-frames.ts";
import type { AnswerTo } from "../ipc/operator.ts";
import type { McpToolState, McpTrial } from "./mcp-servers.ts";

type ToolView = AnswerTo<"mcp.tools">["tools"][number];

/** Of a description in a list, in characters. */
const SHORT = 160;
/** Of a difference, in characters: what is longer is cut, and said to be. */
const MAX_DIFFERENCE = 24_000;

/** What a server may do once it runs, a sentence each: all of it stands in its entry, and nothing else is given to it. */
export function wantsOf(entry: McpServer): string[] {
  const { command, url, hosts, read, write, credentials, env, limits, agents } = entry;
  const own = url === undefined ? [] : [new URL(url).host];
  const reached = [...own, ...hosts];
  return [
    ...(command === undefined ? [] : [`runs as a command in the sandbox: ${shownWords(command)}`]),
    ...(reached.length > 0 ? [`reaches ${reached.join(", ")}`] : ["reaches no host"]),
    ...read.map((path) => `reads ${path}`),
    ...write.map((path) => `reads and changes ${path}`),
    ...(command !== undefined && read.length + write.length === 0
      ? ["sees no folder of this machine but one of its own"]
      : []),
    ...credentials.map((one) => `gets the credential ${one.name} ${gotBy(one)}`),
    ...Object.keys(env).map((name) => `has ${name} in its environment`),
    ...(command === undefined
      ? []
      : [`has ${limits.memoryMb} MB of memory, ${limits.processes} processes and ${limits.callSeconds} s for a call`]),
    entry.public
      ? "what it says is public, and as little trusted as a web page"
      : "what it says is private to whoever asked, and as little trusted as a web page",
    ...(agents === undefined ? [] : [`is there for ${agents.length === 0 ? "no agent" : agents.join(", ")} only`]),
  ];
}

function gotBy({ file, descriptor, env, header }: McpServer["credentials"][number]): string {
  if (file !== undefined) return `as the file /run/secrets/${file}`;
  if (descriptor !== undefined) return `as the open file ${descriptor}`;
  if (env !== undefined) return `in its environment as ${env}, where whatever it starts has it too`;
  return `in the header ${header?.header ?? ""}`;
}

/** How a server is started or reached, in one line. */
export function whatOf({ command, url, installed }: McpServer): string {
  if (url !== undefined) return url;
  if (installed !== undefined) return `${installed.from.join(" ")} (${installed.version})`;
  return shownWords(command ?? []);
}

/** As one could type it. */
export function shownWords(words: readonly string[]): string {
  return words
    .map((word) => (/^[A-Za-z0-9@%+=:,./_-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(" ");
}

export function toolView({ standing, offeredAs, now, accepted, digest }: McpToolState): ToolView {
  const tool = now ?? accepted;
  return {
    name: tool?.name ?? "",
    offeredAs,
    standing,
    digest,
    description: firstWords(tool?.description ?? ""),
    hints: tool === null ? [] : hintsOf(tool),
  };
}

function firstWords(text: string): string {
  const line = text.replaceAll(/\s+/g, " ").trim();
  return line.length <= SHORT ? line : `${line.slice(0, SHORT - 3).toWellFormed()}...`;
}

function hintsOf({ hints }: OfferedTool): string[] {
  return [
    ...(hints.readOnly === true ? ["reads only"] : []),
    ...(hints.destructive === true ? ["destroys"] : []),
    ...(hints.openWorld === true ? ["reaches out"] : []),
  ];
}

/** All that a tool says of itself, in lines that can be compared. */
export function toolText(tool: OfferedTool): string {
  return [
    `name: ${tool.name}`,
    ...(tool.title === null ? [] : [`title: ${tool.title}`]),
    `hints: ${hintsOf(tool).join(", ") || "none"}`,
    "description:",
    ...tool.description.split("\n").map((line) => `  ${line}`),
    "arguments:",
    ...indented(tool.schema),
    ...(tool.output === null ? [] : ["result:", ...indented(tool.output)]),
    "",
  ].join("\n");
}

/** A schema line by line, for whoever reads it or compares two. It is taken apart at its punctuation alone: nothing here reads it. */
function indented(schema: string): string[] {
  return schema.split(/(?<=[,{[])(?=")/).map((line) => `  ${line}`);
}

/** What is different about a tool, as a patch; empty: nothing. */
export function differenceOf(before: OfferedTool | null, now: OfferedTool | null): string {
  const text = unifiedDiff(before === null ? "" : toolText(before), now === null ? "" : toolText(now));
  return text.length <= MAX_DIFFERENCE
    ? text
    : `${text.slice(0, MAX_DIFFERENCE).toWellFormed()}\n... (more of it is left out)\n`;
}

export function trialView(trial: McpTrial): AnswerTo<"mcp.test"> {
  if (trial.state === "failed") return { state: "failed", reason: trial.reason, sentence: trial.sentence };
  const { protocol, info, tools, left, resources, prompts, ms } = trial;
  return {
    state: "works",
    protocol,
    server: `${info.name} ${info.version}`.trim(),
    tools: tools.map((one) => toolView(one)),
    left,
    resources: resources.length,
    prompts: prompts.length,
    ms: Math.round(ms),
  };
}
