import type { AgentDetails, AgentView } from "../ipc/agent-calls.ts";
import { printable } from "./printable.ts";
import { pairs, table } from "./table.ts";

/** What `agents list` says. */
export function agentsTable(agents: readonly AgentView[]): string {
  return table(
    ["agent", "model", "answers on", "who may talk to it", ""],
    agents.map((agent) => [
      agent.agent,
      agent.model,
      placesText(agent.places),
      peopleText(agent.people),
      agent.halted ? "HALTED" : (agent.note ?? ""),
    ]),
  );
}

/** What `agents show`, `add` and `set` say. */
export function agentText(agent: AgentDetails): string {
  const { model, chosen, note, places, people, tools, allTools, unknownTools, skills, allSkills } = agent;
  const { budgetUsdPerDay: usd, instructions, folders } = agent;
  return pairs([
    ["agent", agent.halted ? `${agent.agent} (HALTED: wirken status says why)` : agent.agent],
    ["model", `${model}${chosen ? "" : " (none is set: it is the default agent's, or follows from what is enrolled)"}`],
    ...(note === null ? [] : ([["", note]] as const)),
    ["answers on", placesText(places)],
    ["people", peopleText(people)],
    ["tools", allTools ? "all" : tools.length === 0 ? "none" : tools.join(", ")],
    ...(unknownTools.length === 0 ? [] : ([["", `not there: ${unknownTools.join(", ")}`]] as const)),
    ["skills", allSkills ? "all in use" : skills.length === 0 ? "none" : skills.join(", ")],
    [
      "budget",
      usd === null
        ? "what every agent has: wirken budget show"
        : `$${usd} a day, if no other is set: wirken budget show`,
    ],
    ["a turn", `at most ${agent.rounds} rounds of tools and ${agent.turnMinutes} minutes`],
    ["workspaces", agent.workspaces.length === 0 ? "none so far" : agent.workspaces.join("\n")],
    ...(folders.length === 0
      ? []
      : ([["folders", folders.map(({ path, access }) => `${path} (${access})`).join("\n")]] as const)),
    ["holds", `${agent.grants} grants, ${agent.schedules} schedules, ${agent.memories} things that it remembers`],
    ["open", `${agent.sessions} conversations`],
    ["settings", agent.digest],
    ["instructions", instructions ?? "what every agent is told where nothing else is set"],
  ]);
}

export function placesText(places: AgentView["places"]): string {
  if (places.length === 0) return "nowhere: wirken agents bind";
  return places
    .map(({ channel, conversation }) => (conversation === null ? channel : `${channel}:${conversation}`))
    .join(", ");
}

function peopleText(people: AgentView["people"]): string {
  if (people === null) return "everybody who is paired";
  if (people.length === 0) return "the owners alone";
  return printable(people.map(({ principal, name }) => name ?? principal).join(", "));
}
