import type { AuditLog, CommittedRow } from "../../audit/log.ts";
import type { ActionOf } from "../../audit/action.ts";
import type { AnswerTo } from "../ipc/operator.ts";
import { OperatorError } from "./operator-error.ts";
import type { Placed } from "./standing.ts";

/** What is said of a key or a root that somebody vouched for. */
export type VouchedView = AnswerTo<"skill.trust">;

/** A key or a root that somebody vouched for, by its row. */
export interface Vouched {
  readonly id: string;
  readonly seq: number;
  readonly names: string;
  /** Milliseconds since 1970; null: for ever. */
  readonly until: number | null;
  readonly own: boolean;
  readonly revoked: boolean;
}

type TrustedRow = CommittedRow & { readonly action: ActionOf<"skill.trusted"> };

/** The rows of all who are trusted, and of those who were. */
export function vouchedRows(
  log: Pick<AuditLog, "row">,
  placed: (what: Placed) => readonly number[],
): { readonly row: TrustedRow; readonly vouched: Vouched }[] {
  return (["skill-key-revoked", "skill-key"] as const).flatMap((what) =>
    placed(what).flatMap((seq) => {
      const row = log.row(seq);
      if (!isTrusted(row)) return [];
      const { key, names, until, own } = row.action;
      const end = until === null ? null : Date.parse(until);
      const revoked = what === "skill-key-revoked";
      return [{ row, vouched: { id: key, seq: row.seq, names, until: end, own: own === "yes", revoked } }];
    }),
  );
}

function isTrusted(row: CommittedRow | null): row is TrustedRow {
  return row?.action.kind === "skill.trusted";
}

/** @throws {OperatorError} for a time that is past. */
export function endOf(until: string | null, now: number): number | null {
  const end = until === null ? null : Date.parse(until);
  if (end === null || end > now) return end;
  throw new OperatorError(
    "usage",
    "until that day it would be trusted for no time at all",
    "write a day to come, as 2030-12-31",
  );
}

export function viewOf(
  { names, until, own, revoked }: Omit<Vouched, "id" | "seq">,
  what: Pick<VouchedView, "vkey" | "name" | "of" | "identity">,
  now: number,
): VouchedView {
  const state = revoked ? "revoked" : until !== null && until <= now ? "expired" : "trusted";
  return { ...what, names, until: until === null ? null : new Date(until).toISOString(), own, state };
}
