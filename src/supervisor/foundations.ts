import { contentKeys } from "./content-keys.ts";
import type { AuditLog, CommittedRow } from "../../audit/log.ts";
import type { VerifyOptions } from "../../audit/verify.ts";
import { contentScope } from "../../vault/credential-change.ts";
import type { Keepers } from "../../vault/protector.ts";
import type { Home } from "../config/home.ts";
import type { CommandGroups } from "../sandbox/group.ts";
import { findingsOnDisks } from "./anchor-disks.ts";
import { AnchorHistory } from "./anchor-history.ts";
import type { Booted } from "./boot.ts";
import { catchUp } from "./catch-up.ts";
import { ConfigFile } from "./config-file.ts";
import { Erasure, type ErasureSteps } from "./erasure.ts";
import { Findings } from "./findings.ts";
import { Holds } from "./holds.ts";
import { KeptRecords } from "./kept-records.ts";
import { Keeping } from "./keeping.ts";
import { type By, People } from "./people.ts";
import { Retention } from "./retention.ts";
import { State } from "./state.ts";
import { type KeychainState, VaultKeeper } from "./vault-keeper.ts";

/** What platforms redeliver is days old at most. */
const SEEN_DAYS = 30;
const DAY_MS = 24 * 3_600_000;

export interface CompositionParts {
  readonly home: Home;
  readonly booted: Booted;
  readonly keepers: Keepers;
  /** @param maxAgeMs how old an answer may be. */
  readonly probe: (maxAgeMs: number) => Promise<KeychainState>;
  readonly pin: () => Promise<NonNullable<VerifyOptions["pin"]>>;
  /** That of `wirken start`, or of a command that runs without the daemon. */
  readonly environment: NodeJS.ProcessEnv;
  /** The operating system's name for the account. */
  readonly owner: string;
  /** False for a command that runs without the daemon: no channel, no page. */
  readonly serve: boolean;
  /** Where the kernel counts what commands use; in a sentence, why nowhere. */
  readonly groups: CommandGroups | string;
  readonly port: number | null;
  readonly since: string;
  readonly line: (role: string, line: string) => void;
  readonly stop: () => void;
}

/** Whom the foundations tell, once the rest stands on them. */
interface Told {
  readonly locking: () => Promise<void>;
  readonly unlocked: () => Promise<void>;
  readonly contentGone: () => void;
  readonly endSession: (session: string, who: By) => Promise<void>;
  readonly configChanged: () => Promise<void>;
  /** There is a finding: whatever runs ends. */
  readonly stop: () => void;
  /** The finding was acknowledged. */
  readonly lifted: () => void;
}

/** What everything else stands on: what is kept, under which keys, and for how long; who the people are; what is configured; whether
 *  the record is sound. */
export interface Foundations {
  readonly state: State;
  readonly keeper: VaultKeeper;
  readonly kept: KeptRecords;
  readonly holds: Holds;
  readonly keeping: Keeping;
  readonly people: People;
  readonly config: ConfigFile;
  readonly findings: Findings;
  readonly history: AnchorHistory;
  /** Messages that a daemon died with, and of which no platform was asked yet. */
  readonly unsent: CommittedRow[];
}

/** Opens the projection, brings it up to the log, and finishes what a crash cut short. */
export async function openFoundations(parts: CompositionParts, told: Told): Promise<Foundations> {
  const { booted, home } = parts;
  const { log, starting } = booted;
  const state = State.open(home.state, booted.vault.stateSealer(), booted.vault.formerStateSealers());
  catchUp(state, log, (line) => parts.line("state", line));
  const keeper = new VaultKeeper({
    vault: booted.vault,
    keepers: parts.keepers,
    log,
    probe: parts.probe,
    locking: told.locking,
    unlocked: told.unlocked,
  });
  const kept = new KeptRecords({
    path: home.kept,
    sealer: () => keeper.vault.sealer(),
    hasKey: (scope) => keeper.vault.hasContentKey(scope),
    contentKey: async (scope) => await keeper.contentKey(scope),
    destroyKey: async (scope) =>
      await keeper.vault.change({ change: "remove", scope: contentScope(scope) }, keeper.recorder(null)),
    lost: (channel, sentence) => parts.line(channel, sentence),
  });
  const holds = new Holds(log, state);
  const steps = stepsOf(log, state, keeper, told.contentGone);
  const erasure = new Erasure({
    log,
    state,
    holds,
    steps,
    endSession: told.endSession,
  });
  const completed = await erasure.complete();
  if (completed > 0) parts.line("audit", `${completed} erasures that a crash cut short were completed`);
  const interrupted = await log.interrupted();
  if (interrupted.length > 0)
    parts.line(
      "audit",
      `${interrupted.length} actions were interrupted by a crash: their effect is unknown, and none is repeated`,
    );
  // A daemon that died again before a platform could be asked left some behind.
  const unsent = state
    .placed("interrupted")
    .flatMap((seq) => log.row(seq) ?? [])
    .filter(({ action }) => action.kind === "message.sent");
  state.forgetSeen(new Date(Date.now() - SEEN_DAYS * DAY_MS).toISOString());
  const config = await ConfigFile.open(home.config, log, starting, told.configChanged);
  await keeper.finishStart(starting);
  const people = new People(
    log,
    state,
    () => Date.now(),
    async (scope) => await keeper.contentKey(scope),
  );
  await people.ensureOwner(parts.owner, log.genesis.by ?? null);
  const history = new AnchorHistory(log, state);
  const findings = new Findings({
    log,
    path: home.audit,
    line: (sentence) => parts.line("audit", sentence),
    stop: told.stop,
    lifted: told.lifted,
    now: () => Date.now(),
  });
  await findings.begin([...booted.findings, ...(await findingsOnDisks(history, log))], starting);
  const retention = new Retention({
    log,
    state,
    holds,
    erasure,
    steps,
    hasKey: (scope) => keeper.vault.hasContentKey(scope),
    days: () => config.config.retention,
    owner: () => people.owner().principal,
    now: () => Date.now(),
    line: parts.line,
  });
  const keeping = new Keeping({ erasure, holds, retention });
  return { state, keeper, kept, holds, keeping, people, config, findings, history, unsent };
}

/** @param gone told after content went. */
function stepsOf(log: AuditLog, state: State, keeper: VaultKeeper, gone: () => void): ErasureSteps {
  const { removal } = log;
  return {
    ...contentKeys(
      () => keeper.vault,
      (cause) => keeper.recorder(cause),
    ),
    removal: {
      parts: (from, to) => removal.parts(from, to),
      delete: async (ids) => {
        const deleted = await removal.delete(ids);
        gone();
        return deleted;
      },
      reseal: async (scopes) => await removal.reseal(scopes),
      truncate: async () => await removal.truncate(),
    },
    state,
  };
}
