import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { AuditLog } from "../../audit/log.ts";
import { People } from "../../src/supervisor/people.ts";
import { State } from "../../src/supervisor/state.ts";
import { type LogKeys, newKeys, openLog, TestClock } from "../broker/real-log.ts";

/** A real log and its projection in a directory of their own, which can be closed and opened again. */
export interface World {
  readonly folder: string;
  readonly clock: TestClock;
  readonly keys: LogKeys;
  log: AuditLog;
  state: State;
  people: People;
  close(): Promise<void>;
  /** As a start does. @param projection another file than the one of before. */
  open(projection?: string): Promise<void>;
}

/** The sealer of these tests makes a key when it is first asked for it. */
async function noKey(): Promise<void> {
  await Promise.resolve();
}

export async function newWorld(): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), "wirken-supervisor-"));
  const clock = new TestClock();
  const keys = newKeys();
  const opened = async (projection: string) => {
    const log = await openLog(join(folder, "audit.db"), clock, keys);
    const state = State.open(join(folder, projection), keys.state);
    state.follow(log);
    return { log, state, people: new People(log, state, () => clock.now(), noKey) };
  };
  let isOpen = true;
  const world: World = {
    folder,
    clock,
    keys,
    ...(await opened("state.db")),
    async close() {
      if (!isOpen) return;
      isOpen = false;
      await world.log.close();
      world.state.close();
    },
    async open(projection = "state.db") {
      Object.assign(world, await opened(projection));
      isOpen = true;
    },
  };
  onTestFinished(async () => await world.close());
  return world;
}
