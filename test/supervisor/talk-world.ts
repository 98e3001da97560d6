import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { Refusals } from "../../audit/refused.ts";
import { AdapterChannel } from "../../src/ipc/channel.ts";
import { type Carrier, withLink } from "../../src/session/link.ts";
import { AgentPool } from "../../src/supervisor/agent-pool.ts";
import { Compactor } from "../../src/supervisor/compactor.ts";
import { ContextWindows } from "../../src/supervisor/context-windows.ts";
import { ChannelTalk } from "../../src/supervisor/channel-talk.ts";
import { MessageFiles } from "../../src/supervisor/message-files.ts";
import { People } from "../../src/supervisor/people.ts";
import type { Unwelcome } from "../../src/supervisor/run-parts.ts";
import { Processes } from "../../src/supervisor/processes.ts";
import { type Person, State } from "../../src/supervisor/state.ts";
import { World } from "../broker/world.ts";
import { NOTHING_MORE } from "../support/carrier.ts";

const TELEGRAM = AdapterChannel.parse("telegram");
const OWNER = "42";
const DIGEST = "0".repeat(64);

/** An agent as far as its pipe shows it: it takes turns, and ends each when it is told to. */
class SilentAgent {
  /** What it was given, turn by turn. */
  readonly turns: string[] = [];
  /** The heads of its turns, as JSON. */
  readonly heads: string[] = [];
  #end: () => void = () => undefined;
  readonly once: Processes["once"] = (spec) => {
    this.#end = () => spec.hear(spec.accepts.parse({ type: "turn.end", reason: "done" }), new Uint8Array());
    return Promise.resolve({
      send: (header, payload = new Uint8Array()) => {
        if (header.type === "turn") {
          this.turns.push(Buffer.from(payload).toString("utf8"));
          this.heads.push(JSON.stringify(header));
        }
        return Promise.resolve();
      },
      end: () => undefined,
      stop: () => Promise.resolve(),
    });
  };
  /** It is done with its turn. */
  done(): void {
    this.#end();
  }
}

const noKey = (): Promise<void> => Promise.resolve();

const inForce = () => ({
  agent: "default",
  policy: DIGEST,
  settings: DIGEST,
  provider: "offline",
  model: "offline",
  rounds: 20,
  outputTokens: 1_000,
  setupBytes: 100,
  local: true,
  turnMs: 60_000,
  tools: new Set<string>(),
});

type Inbound = Parameters<ChannelTalk<symbol>["receive"]>[0];
type Changed = Parameters<ChannelTalk<symbol>["change"]>[0];

/** A channel with its owner, over a real log whose clock can be moved. What is written here is answered without an agent.
 *  @param given who answers in a conversation, and why somebody may not talk to an agent. */
export async function newTalk(
  given: {
    readonly agent?: (conversation: string | null) => string;
    readonly refusal?: (agent: string, person: Person) => Unwelcome | null;
  } = {},
) {
  const world = await World.make();
  const state = State.open(join(world.home, "state.db"), world.keys.state);
  const { log, clock } = world;
  state.follow(log);
  const people = new People(log, state, () => clock.now(), noKey);
  const agent = new SilentAgent();
  const processes = new Processes({
    log,
    vault: () => {
      throw new Error("no process is started here");
    },
    line: () => undefined,
    certificates: () => null,
    lanes: { lane: () => Promise.reject(new Error("nothing is reached here")) },
  });
  processes.once = agent.once;
  const pool = new AgentPool(
    processes,
    () => Promise.resolve(new Uint8Array(0)),
    noKey,
    () => clock.now(),
  );
  const windows = new ContextWindows(() => null);
  const refusals = new Refusals(log, clock);
  /** What is to be read on the channel. */
  const shown: string[] = [];
  const marks: (string | null)[] = [];
  const files = new Map<string, Uint8Array>();
  const carrier: Carrier = {
    ...NOTHING_MORE,
    send: (_, { text }) => {
      shown.push(Buffer.from(text).toString("utf8"));
      return Promise.resolve({ state: "delivered", ids: [] });
    },
    edit: () => Promise.resolve({ state: "delivered", ids: [] }),
    react: (_, message, mark) => marks.push(`${message} ${mark ?? "unmarked"}`),
    file: (handle) => {
      const bytes = files.get(handle);
      return Promise.resolve(
        bytes === undefined
          ? { state: "failed", reason: "gone", error: "it was deleted" }
          : { state: "fetched", bytes },
      );
    },
    streams: false,
    stream: () => null,
  };
  const talk = withLink(TELEGRAM, carrier, (link) => {
    const made = new ChannelTalk(link, {
      log,
      state,
      people,
      refusals,
      agent: given.agent ?? (() => "default"),
      contentKey: noKey,
      decide: () => Promise.resolve({ state: "gone", sentence: "" }),
      again: () => Promise.resolve({ again: false, sentence: "" }),
      now: () => clock.now(),
      run: (name) => ({
        log,
        state,
        broker: world.broker,
        pool,
        inForce,
        renew: noKey,
        refusal: (person) => given.refusal?.(name, person) ?? null,
        instructed: () => Promise.resolve({ text: "", notices: [] }),
        spawner: () => () => Promise.reject(new Error("this test starts no agent")),
        place: () => ({ workspace: world.workspace, folders: [] }),
        labels: (session) => world.labels.of(session),
        halted: () => false,
        tell: () => undefined,
        windows,
        compactor: new Compactor({ log, state, broker: world.broker, windows, over: noKey }),
        files: new MessageFiles({
          log,
          ours: { home: world.home, executable: process.execPath },
          labels: world.files,
        }),
      }),
      waitingFor: () => 0,
      schedules: () => [],
      notice: () => "",
    });
    return { receive: made.receive.bind(made), change: made.change.bind(made) };
  });
  onTestFinished(async () => {
    state.close();
    await world[Symbol.asyncDispose]();
  });
  const { principal: by } = await people.ensureOwner("Ada");
  const { code } = await people.invite(TELEGRAM, { by, via: "terminal" });
  /** @param sender the platform's id of whoever writes, in direct talk with them. */
  const say = async (text: string, sender = OWNER, more: Partial<Inbound> = {}): Promise<string> => {
    const where = { place: sender, thread: null, sender, senderName: `person ${sender}`, talk: "direct" } as const;
    await talk.receive({ type: "inbound", ref: 1, ...where, dedupe: randomUUID(), ...more }, Buffer.from(text));
    const action = world.rows("message.received").at(-1)?.action;
    return action?.kind === "message.received" ? action.session : "";
  };
  await say(`/start ${code}`);
  /** They change or delete what they wrote. */
  const change = async (message: string, text: string | null, more: Partial<Changed> = {}): Promise<void> => {
    const what = text === null ? "deleted" : "edited";
    const where = { place: OWNER, thread: null, sender: OWNER, dedupe: randomUUID() } as const;
    await talk.change({ type: "changed", ref: 2, ...where, message, change: what, ...more }, Buffer.from(text ?? ""));
  };
  return { world, say, change, clock, state, people, agent, shown, marks, files };
}
