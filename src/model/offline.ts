import { setImmediate as nextTurn } from "node:timers/promises";
import type { Answer, ChatMessage, CompletionRequest, ToolCall } from "../ipc/completion.ts";
import { wordsOf } from "./offline-words.ts";
import type { ModelProvider } from "./port.ts";

const OFFLINE_MODEL = "offline";

/** Of a result that is repeated to the person, in characters. */
const MAX_SHOWN = 8000;
/** Of one delta, in characters: enough pieces to show that text streams. */
const PIECE = 48;

interface Phrase {
  readonly tool: string;
  readonly says: string;
  readonly pattern: RegExp;
  /** @returns the arguments of the call, or a sentence about what is missing. */
  readonly arguments: (groups: Record<string, string>) => Record<string, unknown> | string;
}

/** All that this model understands. The first that fits is taken. */
const PHRASES: readonly Phrase[] = [
  {
    tool: "list_files",
    says: "list my files",
    pattern: /^(?:please )?(?:list|show)(?: me)?(?: (?:my|the|all))* files(?: (?:in|of|under) (?<path>.+?))?[.!?]?$/is,
    arguments: ({ path }) => ({ path: unquoted(path ?? ".") }),
  },
  {
    tool: "search_files",
    says: "search for hello",
    pattern:
      /^(?:please )?(?:search|find|look)(?: (?:my|the|all|files))* for (?<pattern>.+?)(?: in (?<path>\S+?))?[?!]?$/is,
    arguments: ({ pattern, path }) => ({ pattern: unquoted(pattern ?? ""), path: unquoted(path ?? ".") }),
  },
  {
    tool: "exec",
    says: "run uname -a",
    pattern: /^(?:please )?run(?<write> with write access)?:? (?<command>.+)$/is,
    arguments: ({ command, write }) => {
      const argv = wordsOf(command ?? "");
      if (argv === null || argv.length === 0) return "a quotation mark in that command is not closed";
      return write === undefined ? { argv } : { argv, write: true };
    },
  },
  {
    tool: "read_file",
    says: "read notes.txt",
    pattern: /^(?:please )?(?:read|show|open)(?: (?:me|my|the|file))* (?<path>\S.*?)$/is,
    arguments: ({ path }) => ({ path: unquoted(path ?? "") }),
  },
  {
    tool: "write_file",
    says: "write notes.txt: hello",
    pattern: /^(?:please )?write (?<path>[^:]+?)\s*: ?(?<content>.*)$/is,
    arguments: ({ path, content }) => ({ path: unquoted(path ?? ""), content: `${content ?? ""}\n` }),
  },
  {
    tool: "edit_file",
    says: "edit notes.txt: hello => goodbye",
    pattern: /^(?:please )?edit (?<path>[^:]+?)\s*: ?(?<old>.+?) => (?<new>.*)$/is,
    arguments: (groups) => ({
      path: unquoted(groups["path"] ?? ""),
      old: groups["old"] ?? "",
      new: groups["new"] ?? "",
    }),
  },
];

/** What the built-in model says to a request: always the same to the same. It speaks to nobody and calls only what is offered. */
export function offlineAnswer({ messages, tools }: CompletionRequest): Answer {
  const last = messages.at(-1);
  if (last?.role === "tool") return { text: reportOf(messages), calls: [] };
  const said = last?.role === "user" ? last.text.trim() : "";
  for (const phrase of PHRASES) {
    const found = phrase.pattern.exec(said);
    if (found === null) continue;
    if (!tools.some(({ name }) => name === phrase.tool))
      return { text: `I would call the tool ${phrase.tool} for that, but this agent does not have it.`, calls: [] };
    const given = phrase.arguments(found.groups ?? {});
    if (typeof given === "string") return { text: `I cannot do that: ${given}.`, calls: [] };
    return { text: "", calls: [callOf(messages, phrase.tool, given)] };
  }
  const offered = PHRASES.filter(({ tool }) => tools.some(({ name }) => name === tool));
  return { text: introductionOf(offered), calls: [] };
}

function callOf(messages: readonly ChatMessage[], name: string, given: Record<string, unknown>): ToolCall {
  const before = messages.reduce((sum, message) => sum + (message.role === "assistant" ? message.calls.length : 0), 0);
  return { id: `offline_${before + 1}`, name, arguments: JSON.stringify(given) };
}

function introductionOf(offered: readonly Phrase[]): string {
  const demonstration =
    offered.length === 0
      ? ""
      : `\n\nI can show you how an action is decided and recorded. Say one of these:\n${offered.map(({ says }) => `  ${says}`).join("\n")}`;
  return `I am Wirken's built-in offline model. I speak to nobody and understand a few fixed phrases only.

For a real model, run \`wirken vault add anthropic\` (or openai, or openrouter) in a terminal, or start Ollama on this machine with a model that can call tools.${demonstration}`;
}

/** What came of the calls of the last round, in words. */
function reportOf(messages: readonly ChatMessage[]): string {
  const start = messages.findLastIndex((message) => message.role !== "tool") + 1;
  const asked = messages[start - 1];
  const calls = asked?.role === "assistant" ? asked.calls : [];
  return messages
    .slice(start)
    .filter((message) => message.role === "tool")
    .map(({ call, name, text }) => {
      const what = describe(calls.find(({ id }) => id === call)) ?? name;
      const shown =
        text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}\n[${text.length - MAX_SHOWN} more characters]` : text;
      return shown.trim() === ""
        ? `I asked for ${what}. It gave no output.`
        : `I asked for ${what}. The result:\n\n${shown}`;
    })
    .join("\n\n");
}

function describe(call: ToolCall | undefined): string | null {
  if (call === undefined) return null;
  const given: unknown = JSON.parse(call.arguments);
  if (typeof given !== "object" || given === null) return call.name;
  if ("argv" in given && Array.isArray(given.argv)) return `\`${given.argv.join(" ")}\``;
  return "path" in given && typeof given.path === "string" ? `${call.name} on \`${given.path}\`` : call.name;
}

function unquoted(text: string): string {
  const inner = /^(["'`])(.*)\1$/s.exec(text.trim());
  return inner?.[2] ?? text.trim();
}

/** The built-in model behind the port of the real ones: it streams, can be cancelled, and uses no tokens. */
export const offline: ModelProvider = {
  async complete(conversation, { model }, onDelta, signal) {
    const answer = offlineAnswer(conversation.request);
    for (const piece of answer.text.match(new RegExp(`[^]{1,${PIECE}}(?=\\s|$)|[^]{1,${PIECE}}`, "gu")) ?? []) {
      signal.throwIfAborted();
      await onDelta(piece);
      await nextTurn();
    }
    signal.throwIfAborted();
    return { answer, model, inputTokens: 0, outputTokens: 0, stop: answer.calls.length > 0 ? "tool-calls" : "stop" };
  },
  models: () =>
    Promise.resolve([{ id: OFFLINE_MODEL, tools: true, images: false, pdfs: false, window: null, modified: null }]),
  check: () => Promise.resolve({ account: null }),
};
