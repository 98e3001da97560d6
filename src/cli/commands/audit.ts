import { Command } from "commander";
import type { Context } from "../context.ts";
import { auditAcknowledgeCommand } from "./audit-acknowledge.ts";
import { auditAnchorCommand } from "./audit-anchor.ts";
import { auditCheckpointCommand } from "./audit-checkpoint.ts";
import { auditEraseCommand } from "./audit-erase.ts";
import { auditExplainCommand } from "./audit-explain.ts";
import { auditExportCommand } from "./audit-export.ts";
import { auditKeyCommand } from "./audit-key.ts";
import { auditHoldCommand } from "./audit-hold.ts";
import { auditLogCommand } from "./audit-log.ts";
import { auditPruneCommand } from "./audit-prune.ts";
import { auditRestoreCommand } from "./audit-restore.ts";
import { auditShowCommand } from "./audit-show.ts";
import { auditVerifyCommand } from "./audit-verify.ts";

export function auditCommand(context: Context): Command {
  return new Command("audit")
    .summary("what happened, in order, provably")
    .addCommand(auditLogCommand(context))
    .addCommand(auditShowCommand(context))
    .addCommand(auditExplainCommand(context))
    .addCommand(auditVerifyCommand(context))
    .addCommand(auditExportCommand(context))
    .addCommand(auditCheckpointCommand(context))
    .addCommand(auditAnchorCommand(context))
    .addCommand(auditKeyCommand(context))
    .addCommand(auditAcknowledgeCommand(context))
    .addCommand(auditRestoreCommand(context))
    .addCommand(auditEraseCommand(context))
    .addCommand(auditHoldCommand(context))
    .addCommand(auditPruneCommand(context));
}
