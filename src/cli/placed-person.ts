import { AdapterChannel, LOCAL_CHANNELS } from "../ipc/channel.ts";
import { Name, type PrincipalId } from "../ipc/ids.ts";
import { usage } from "./command-error.ts";
import type { CallOf, OperatorPort } from "./operator-port.ts";
import { personOf } from "./person.ts";

type Channel = CallOf<"policy.test">["channel"];

/** Somebody on a channel, as `telegram:Ada` or `slack:acme:p_…`; the owner on the terminal where it is left out.
 *  @throws {CommandError} when it names no channel, or nobody. */
export async function placedPerson(
  operator: OperatorPort,
  text: string | undefined,
): Promise<{ readonly channel: Channel; readonly principal: PrincipalId }> {
  const { people } = await operator.call({ call: "pair.list" });
  if (text === undefined) {
    const owner = people.find(({ role }) => role === "owner");
    return { channel: "terminal", principal: personOf(owner?.principal ?? "", people) };
  }
  // A channel may hold a colon itself; a person's name stands behind the last.
  const at = text.lastIndexOf(":");
  if (at < 1)
    throw usage(`${text} names no channel and person`, "such as telegram:Ada: wirken pair list has the names");
  return { channel: channelOf(text.slice(0, at)), principal: personOf(text.slice(at + 1), people) };
}

/** @throws {CommandError} for what is no channel. */
export function channelOf(text: string): Channel {
  const local = LOCAL_CHANNELS.find((one) => one === text);
  if (local !== undefined) return local;
  const channel = AdapterChannel.safeParse(text);
  if (!channel.success) throw usage(`${text} is no channel`, "such as telegram, slack:acme, web or terminal");
  return channel.data;
}

/** @throws {CommandError} for what is no agent's name. */
export function agentOf(text: string): Name {
  const name = Name.safeParse(text);
  if (!name.success) throw usage(`${text} is not an agent's name`, "see: wirken agents list");
  return name.data;
}
