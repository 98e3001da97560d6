import { Command } from "commander";
import type { Context } from "../context.ts";
import { egressLogCommand } from "./egress-log.ts";
import { egressShowCommand } from "./egress-show.ts";

export function egressCommand(context: Context): Command {
  return new Command("egress")
    .summary("what leaves this machine: what may be reached, and what was")
    .addCommand(egressShowCommand(context))
    .addCommand(egressLogCommand(context));
}
