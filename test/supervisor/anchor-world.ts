import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { AuditLog } from "../../audit/log.ts";
import { AnchorHistory } from "../../src/supervisor/anchor-history.ts";
import { State } from "../../src/supervisor/state.ts";
import { newKeys } from "../broker/real-log.ts";
import { ownFolder } from "../support/folder.ts";

/** What a log says of its anchors, read by way of a projection of its own as at a start. */
export function historyOf(log: AuditLog): AnchorHistory {
  const state = State.open(join(ownFolder(), "state.db"), newKeys().state);
  onTestFinished(() => state.close());
  state.follow(log);
  return new AnchorHistory(log, state);
}
