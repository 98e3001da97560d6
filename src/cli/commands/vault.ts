import { Command } from "commander";
import type { Context } from "../context.ts";
import { vaultAddCommand } from "./vault-add.ts";
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
    .addCommand(vaultRemoveCommand(context))
    .addCommand(vaultProtectCommand(context))
    .addCommand(vaultUnlockCommand(context))
    .addCommand(vaultStatusCommand(context));
}
