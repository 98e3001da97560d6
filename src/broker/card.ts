import { createHash } from "node:crypto";
import { type ActionOfType, decodeAction } from "../effect/action.ts";
import { renderExec, renderProcess } from "./cards/exec.ts";
import { renderMcpCall, renderMcpPrompt, renderMcpRead, renderMcpSample, renderMcpTell } from "./cards/mcp.ts";
import { renderMessage, renderReply } from "./cards/message.ts";
import { renderScheduleAdd, renderScheduleRemove } from "./cards/schedule.ts";
import { renderSpawn } from "./cards/spawn.ts";
import { renderRequest, renderWebSearch } from "./cards/web.ts";
import { renderMemoryRead, renderMemoryWrite } from "./cards/memory.ts";
import { renderSkillRead } from "./cards/skill.ts";
import { block, line, lines, place } from "./cards/lines.ts";
import { type CardSubject, footOf, headOf, withWhy } from "./cards/subject.ts";

export interface Card {
  readonly text: string;
  /** SHA-256 of the text's UTF-8, hex: what a person's answer names. */
  readonly digest: string;
}

/** Renders a card: preformatted plain text, one pure and injective function of what is asked. */
export function renderCard(subject: CardSubject): Card {
  const text = [
    ...headOf(subject),
    ...subject.actions.flatMap((bytes, index) => [
      "",
      withWhy(`${index + 1}. ${renderAction(bytes)}`, subject.whys[index] ?? null),
    ]),
    ...footOf(subject),
    "",
  ].join("\n");
  return { text, digest: createHash("sha256").update(text).digest("hex") };
}

/** Renders one action completely. @throws {ActionError} for bytes that are none. */
export function renderAction(bytes: Uint8Array): string {
  const action = decodeAction(bytes);
  switch (action.type) {
    case "file.read":
      return lines(
        action.outside === true ? "read a file OUTSIDE THE WORKSPACE" : "read a file",
        line("file", action.path),
        line("lines", `${action.limit} from line ${action.offset}`),
        ...place(action, "it cannot change anything"),
      );
    case "file.list":
      return lines(
        "list a directory",
        line("directory", action.path),
        line("depth", String(action.depth)),
        ...place(action, "it cannot change anything"),
      );
    case "file.search":
      return lines(
        "search files",
        line("below", action.path),
        line("for", action.pattern),
        line("read as", action.regexp ? "an extended regular expression" : "it stands"),
        line("capitals", action.ignoreCase ? "do not matter" : "matter"),
        action.files === null ? "  in every file" : line("in files named", action.files),
        line("matches", `${action.limit} at the most`),
        ...place(action, "it cannot change anything"),
      );
    case "file.write":
      return renderWrite(action);
    case "schedule.add":
      return renderScheduleAdd(action);
    case "schedule.list":
      return "look at what is scheduled for this person";
    case "schedule.remove":
      return renderScheduleRemove(action);
    case "exec":
      return renderExec(action);
    case "process":
      return renderProcess(action);
    case "http.request":
      return renderRequest(action);
    case "agent.spawn":
      return renderSpawn(action);
    case "message.send":
      return renderMessage(action);
    case "reply":
      return renderReply(action);
    case "web.search":
      return renderWebSearch(action);
    case "memory.read":
      return renderMemoryRead(action);
    case "memory.write":
      return renderMemoryWrite(action);
    case "skill.read":
      return renderSkillRead(action);
    case "mcp.call":
      return renderMcpCall(action);
    case "mcp.read":
      return renderMcpRead(action);
    case "mcp.prompt":
      return renderMcpPrompt(action);
    case "mcp.sample":
      return renderMcpSample(action);
    case "mcp.tell":
      return renderMcpTell(action);
  }
}

function renderWrite(action: ActionOfType<"file.write">): string {
  return lines(
    `${action.base === null ? "create" : "change"} a ${action.protected ? "PROTECTED " : ""}file ${action.outside === true ? "OUTSIDE THE WORKSPACE " : ""}(${action.tool})`,
    line("file", action.path),
    ...(action.protected
      ? [
          "  this file steers an agent, an editor, git or a package manager: what stands in it takes effect outside the sandbox",
        ]
      : []),
    ...place(action, "it changes this one file"),
    line("only if the file is still", action.base === null ? "absent" : `sha256 ${action.base}`),
    // Of a new file there is none.
    ...(action.diff === "" ? [] : [block("difference", action.diff)]),
    block("the whole file as it will be", action.content),
  );
}

/** A card as it fits through a channel that takes `max` characters a message. */
export interface FittedCard {
  /** To be sent whole before the card, in order, preformatted; none where the card fits by itself. */
  readonly parts: readonly string[];
  /** The last message, which the buttons or the code belong to. */
  readonly card: string;
}

/** @param max characters of one message, at least 500.
 *  @param maxParts messages before the card; where more are needed there is nothing to approve here.
 *  @param answers what may be answered, to stand under it.
 *  @returns null: it cannot be shown here; only the page and the terminal show it. */
export function fitCard(card: Card, max: number, maxParts: number, answers = ""): FittedCard | null {
  if (max < 500) throw new RangeError("a card needs messages of at least 500 characters");
  const foot = answers === "" ? "" : `\n${answers}`;
  if (card.text.length + foot.length <= max) return { parts: [], card: `${card.text}${foot}` };
  const heading = (at: number, of: number): string =>
    `part ${at} of ${of}, of the request with SHA-256 ${card.digest}\n`;
  const pieces = chunks(card.text, max - heading(9999, 9999).length - footing(9999).length);
  if (pieces.length > maxParts) return null;
  return {
    parts: pieces.map((piece, index) => `${heading(index + 1, pieces.length)}${piece}${footing(index + 1)}`),
    card: [
      `The request stands above in ${pieces.length} parts: read all of them before you answer.`,
      ...card.text.split("\n", 3).map((text) => text.slice(0, 60)),
      `SHA-256 of the request: ${card.digest}`,
      ...(foot === "" ? [] : [foot]),
    ].join("\n"),
  };
}

/** A platform may take blanks off the end of a message: something else stands there. */
function footing(at: number): string {
  return `\n[part ${at} ends]`;
}

/** Pieces of at most `size` UTF-16 units, none of which ends inside a character; joined they are the text. */
function chunks(text: string, size: number): string[] {
  const out: string[] = [];
  for (let at = 0; at < text.length; ) {
    let end = Math.min(text.length, at + size);
    const last = text.charCodeAt(end - 1);
    if (end < text.length && last >= 0xd800 && last <= 0xdbff) end -= 1;
    out.push(text.slice(at, end));
    at = end;
  }
  return out;
}
