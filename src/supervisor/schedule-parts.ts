import type { AuditLog } from "../../audit/log.ts";
import { SessionId } from "../ipc/ids.ts";
import type { Channels } from "./channels.ts";
import type { Halts } from "./halts.ts";
import type { People } from "./people.ts";
import { ScheduleDesk } from "./schedule-desk.ts";
import { Schedules } from "./schedules.ts";
import type { State } from "./state.ts";

export interface ScheduleParts {
  readonly log: AuditLog;
  readonly state: State;
  readonly people: People;
  readonly halts: Halts;
  readonly channels: () => Channels;
  readonly knowsAgent: (agent: string) => boolean;
  readonly contentKey: (scope: string) => Promise<void>;
  readonly line: (sentence: string) => void;
  /** False for a command that runs without the daemon: nothing is begun then. */
  readonly serve: boolean;
}

/** What is done at its times, and how people plan it. */
export function schedulesWith(parts: ScheduleParts): { readonly schedules: Schedules; readonly desk: ScheduleDesk } {
  const { log, state, people, halts, channels, knowsAgent, contentKey, line, serve } = parts;
  const openIn = (conversation: string, agent: string): string => state.openSession(conversation, agent)?.session ?? "";
  const schedules = new Schedules({
    log,
    state,
    now: Date.now,
    line,
    begin: async (run) => (serve ? await channels().scheduled(run) : null),
    halted: ({ agent, conversation }) => halts.over(agent, openIn(conversation, agent)),
    tell: async (place, sentence, cause) => {
      const session = state.openSession(place.conversation, "default")?.session;
      await channels().tell(place, session === undefined ? null : SessionId.parse(session), sentence, cause);
    },
  });
  const desk = new ScheduleDesk({
    log,
    state,
    people,
    schedules,
    knowsAgent,
    contentKey,
    now: Date.now,
    local: async (channel, agent, principal) => await channels().localConversation(channel, agent, principal),
  });
  return { schedules, desk };
}
