import type { Sealer } from "./ports.ts";

export interface Finding {
  readonly code: string;
  readonly seq: number | null;
  readonly sentence: string;
}
export interface Progress {
  readonly rows: number;
  readonly of: number;
}
export interface VerifyOptions {
  /** The log in use: read in short transactions, in place. Any other is copied first. */
  readonly live?: boolean;
  /** The key that the auditor was given. */
  readonly vkey?: string;
  /** The checkpoint kept in the keychain; `unreachable` when it could not be asked. */
  readonly pin?: { readonly state: "found"; readonly note: string } | { readonly state: "absent" | "unreachable" };
  /** Checkpoints kept by somebody whom this log's writer does not reach. */
  readonly anchors?: readonly { readonly name: string; readonly note: string }[];
  /** Opens content, so that its commitments are checked too. */
  readonly sealer?: Sealer;
  readonly deep?: boolean;
  /** Milliseconds since 1970. */
  readonly now?: number;
}
export interface Verdict {
  readonly state: "good" | "broken" | "unchecked";
  readonly origin: string | null;
  readonly size: number;
  readonly findings: readonly Finding[];
  readonly warnings: readonly Finding[];
}
export declare function verify(
  path: string,
  options?: VerifyOptions,
  progress?: (progress: Progress) => void,
): Promise<Verdict>;
export declare function verifySync(path: string, options?: VerifyOptions): Verdict;
export declare function sentences(verdict: Verdict): string[];
