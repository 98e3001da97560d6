import type Database from "better-sqlite3";
import { openPart, PARTS_A_ROW } from "./content.ts";
import { readBody } from "./entry.ts";
import { AuditError } from "./error.ts";
import type { ExportFolder, Growing } from "./export-folder.ts";
import { isDerived, isKind, partsOf } from "./kinds.ts";
import type { Sealer } from "./ports.ts";

/** What is told of content. `none`: nothing besides the rows. `commitments`: a list of what the rows commit to. `full`: content and salts too, so that
 *  anybody can compute the commitments again. */
export type Disclosure = "none" | "commitments" | "full";

/** A part up to this size stands in its line, in bytes; a larger one is a file of its own. */
export const INLINE_BYTES = 64 * 1024;

/** One line of `content.jsonl`: the part of a row, and what is told of it. */
export interface ContentLine {
  readonly seq: number;
  readonly part: string;
  readonly commitment: string;
  /** Left out where only commitments are told. `derived`: it can be made again from other rows, and only its salt is kept. */
  readonly state?: "open" | "derived" | "erased" | "missing";
  readonly salt?: string;
  /** One of these three, where it is open. */
  readonly text?: string;
  readonly base64?: string;
  readonly file?: string;
}

export function contentPath(seq: number, part: string): string {
  return `content/${seq}.${part}`;
}

/** Writes what is told of the content of disclosed rows. */
export class ContentExport {
  readonly #folder: ExportFolder;
  readonly #given: { readonly disclosure: Disclosure; readonly sealer: Sealer | null; readonly origin: string };
  readonly #lines: Growing | null;
  readonly #stored: Database.Statement;
  #opened = 0;

  constructor(
    database: Database.Database,
    folder: ExportFolder,
    given: { readonly disclosure: Disclosure; readonly sealer: Sealer | null; readonly origin: string },
  ) {
    this.#folder = folder;
    this.#given = given;
    this.#lines = given.disclosure === "none" ? null : folder.growing("content.jsonl");
    this.#stored = database.prepare("SELECT sealed FROM content NOT INDEXED WHERE id = ?").pluck();
  }

  /** Parts that were opened. */
  get opened(): number {
    return this.#opened;
  }

  row(seq: number, body: string): void {
    if (this.#lines === null || !body.includes('"content":{')) return;
    const row = readBody(body);
    for (const [part, commitment] of Object.entries(row?.content ?? {})) {
      const line: ContentLine = { seq, part, commitment, ...this.#part(seq, row?.kind ?? "", part, commitment) };
      this.#lines.write(`${JSON.stringify(line)}\n`);
    }
  }

  #part(seq: number, kind: string, part: string, commitment: string): Partial<ContentLine> {
    const { disclosure, sealer, origin } = this.#given;
    if (disclosure !== "full") return {};
    if (sealer === null || !isKind(kind)) return { state: "missing" };
    const sealed: unknown = this.#stored.get(seq * PARTS_A_ROW + partsOf(kind).indexOf(part));
    if (!(sealed instanceof Uint8Array)) return { state: "missing" };
    const opened = openPart(sealer, sealed, { origin, seq, part, derived: isDerived(kind, part) }, commitment);
    switch (opened.state) {
      case "changed":
        throw new AuditError(
          "AUDIT_BROKEN",
          `nothing was exported, because the log does not verify: the ${part} of row ${seq} was changed`,
        );
      case "erased":
        return { state: "erased" };
      case "derived":
        return { state: "derived", salt: Buffer.from(opened.salt).toString("hex") };
      case "open":
        this.#opened += 1;
        return {
          state: "open",
          salt: Buffer.from(opened.salt).toString("hex"),
          ...this.#bytes(seq, part, opened.bytes),
        };
    }
  }

  #bytes(seq: number, part: string, bytes: Uint8Array): Partial<ContentLine> {
    if (bytes.length > INLINE_BYTES) {
      const file = contentPath(seq, part);
      this.#folder.file(file, bytes);
      return { file };
    }
    const text = Buffer.from(bytes).toString("utf8");
    // Text only where it is these very bytes.
    return Buffer.from(text, "utf8").equals(bytes) ? { text } : { base64: Buffer.from(bytes).toString("base64") };
  }

  end(): void {
    this.#lines?.end();
  }
}
