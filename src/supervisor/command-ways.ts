import type { OpenWay, WayFor, WayPort } from "../effect/way-port.ts";
import { SandboxError } from "../sandbox/command.ts";
import type { LaneSource } from "./egress-lane.ts";
import { commandReach } from "./reach-list.ts";

export interface CommandWaysParts {
  readonly lanes: LaneSource;
  /** The executable whose role `relay` stands between programs and their lane; null: this build has none. */
  readonly executable: string | null;
  /** Hosts that the operator allows to lie in a network of their own. */
  readonly local: () => readonly string[];
}

/** A lane of its own for every command that was allowed to reach something, with exactly that on its list. */
export class CommandWays implements WayPort {
  readonly #parts: CommandWaysParts;

  constructor(parts: CommandWaysParts) {
    this.#parts = parts;
  }

  async open(hosts: readonly string[], what: WayFor): Promise<OpenWay> {
    const { lanes, executable, local } = this.#parts;
    if (executable === null)
      throw new SandboxError("only the executable has a relay for commands: build it, and run that");
    const over = Promise.withResolvers<void>();
    try {
      const lane = await lanes.lane({
        role: "relay",
        subject: null,
        reach: () => commandReach(hosts, local(), what.seq),
        // A running program cannot be given another lane: it finds nothing at the end of this one.
        lost: () => undefined,
      });
      return {
        way: {
          get lane() {
            const end = lane.take();
            lane.held({ id: what.call, seq: what.seq, ended: over.promise });
            return end;
          },
          executable,
        },
        end: () => {
          over.resolve();
          lane.end();
        },
      };
    } catch (cause) {
      throw new SandboxError("there is no way out for a command now", { cause });
    }
  }
}
