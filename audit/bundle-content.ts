import type { BundleFiles } from "./bundle-files.ts";
import { readContent } from "./bundle-facts.ts";
import { commit, COMMITMENT_DOMAIN } from "./commitment.ts";
import { readBody } from "./entry.ts";
import { type ContentLine, contentPath, type Disclosure } from "./export-content.ts";
import type { Findings } from "./findings.ts";

/** A part of 64 KiB whose every byte is written as six characters, and what stands around it. */
const MAX_LINE = 400 * 1024;
/** The largest part there can be. */
const MAX_PART = 64 * 1024 * 1024;

/** Compares what an export tells of content with what its rows committed to. */
export class BundleContent {
  readonly #files: BundleFiles;
  readonly #findings: Findings;
  readonly #full: boolean;
  readonly #lines: Generator<Buffer | null, void> | null;
  #checked = 0;
  #missing = 0;

  constructor(files: BundleFiles, findings: Findings, disclosure: Disclosure) {
    this.#files = files;
    this.#findings = findings;
    this.#full = disclosure === "full";
    this.#lines = disclosure === "none" ? null : files.lines("content.jsonl", MAX_LINE);
  }

  /** Parts whose bytes were compared with their commitment. */
  get checked(): number {
    return this.#checked;
  }
  get missing(): number {
    return this.#missing;
  }

  row(seq: number, body: string): void {
    if (this.#lines === null || !body.includes('"content":{')) return;
    for (const [part, commitment] of Object.entries(readBody(body)?.content ?? {})) {
      const next = this.#lines.next();
      const line = next.done === true ? null : readContent(next.value);
      const same = line?.seq === seq && line.part === part && line.commitment === commitment;
      if (line === null || !same || this.#full !== (line.state !== undefined)) {
        this.#findings.add(
          "content-changed",
          seq,
          `content.jsonl does not tell what row ${seq} committed to as ${part}`,
        );
        return;
      }
      if (line.state === "open") this.#open(line);
      else if (this.#full && line.state !== "derived") this.#missing += 1;
    }
  }

  #open(line: ContentLine): void {
    const { seq, part, commitment } = line;
    if (this.#commitmentOf(line) === commitment) this.#checked += 1;
    else
      this.#findings.add(
        "content-changed",
        seq,
        `the ${part} of row ${seq} was changed: it is not what the row committed to`,
      );
  }

  #commitmentOf({ seq, part, salt = "", text, base64, file }: ContentLine): string | null {
    const salted = Buffer.from(salt, "hex");
    if (file === undefined)
      return commit(salted, text === undefined ? Buffer.from(base64 ?? "", "base64") : Buffer.from(text));
    if (file !== contentPath(seq, part)) return null;
    return this.#files.digest(file, MAX_PART, [Buffer.from(COMMITMENT_DOMAIN), salted]);
  }

  end(): void {
    const rest = this.#lines?.next();
    if (rest !== undefined && rest.done !== true)
      this.#findings.add("content-stray", null, "content.jsonl tells of content that belongs to no row here");
  }
}
