import { onTestFinished } from "vitest";
import type { Broker } from "../../src/broker/broker.ts";
import { AdapterChannel } from "../../src/ipc/channel.ts";
import { mint } from "../../src/ipc/ids.ts";
import { ApprovalDesk, type DeskParts } from "../../src/supervisor/approval-desk.ts";
import { LocalCarrier } from "../../src/supervisor/local-carrier.ts";
import { People } from "../../src/supervisor/people.ts";
import type { Repeated } from "../../src/supervisor/run-parts.ts";
import type { ConversationRecord } from "../../src/supervisor/state.ts";
import { World } from "../broker/world.ts";

type OpenDirect = ReturnType<DeskParts["channels"]>["openDirect"];

const TELEGRAM = AdapterChannel.parse("telegram");
const DIGEST = "0".repeat(64);

const NOWHERE: OpenDirect = () => Promise.resolve(null);

/** A desk over a real log and a real broker; what would leave on a channel is kept. */
export async function newDesk() {
  const world = await World.make();
  onTestFinished(async () => await world[Symbol.asyncDispose]());
  const { log, state, clock, grants } = world;
  const people = new People(
    log,
    state,
    () => clock.now(),
    () => Promise.resolve(),
  );
  const owner = await people.ensureOwner("Ada");
  const told: string[] = [];
  const repeated: Repeated[] = [];
  const cards: ConversationRecord[] = [];
  let opens = NOWHERE;
  const local = new LocalCarrier();
  const desk = new ApprovalDesk({
    log,
    clock,
    grants,
    state,
    people,
    line: () => undefined,
    repeats: () => broker.repeats,
    channels: () => ({
      local: () => local,
      tell: (_, __, sentence) => {
        told.push(sentence);
        return Promise.resolve();
      },
      card: (record) => {
        cards.push(record);
        return Promise.resolve(["1"]);
      },
      openDirect: (channel, user, principal) => opens(channel, user, principal),
      editCard: () => Promise.resolve(true),
      repeat: (_, __, one) => void repeated.push(one),
    }),
  });
  const broker: Broker = world.brokerWith(desk.approvals);
  const [session, conversation, message, turn] = [mint("session"), mint("conversation"), mint("message"), mint("turn")];
  const by = { agent: "default", principal: owner.principal };
  await log.append(
    { kind: "conversation.opened", conversation, channel: TELEGRAM, talk: "direct" },
    { cause: null, content: { place: "42\n" } },
  );
  await log.append(
    { kind: "session.opened", session, conversation, channel: TELEGRAM, agent: "default" },
    { cause: null },
  );
  const received = await log.append(
    { kind: "message.received", message, session, conversation, channel: TELEGRAM, principal: owner.principal },
    { cause: null, content: { text: "write it" } },
  );
  const started = await log.append(
    { kind: "turn.started", turn, session, message, ...by, policy: DIGEST, settings: DIGEST },
    { cause: received.seq },
  );
  const context = { ...world.turn({ channel: TELEGRAM }), turn, session, conversation, ...by, cause: started.seq };
  const opening = (given: OpenDirect): void => {
    opens = given;
  };
  return { world, desk, cards, opening, broker, owner, told, repeated, context, message, started: started.seq };
}
