import type { Finding, FindingCode, WarningCode } from "./verdict.ts";

/** A file may be wrong in every row: so many findings are kept, the rest is counted. */
const KEPT = 100;

/** What a terminal acts on, or shows in another order than it is written: a hostile file chooses names that a sentence repeats. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

function shown(sentence: string): string {
  return sentence.replaceAll(UNSEEN, (unit) => `\\u{${(unit.codePointAt(0) ?? 0).toString(16)}}`);
}

/** What a verification has found so far. */
export class Findings {
  readonly #findings: Finding[] = [];
  readonly #warnings: Finding<WarningCode>[] = [];
  #more = 0;

  add(code: FindingCode, seq: number | null, sentence: string): void {
    if (this.#findings.length < KEPT) this.#findings.push({ code, seq, sentence: shown(sentence) });
    else this.#more += 1;
  }

  warn(code: WarningCode, seq: number | null, sentence: string): void {
    this.#warnings.push({ code, seq, sentence: shown(sentence) });
  }

  get count(): number {
    return this.#findings.length + this.#more;
  }

  get any(): boolean {
    return this.#findings.length > 0;
  }

  /** Is one of them about a row from `from` up to, without, `to`? */
  hasWithin(from: number, to: number): boolean {
    return this.#findings.some(({ seq }) => seq !== null && seq >= from && seq < to);
  }

  /** By row, those about the whole file first. */
  get findings(): Finding[] {
    return this.#findings.toSorted((a, b) => (a.seq ?? -1) - (b.seq ?? -1));
  }

  get warnings(): Finding<WarningCode>[] {
    if (this.#more === 0) return [...this.#warnings];
    return [...this.#warnings, { code: "more", seq: null, sentence: `${this.#more} more findings are not listed` }];
  }
}
