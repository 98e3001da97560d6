import type { AuditLog } from "../../audit/log.ts";
import type { Clock } from "../../audit/ports.ts";
import type { Effects } from "../effect/effects.ts";
import type { Approvals } from "./approvals.ts";
import type { AttestedDemand } from "./attested.ts";
import type { Budget } from "./budget.ts";
import type { FileLabels } from "./file-labels.ts";
import type { Grants } from "./grants.ts";
import type { Suspects } from "./injection/suspects.ts";
import type { Sampling } from "./mcp-questions.ts";
import type { ModelFacts } from "./model-facts.ts";
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
  /** What is known of models. */
  readonly facts: ModelFacts;
  /** What the policy demands of a model that is told something private. */
  readonly attested: () => AttestedDemand;
  /** Why a model's provider cannot be asked at all; null: it can. */
  readonly unusable: (provider: string) => string | null;
  /** Does a model's provider show what it is before it is told anything? */
  readonly attests: (provider: string) => boolean;
  /** What is known of files that agents wrote. */
  readonly files: FileLabels;
  /** What an MCP server has a model say. */
  readonly sampling: Sampling;
  /** What the configuration says now. */
  readonly rules: () => readonly Rule[];
  /** What takes two people. */
  readonly several: () => readonly SeveralRule[];
}
