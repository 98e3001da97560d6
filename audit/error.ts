export type AuditErrorCode =
  /** The action does not fit the table of kinds, or the call does not fit the log's state. Nothing was written. */
  | "AUDIT_INVALID"
  /** The disk is full, read-only, or failing. Nothing of this row was written; a later one may be. */
  | "AUDIT_UNWRITABLE"
  /** Somebody else wrote to the log: nothing is written any more until a restart. */
  | "AUDIT_SECOND_WRITER"
  /** A recorded action was redeemed or ended a second time. */
  | "AUDIT_SPENT"
  /** The log key cannot sign now. Rows go on; the checkpoint is due again. */
  | "AUDIT_UNSIGNED"
  /** The content cannot be sealed, so its row was not written. */
  | "AUDIT_UNSEALED"
  /** A checkpoint could not be copied to its other places. */
  | "AUDIT_UNCOPIED"
  /** Something was found wrong with the log: nothing is done until its owner has said how to go on. */
  | "AUDIT_HALTED"
  /** The log is closed. */
  | "AUDIT_CLOSED"
  /** What is stored is not what was written. */
  | "AUDIT_BROKEN"
  /** The key given is not the one that this log is signed with. */
  | "AUDIT_WRONG_KEY"
  /** A newer build wrote this log. */
  | "AUDIT_NEWER"
  /** The file cannot be opened or read as it is now. */
  | "AUDIT_UNREADABLE"
  /** The row is on the log, and a follower (the projection) could not take it in. */
  | "AUDIT_BEHIND";

/** A code to switch on and a sentence to read. */
export class AuditError extends Error {
  override readonly name = "AuditError";
  readonly code: AuditErrorCode;
  constructor(code: AuditErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
