import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Role } from "../confine/role.ts";
import type { Reach } from "./reach-list.ts";

/** Who is to have a lane. */
export interface Holder {
  readonly role: Role;
  /** Which of its kind: a channel, a provider, an anchor. */
  readonly subject: string | null;
  /** Asked when the lane is bound, and again whenever something changed. */
  readonly reach: () => Reach;
  /** The egress process is gone, or another is to be used: the holder is started again, and nothing of it counts as its failure.
   *  `gone`: it had ended just before, most likely because of that. */
  lost(how: { gone: boolean }): void;
}

/** What a lane needs to know of the process that has it. */
export interface LaneHolder {
  readonly id: string;
  readonly seq: number;
  readonly ended: Promise<unknown>;
}

/** The way out of one process: bound to its list, handed out once, over when its holder is. */
export interface Lane {
  /** This process's end, to be given to the holder and destroyed within the same turn. @throws {LaneError} if it is not as it was made. */
  take(): Duplex;
  /** The holder runs. */
  held(by: LaneHolder): void;
  /** It is not handed out after all. */
  end(): void;
}

/** Where processes get their lanes. */
export interface LaneSource {
  /** A lane that is bound to the holder's list. @throws {LaneError} if there is none to be had. */
  lane(holder: Holder): Promise<Lane>;
}

export class LaneError extends Error {
  override readonly name = "LaneError";
  /** `LANE_NO_EGRESS`: the egress process does not start or does not answer. `LANE_TOUCHED`: what came on this lane would be lost. */
  readonly code: "LANE_NO_EGRESS" | "LANE_TOUCHED";
  constructor(code: LaneError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Whether an end of a spare lane is as it was made: open, and nothing was read from it, which would be lost to whoever gets it. */
export function isUntouched(end: Duplex): boolean {
  return end instanceof Socket && !end.destroyed && end.readable && end.writable && end.bytesRead === 0;
}
