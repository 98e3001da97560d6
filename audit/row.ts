import type { Action, ContentOf, Kind } from "./action.ts";

/** A row as the log acknowledges it: it is on disk. */
export interface Row {
  /** Its place in the log, from 0; also its leaf in the Merkle tree. */
  readonly seq: number;
  /** `2026-11-23T22:31:00.000Z`. */
  readonly at: string;
  /** The salted commitment of each content part, in hex: what other rows name a text by. */
  readonly commitments: Readonly<Record<string, string>>;
}

/** What a row is recorded with besides its action. */
export interface Given<K extends Kind> {
  /** The row that led to this one. */
  readonly cause: number | null;
  /** Whose key the content is sealed under: a session's id; the daemon's when left out. */
  readonly seal?: string;
  readonly content?: ContentOf<K>;
  /** Certificates that a row `anchor.added` pins, in DER: stored in the same transaction, so that neither is there without the other. */
  readonly certificates?: readonly Uint8Array[];
}

/** A row read back from the log. */
export interface CommittedRow extends Row {
  readonly cause: number | null;
  readonly action: Action;
  /** A content part as text; null if the row has no such part, or it was erased.
   *  @throws {AuditError} AUDIT_BROKEN if it is not what the row committed to. */
  readonly content: (part: string) => string | null;
  /** The same as bytes, the caller's own copy. */
  readonly bytes: (part: string) => Uint8Array | null;
}

/** Which rows: newest first unless `after` is given, then oldest first. */
export interface RowFilter {
  /** Rows above this one. */
  readonly after?: number;
  /** Rows below this one. */
  readonly before?: number;
  /** 1 to 1000; 100 when left out. */
  readonly limit?: number;
  /** One kind, or a family by its beginning with the dot: `tool.`. */
  readonly kind?: string;
  /** Rows of one session, the outcomes of its intents included. */
  readonly session?: string;
}

/** What rows are about besides: for a search, which looks at every row in its range. What a row does not say itself, its causes say. */
export interface SearchFilter extends RowFilter {
  /** Any of these kinds or families. */
  readonly kinds?: readonly string[];
  readonly agent?: string;
  readonly channel?: string;
  /** Whom it was done for, or who decided it. */
  readonly principal?: string;
  readonly tool?: string;
  /** Not earlier than this: a time as the log writes it. */
  readonly since?: string;
  /** Earlier than this. */
  readonly until?: string;
  /** Stands in content that can be opened now, in any case of its letters. */
  readonly text?: string;
}
