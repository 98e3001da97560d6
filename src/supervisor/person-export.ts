import { createHash } from "node:crypto";
import { closeSync, fsyncSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { PARTS_A_ROW } from "../../audit/content.ts";
import { partsOf } from "../../audit/kinds.ts";
import type { AuditLog } from "../../audit/log.ts";
import { mint } from "../ipc/ids.ts";
import type { AnswerTo } from "../ipc/operator.ts";
import { ErasurePlan } from "./erasure-plan.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";
import type { State } from "./state.ts";

/** What is theirs, one JSON object a line: row, time, kind, part and text. */
const FILE = "content.jsonl";

export interface PersonExportParts {
  readonly log: AuditLog;
  readonly state: State;
  /** The data directory: nothing is written below it. */
  readonly home: string;
}

/** Hands somebody what is theirs: just what an erasure of them would take out. Recorded before a byte is written. */
export class PersonExport {
  readonly #parts: PersonExportParts;

  constructor(parts: PersonExportParts) {
    this.#parts = parts;
  }

  /** @param out a folder that is not there yet. @throws {OperatorError} if it is, or lies in the data directory; nothing is left of it then. */
  async write(principal: string, out: string, who: By): Promise<AnswerTo<"people.export">> {
    const { log, state, home } = this.#parts;
    if (who.via !== "terminal") throw new OperatorError("refused", "an export is made on the terminal only");
    if (!state.isKnown(principal)) throw new OperatorError("not-found", `nobody has the id ${principal}`);
    if (!relative(resolve(home), resolve(out)).startsWith(".."))
      throw new OperatorError("usage", "an export does not lie in the data directory", "name another folder");
    const id = mint("export");
    await using intent = await log.record(
      { kind: "log.exporting", export: id, from: 0, to: log.size, session: null, disclosure: "full", ...who },
      { cause: null, content: { path: out } },
    );
    intent.redeem();
    const made = folder(out);
    try {
      const { rows, bytes, digest } = await this.#write(principal, made);
      await intent.finish({ kind: "log.exported", rows, proofs: 0, digest });
      return { export: id, out, rows, bytes, digest };
    } catch (error) {
      rmSync(made, { recursive: true, force: true });
      await intent.fail(error);
      throw error;
    }
  }

  async #write(principal: string, out: string): Promise<{ rows: number; bytes: number; digest: string }> {
    const { log, state } = this.#parts;
    const plan = await ErasurePlan.of({ principal }, log, state);
    const file = openSync(join(out, FILE), "wx", 0o600);
    const hash = createHash("sha256");
    const rows = new Set<number>();
    let bytes = 0;
    try {
      for await (const page of log.removal.parts(plan.from, log.size)) {
        for (const part of page) {
          if (!plan.owns(part) || part.kind === null) continue;
          const name = partsOf(part.kind)[part.id % PARTS_A_ROW];
          const text = name === undefined ? null : (log.row(part.seq)?.content(name) ?? null);
          if (name === undefined || text === null) continue;
          const line = Buffer.from(
            `${JSON.stringify({ row: part.seq, at: part.at, kind: part.kind, part: name, text })}\n`,
          );
          writeSync(file, line);
          hash.update(line);
          rows.add(part.seq);
          bytes += line.length;
        }
      }
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    return { rows: rows.size, bytes, digest: hash.digest("hex") };
  }
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
