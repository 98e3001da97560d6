import type { AuditLog } from "../../audit/log.ts";
import { BUNDLED as SHIPPED, shippedTrust } from "../../skills/bundled.ts";
import type { Config } from "../config/schema.ts";
import { usableToolchains } from "../sandbox/toolchains.ts";
import { bundledFiles } from "./bundled-skills.ts";
import type { Fetches } from "./fetches.ts";
import { OperatorError } from "./operator-error.ts";
import type { Processes } from "./processes.ts";
import { SkillDesk } from "./skill-desk.ts";
import { SkillIndexes } from "./skill-indexes.ts";
import { SkillKeys } from "./skill-keys.ts";
import { SkillRoots } from "./skill-roots.ts";
import { SkillUse } from "./skill-use.ts";
import { configOf } from "./in-force.ts";
import { SkillStore } from "./skill-store.ts";
import { Skills } from "./skills.ts";
import type { State } from "./state.ts";
import { Unpacks } from "./unpacks.ts";

interface Given {
  readonly log: AuditLog;
  readonly state: State;
  readonly processes: Processes;
  readonly home: { readonly root: string; readonly skills: string };
  readonly config: () => Config;
  readonly fetches: () => Pick<Fetches, "download">;
  readonly cause: number;
  /** Which skills are in use, or whose, is another now. */
  readonly changed: () => Promise<void>;
}

/** Everything about skills, put together. */
export function skillParts({ log, state, processes, home, config, fetches, cause, changed }: Given): {
  readonly skills: Skills;
  readonly desk: SkillDesk;
  /** As agents use them. */
  readonly use: SkillUse;
  /** What a status says of them. */
  readonly note: string | null;
} {
  const shipped = shippedTrust();
  const keys = new SkillKeys({
    log,
    placed: (what) => state.placed(what),
    shipped: shipped.trust,
    now: () => Date.now(),
  });
  const unpacks = new Unpacks(processes);
  const roots = new SkillRoots({ log, placed: (what) => state.placed(what), unpacks, now: () => Date.now() });
  const skills = new Skills({
    log,
    placed: (what) => state.placed(what),
    keys,
    roots,
    store: new SkillStore(home.skills),
    shipped,
    bundled: { names: SHIPPED, files: bundledFiles },
    now: () => Date.now(),
    changed,
  });
  const download = async (url: string): Promise<Uint8Array> => {
    const found = await fetches().download(url, cause);
    if (typeof found !== "string") return found;
    throw new OperatorError("not-ready", `${new URL(url).hostname} gave no file: ${found}`);
  };
  const desk = new SkillDesk({
    skills,
    keys,
    roots,
    unpacks,
    bundled: bundledFiles,
    download,
    indexes: new SkillIndexes({
      log,
      placed: (what) => state.placed(what),
      config,
      download,
      now: () => Date.now(),
    }),
    toolchains: () => usableToolchains(config().toolchains, home.root),
    changed,
  });
  const use = new SkillUse({
    skills,
    only: (agent) => configOf(config(), agent).skills,
    toolchains: () => usableToolchains(config().toolchains, home.root),
  });
  return { skills, desk, use, note: shipped.note };
}
