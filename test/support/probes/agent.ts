import type { Say, step } from "../../../src/agent/loop.ts";
import { attack, Targets } from "./attempts.ts";

/** An agent whose loop has been taken over: told to by what is said to it, it tries what an agent cannot do, and says how that went the
 *  next time it is asked. Everything else it does as before. */
export function takenOver(honest: typeof step): typeof step {
  let report = "nothing was tried";
  return (turn, heard) => {
    if (heard.type !== "turn") return honest(turn, heard);
    if (heard.text === "report") return { turn, say: reply(report) };
    const [, json] = /^try (.*)$/s.exec(heard.text) ?? [];
    if (json === undefined) return honest(turn, heard);
    report = "";
    const keep = async (tried: ReturnType<typeof attack>): Promise<void> => {
      report = JSON.stringify(await tried);
    };
    void keep(attack(Targets.parse(JSON.parse(json)), true));
    return { turn, say: reply("trying") };
  };
}

function reply(text: string): Say[] {
  return [
    { type: "reply", ref: 1 },
    { type: "reply.text", ref: 1, text },
    { type: "reply.end", ref: 1 },
    { type: "turn.end", reason: "done", sentence: "" },
  ];
}
