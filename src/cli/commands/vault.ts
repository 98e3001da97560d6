import { Command } from "commander";
import type { Context } from "../context.ts";
import { vaultAddCommand } from "./vault-add.ts";
import { vaultCheckCommand } from "./vault-check.ts";
import { vaultBackupCommand, vaultRestoreCommand } from "./vault-backup.ts";
import { vaultLockCommand } from "./vault-lock.ts";
import { vaultRecoveryCommand } from "./vault-recovery.ts";
import { vaultRekeyCommand } from "./vault-rekey.ts";
import { vaultRotateCommand } from "./vault-rotate.ts";
import { vaultResetCommand } from "./vault-reset.ts";
import { vaultListCommand } from "./vault-list.ts";
import { vaultProtectCommand } from "./vault-protect.ts";
import { vaultRemoveCommand } from "./vault-remove.ts";
import { vaultStatusCommand } from "./vault-status.ts";
import { vaultUnlockCommand } from "./vault-unlock.ts";

export function vaultCommand(context: Context): Command {
  return new Command("vault")
    .summary("credentials; no command prints one")
    .addCommand(vaultAddCommand(context))
    .addCommand(vaultListCommand(context))
    .addCommand(vaultRotateCommand(context))
    .addCommand(vaultCheckCommand(context))
    .addCommand(vaultRemoveCommand(context))
    .addCommand(vaultProtectCommand(context))
    .addCommand(vaultUnlockCommand(context))
    .addCommand(vaultLockCommand(context))
    .addCommand(vaultRekeyCommand(context))
    .addCommand(vaultRecoveryCommand(context))
    .addCommand(vaultBackupCommand(context))
    .addCommand(vaultRestoreCommand(context))
    .addCommand(vaultResetCommand(context))
    .addCommand(vaultStatusCommand(context));
}
