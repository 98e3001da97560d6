import * as z from "zod/mini";
import { CommandId } from "../../ipc/ids.ts";
import { ArgumentsError, defineTool } from "./tool.ts";

export const processTool = defineTool({
  name: "process",
  description:
    "Looks after commands that exec started in the background: lists them, shows what one wrote so far, or stops one. They end with their time, with /stop, and with the conversation.",
  schema: z.strictObject({
    do: z._default(z.enum(["list", "output", "stop"]), "list").check(z.describe("What is to be done.")),
    command: z
      .optional(z.string().check(z.maxLength(64)))
      .check(z.describe("For output and stop: the command's name, as exec gave it.")),
  }),
  prepare: (given, { principal, agent }, look) => {
    if (given.do === "list") return { type: "process", do: "list", command: null, network: false };
    const command = CommandId.safeParse(given.command);
    const network = command.success ? look.commandReaches({ principal, agent }, command.data) : null;
    if (!command.success || network === null)
      throw new ArgumentsError("there is no such command: call process with do set to list");
    return { type: "process", do: given.do, command: command.data, network };
  },
});
