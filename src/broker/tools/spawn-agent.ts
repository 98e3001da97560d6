import * as z from "zod/mini";
import { MAX_DEPTH, MAX_ROUNDS, MAX_SECONDS, MAX_TASK } from "../../effect/spawn-action.ts";
import { ArgumentsError, defineTool } from "./tool.ts";

/** A plan is approved for the agent that a person talks with. */
const NOT_GIVEN: ReadonlySet<string> = new Set(["plan"]);

export const spawnAgent = defineTool({
  name: "spawn_agent",
  description:
    "Gives a part of the work to a sub-agent, which begins with nothing but the task, and gives back what it says at its end. It has only the tools that you name, of those you have. Nothing that was approved for you is approved for it, and what is asked for every time it cannot do.",
  schema: z.strictObject({
    task: z
      .string()
      .check(
        z.minLength(1),
        z.maxLength(MAX_TASK),
        z.describe("All that it needs to know, and what it is to say at its end."),
      ),
    tools: z
      ._default(z.array(z.string().check(z.maxLength(64))).check(z.maxLength(64)), [
        "read_file",
        "list_files",
        "search_files",
      ])
      .check(z.describe("The names of the tools that it has.")),
    rounds: z
      ._default(z.int().check(z.gte(1), z.lte(MAX_ROUNDS)), 10)
      .check(z.describe("Rounds of tool calls that it has.")),
    seconds: z
      ._default(z.int().check(z.gte(10), z.lte(MAX_SECONDS)), 300)
      .check(z.describe("It is ended after this long, and with your own turn.")),
  }),
  prepare: (given, turn) => {
    const depth = turn.chain.length + 1;
    if (depth > MAX_DEPTH) throw new ArgumentsError("a sub-agent of a sub-agent starts no further one: do it yourself");
    if (!given.task.isWellFormed()) throw new ArgumentsError("the task holds half a character (a lone surrogate)");
    const tools = [...new Set(given.tools)].toSorted();
    const missing = tools.filter((tool) => !turn.tools.has(tool) || NOT_GIVEN.has(tool));
    if (missing.length > 0)
      throw new ArgumentsError(
        `you can only give tools that you have: not ${missing.map((tool) => JSON.stringify(tool)).join(", ")}`,
      );
    return { type: "agent.spawn", task: given.task, tools, rounds: given.rounds, seconds: given.seconds, depth };
  },
});
