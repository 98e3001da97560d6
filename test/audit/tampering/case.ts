import Database from "better-sqlite3";
import type { VerifyOptions } from "../../../audit/verify.ts";
import { anId } from "../../support/audit-fixture.ts";

/** What somebody may do to what stands beside the rows of a log: the answers of anchors, what was pruned, an export. One case each, with the findings that a
 *  verifier has for it, by their codes. */
export interface Case {
  readonly name: string;
  /** What is verified: already tampered with. */
  readonly path: string;
  readonly options: VerifyOptions;
  /** In ascending order, each once. */
  readonly codes: readonly string[];
}

/** Tampers with what lies at a path. */
export type Harm = (at: string) => void;

export const BY = { by: anId("p"), via: "terminal" } as const;

export function sql(...statements: readonly string[]): Harm {
  return (at) => {
    const database = new Database(at);
    try {
      for (const one of statements)
        if (database.prepare(one).run().changes < 1) throw new Error(`this changed nothing: ${one}`);
    } finally {
      database.close();
    }
  };
}
