import type { AuditLog, FactOf } from "../../audit/log.ts";
import type { Grants } from "../broker/grants.ts";
import type { BackgroundCommands } from "../effect/background.ts";
import type { ApprovalDesk } from "./approval-desk.ts";
import type { Channels } from "./channels.ts";
import type { Folders } from "./folders.ts";
import type { By, People } from "./people.ts";
import { enrolledBy, PeopleDesk } from "./people-desk.ts";
import { PersonChanges } from "./person-changes.ts";
import { PersonExport } from "./person-export.ts";
import { PersonTransfer } from "./person-transfer.ts";
import { PersonRemoval } from "./person-removal.ts";
import type { Schedules } from "./schedules.ts";
import type { State } from "./state.ts";
import type { VaultKeeper } from "./vault-keeper.ts";
import type { WebDoor } from "./web-door.ts";

export interface PeopleParts {
  readonly log: AuditLog;
  readonly state: State;
  readonly people: People;
  readonly grants: Grants;
  readonly approvals: ApprovalDesk;
  readonly keeper: VaultKeeper;
  readonly schedules: Schedules;
  readonly folders: Folders;
  /** The data directory. */
  readonly home: string;
  readonly channels: () => Channels;
  /** Those that run in the background. */
  readonly commands: Pick<BackgroundCommands, "endWhere">;
  /** Null where no page is served. */
  readonly web: () => WebDoor | null;
}

/** What the owner may ask about people, over everything in which somebody can have a part. */
export function peopleDeskOf(parts: PeopleParts): PeopleDesk {
  const { log, state, people, grants, approvals, keeper, schedules, folders, home, channels, commands, web } = parts;
  const cut = (principal: string, who: By, channel?: string | null): FactOf[] => {
    void commands.endWhere({ principal });
    return channels().cutOf(principal, who, channel);
  };
  const enrolled = async (principal: string) =>
    await enrolledBy(
      log,
      principal,
      keeper.vault.credentials().map(({ scope }) => scope),
    );
  return new PeopleDesk({
    people,
    grants,
    enrolled,
    schedules: (principal) => state.schedules().filter((record) => record.principal === principal).length,
    running: (principal) => channels().runningFor(principal),
    changes: new PersonChanges({
      log,
      state,
      people,
      grants,
      cut,
      contentKey: async (scope) => await keeper.contentKey(scope),
    }),
    exporting: new PersonExport({ log, state, home }),
    transfer: new PersonTransfer({
      log,
      state,
      people,
      grants,
      schedules,
      folders,
      contentKey: async (scope) => await keeper.contentKey(scope),
    }),
    removal: new PersonRemoval({
      log,
      people,
      enrolled,
      holdings: {
        turns: cut,
        approvals: (principal) => approvals.approvals.withdrawOf(principal),
        grants: (principal, who) => grants.takeOf(principal, who),
        schedules: (principal, who) => schedules.pauseOf(principal, who),
        logins: () => web()?.endAll() ?? [],
      },
    }),
  });
}
