import { createHash } from "node:crypto";
import { closeSync, fsyncSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import type { AuditLog, CommittedRow } from "../../audit/log.ts";
import { visibleLine } from "../broker/visible.ts";
import { mint } from "../ipc/ids.ts";
import type { AnswerTo } from "../ipc/operator.ts";
import type { SessionView } from "../ipc/session-calls.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";
import { rowsOf, turnsOf } from "./session-turns.ts";
import type { State } from "./state.ts";
import { answerOf } from "./transcript.ts";

const MARKDOWN = "conversation.md";
const LINES = "conversation.jsonl";
const SUMS = "SHA256SUMS";

export interface SessionExportParts {
  readonly log: AuditLog;
  readonly state: State;
  /** The data directory: nothing is written below it. */
  readonly home: string;
}

/** One thing that was said or done, as an export has it. */
interface Entry {
  readonly row: number;
  readonly at: string;
  readonly kind: string;
  readonly turn: number | null;
  readonly who: "person" | "agent" | "tool" | "notice" | "record";
  /** Null: erased. */
  readonly text: string | null;
  readonly [more: string]: unknown;
}

/** Writes a conversation down, for people and for programs, with the row of the record beside each. Recorded before a byte is written. */
export class SessionExport {
  readonly #parts: SessionExportParts;

  constructor(parts: SessionExportParts) {
    this.#parts = parts;
  }

  /** @param out a folder that is not there yet. @throws {OperatorError} if it is, or lies in the data directory; nothing is left of it then. */
  async write(view: SessionView, out: string, who: By): Promise<AnswerTo<"session.export">> {
    const { log, state, home } = this.#parts;
    if (who.via !== "terminal") throw new OperatorError("refused", "an export is made on the terminal only");
    if (!relative(resolve(home), resolve(out)).startsWith(".."))
      throw new OperatorError("usage", "an export does not lie in the data directory", "name another folder");
    const id = mint("export");
    const { session } = view;
    const fields = { export: id, from: 0, to: log.size, session, disclosure: "full" } as const;
    await using intent = await log.record(
      { kind: "log.exporting", ...fields, ...who },
      { cause: null, content: { path: out } },
    );
    intent.redeem();
    const made = folder(out);
    try {
      const entries = entriesOf(log, state, await rowsOf(log, session));
      const files = [
        { name: LINES, bytes: Buffer.from(entries.map((entry) => `${JSON.stringify(entry)}\n`).join("")) },
        { name: MARKDOWN, bytes: Buffer.from(markdownOf(view, entries)) },
      ];
      const sums = Buffer.from(files.map(({ name, bytes }) => `${sha256(bytes)}  ${name}\n`).join(""));
      for (const { name, bytes } of [...files, { name: SUMS, bytes: sums }]) written(join(made, name), bytes);
      const digest = sha256(sums);
      await intent.finish({ kind: "log.exported", rows: entries.length, proofs: 0, digest });
      const bytes = files.reduce((sum, file) => sum + file.bytes.length, sums.length);
      return { export: id, out, rows: entries.length, bytes, digest };
    } catch (error) {
      rmSync(made, { recursive: true, force: true });
      await intent.fail(error);
      throw error;
    }
  }
}

/** What was said and done in a session, in its order. */
function entriesOf(log: AuditLog, state: State, rows: readonly CommittedRow[]): Entry[] {
  const turns = new Map(
    turnsOf(log, state, rows).flatMap(({ view, rows: own }) => own.map((row) => [row.seq, view] as const)),
  );
  return rows.flatMap((row): Entry[] => {
    const view = turns.get(row.seq);
    const base = { row: row.seq, at: row.at, kind: row.action.kind, turn: view?.number ?? null };
    const { action } = row;
    switch (action.kind) {
      case "turn.started": {
        const text = view?.text ?? null;
        return [{ ...base, who: "person", text, person: view?.person ?? action.principal, received: row.cause }];
      }
      case "message.told":
        return [{ ...base, who: "record", text: row.content("text") }];
      case "model.answered": {
        const json = row.content("answer");
        const answer = json === null ? null : answerOf(json);
        const { model, inputTokens, outputTokens, microDollars, stop } = action;
        const called = row.cause === null ? null : log.row(row.cause)?.action;
        const purpose =
          called?.kind === "model.called"
            ? (called.purpose ?? (called.chain === undefined ? "turn" : "agent"))
            : "turn";
        const counts = { purpose, model, inputTokens, outputTokens, microDollars, stop };
        return [{ ...base, who: "agent", text: answer?.text ?? null, calls: answer?.calls ?? [], ...counts }];
      }
      case "answer.cut":
        return [{ ...base, who: "agent", text: row.content("text"), cut: true }];
      case "tool.called":
        return [
          {
            ...base,
            who: "tool",
            tool: action.tool,
            key: action.key,
            authority: action.authority,
            text: row.content("action"),
          },
        ];
      case "tool.finished":
        return [{ ...base, who: "tool", outcome: action.outcome, text: row.content("result") }];
      case "tool.refused":
        return [{ ...base, who: "notice", tool: action.tool, reason: action.reason, text: row.content("why") }];
      case "message.sent":
        return action.purpose === "notice" ? [{ ...base, who: "notice", text: row.content("text") }] : [];
      case "context.compacted":
        return [
          {
            ...base,
            who: "record",
            results: action.results,
            messages: action.messages,
            summary: action.summary,
            text: `made shorter for the model (${action.reason})`,
          },
        ];
      case "turn.ended":
        return [{ ...base, who: "record", text: `the turn ended: ${action.reason}`, rounds: action.rounds }];
      case "session.opened":
      case "session.closed":
        return [
          {
            ...base,
            who: "record",
            text: action.kind === "session.opened" ? "the conversation began" : `it ended: ${action.reason}`,
          },
        ];
      default:
        return [];
    }
  });
}

function markdownOf(view: SessionView, entries: readonly Entry[]): string {
  const head = [
    `# Conversation ${view.session}`,
    "",
    `Agent ${view.agent}, on ${view.channel}, with ${view.people.map((name) => visibleLine(name)).join(", ") || "nobody"}.`,
    "Behind each entry stands its row of the record: `wirken audit show ROW`, `wirken audit explain ROW`. What was erased reads [erased].",
  ];
  return `${[...head, ...entries.flatMap((entry) => ["", ...section(entry)])].join("\n")}\n`;
}

function section(entry: Entry): string[] {
  const { row, at, kind, who } = entry;
  const mark = `(row ${row}, ${at})`;
  const text = entry.text ?? "[erased]";
  const about = typeof entry["tool"] === "string" ? ` ${visibleLine(entry["tool"])}` : "";
  switch (kind) {
    case "turn.started":
      return [`## ${entry.turn ?? "-"}. ${visibleLine(String(entry["person"]))} ${mark}`, "", ...quotedLines(text)];
    case "model.answered":
    case "answer.cut": {
      const what = entry["purpose"] === "summary" ? "summary" : entry["purpose"] === "agent" ? "sub-agent" : "agent";
      const calls = Array.isArray(entry["calls"]) ? entry["calls"].length : 0;
      return [
        `**${what}** ${mark}${calls === 0 ? "" : `, ${calls} calls`}${entry["cut"] === true ? ", broke off" : ""}`,
        ...(text === "" ? [] : ["", ...plainLines(text)]),
      ];
    }
    case "tool.called":
      return [`**call**${about} ${mark}`, "", ...fenced(text)];
    case "tool.finished":
      return [`**result**, ${String(entry["outcome"])} ${mark}`, "", ...fenced(text)];
    case "tool.refused":
      return [`**refused**${about}, nothing ran ${mark}`, "", ...quotedLines(text)];
    default:
      return [`*${who === "notice" ? "notice: " : ""}${visibleLine(text)}* ${mark}`];
  }
}

/** Controls and what turns the direction of writing are written out. */
function plainLines(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.replaceAll(/[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, escaped));
}
function quotedLines(text: string): string[] {
  return plainLines(text).map((line) => `> ${line}`);
}
/** A fence that is longer than any in the text. */
function fenced(text: string): string[] {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  return [fence, ...plainLines(text), fence];
}
function escaped(character: string): string {
  return character === "\t" ? character : `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

function written(path: string, bytes: Uint8Array): void {
  const file = openSync(path, "wx", 0o600);
  try {
    writeSync(file, bytes);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** @throws {OperatorError} if it is there already, or cannot be made. */
function folder(out: string): string {
  try {
    mkdirSync(out, { mode: 0o700 });
    return out;
  } catch (cause) {
    const there = cause instanceof Error && "code" in cause && cause.code === "EEXIST";
    throw new OperatorError(
      "usage",
      there ? `${out} is there already` : `${out} cannot be made`,
      "name a folder that is not there yet, in one that is",
      { cause },
    );
  }
}
