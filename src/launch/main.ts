import { closeSync, readFileSync, writeSync } from "node:fs";
import * as z from "zod/mini";
import { LAUNCHED, type LaunchOrder, NOT_RUN } from "../sandbox/launch-order.ts";
import { becomeCommand } from "./become.ts";

const count = z.int().check(z.gte(0));
const Order = z.strictObject({
  argv: z.array(z.string()).check(z.minLength(1)),
  workspace: z.string(),
  folders: z.array(z.strictObject({ path: z.string(), write: z.boolean() })),
  write: z.boolean(),
  runAs: z.nullable(count),
  toolchains: z.array(z.string()),
  limits: z.strictObject({
    memory: count,
    processes: count,
    seconds: count,
    output: count,
    file: count,
    openFiles: count,
    temporary: count,
    shared: count,
    diskReserve: count,
  }),
}) satisfies z.ZodMiniType<LaunchOrder>;

try {
  const order = Order.parse(JSON.parse(readFileSync(LAUNCHED.order, "utf8")));
  closeSync(LAUNCHED.order);
  becomeCommand(order);
} catch (error) {
  writeSync(LAUNCHED.status, `${NOT_RUN}\n`);
  writeSync(2, `${error instanceof Error ? error.message : String(error)}\n`);
  process.kill(process.pid, "SIGKILL");
}
