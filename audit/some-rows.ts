import { isCanonical } from "./canonical.ts";
import { readBody } from "./entry.ts";
import type { HeadReader } from "./head-reader.ts";
import type { Findings } from "./findings.ts";

/** What unchanged rows say where not all of them are here: that time does not go back, and that causes come before. */
export class SomeRows {
  readonly #findings: Findings;
  readonly #deep: boolean;
  #from: string | null = null;
  #until: string | null = null;

  constructor(findings: Findings, deep: boolean) {
    this.#findings = findings;
    this.#deep = deep;
  }

  get from(): string | null {
    return this.#from;
  }
  get until(): string | null {
    return this.#until;
  }

  row({ seq, cause, at }: HeadReader, body: string): void {
    if (this.#until !== null && at < this.#until)
      this.#findings.add(
        "time-backwards",
        seq,
        `row ${seq} is earlier than a row before it (${at}, after ${this.#until})`,
      );
    this.#from ??= at;
    this.#until = at;
    if (cause >= seq)
      this.#findings.add("cause", seq, `row ${seq} names row ${cause} as its cause, which is not before it`);
    if (this.#deep && (!isCanonical(body) || readBody(body) === null))
      this.#findings.add("row-form", seq, `row ${seq} is not in the one form that its values have`);
  }
}
