import type { AuditLog } from "../../audit/log.ts";
import type { Clock } from "../../audit/ports.ts";
import type { Effects } from "../effect/effects.ts";
import type { Approvals } from "./approvals.ts";
import type { Budget } from "./budget.ts";
import type { FileLabels } from "./file-labels.ts";
import type { Grants } from "./grants.ts";
import type { Suspects } from "./injection/suspects.ts";
import type { Rule } from "./rules.ts";
import type { SeveralRule } from "./several.ts";

/** Everything the broker stands on. There is no broker without one of them. */
export interface Gates {
  readonly log: Pick<AuditLog, "record" | "append">;
  readonly effects: Effects;
  readonly approvals: Approvals;
  readonly grants: Grants;
  readonly budget: Budget;
  readonly clock: Clock;
  readonly suspects: Suspects;
  /** What is known of files that agents wrote. */
  readonly files: FileLabels;
  /** What the configuration says now. */
  readonly rules: () => readonly Rule[];
  /** What takes two people. */
  readonly several: () => readonly SeveralRule[];
}
