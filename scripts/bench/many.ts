import { readFileSync } from "node:fs";
import { join } from "node:path";
import { TestDaemon } from "../../test/support/daemon.ts";
import { type Figure, ms, spread } from "./figure.ts";
import { InstantModel } from "./instant-model.ts";
import { Speaker } from "./speaker.ts";
import { Sync } from "./turn.ts";

/** So many conversations at once, each with an agent's process of its own. They are one person's, of whom four turns run at a time: what waits for its
 *  turn is counted too. */
const CONVERSATIONS = 8;
const WARM = 5;
const TURNS = 40;
const SYNCS = 200;

/** What eight conversations that are all spoken in at once wait for their answers, the model's own time with them. */
export async function manyFigures(): Promise<Figure[]> {
  await using model = await InstantModel.start();
  const names = Array.from({ length: CONVERSATIONS }, (_, at) => `agent-${at}`);
  const config = {
    providers: { instant: { baseUrl: model.baseUrl } },
    agents: Object.fromEntries(names.map((name) => [name, { model: "instant/instant" }])),
  };
  await using daemon = await TestDaemon.start({ config });
  using speaker = new Speaker(join(daemon.data, "control.sock"), readFileSync(join(daemon.data, "control.token")));
  const [first, whole]: [number[], number[]] = [[], []];
  const talk = async (name: string): Promise<void> => {
    for (let one = 0; one < WARM + TURNS; one++) {
      const begun = performance.now();
      let shown = Number.NaN;
      await speaker.say(name, "hello", {
        first: (at) => {
          shown = at - begun;
        },
      });
      if (one < WARM) continue;
      first.push(shown);
      whole.push(performance.now() - begun);
    }
  };
  await Promise.all(names.map(talk));
  // What a turn cannot do without, on this machine as it is.
  using sync = new Sync();
  const syncs: number[] = [];
  for (let one = 0; one < SYNCS; one++) syncs.push(await sync.once());
  return [
    {
      what: `${CONVERSATIONS} conversations at once, from a message to its answer's first text, p99`,
      measured: `${ms(p99(first))}; ${spread(first, ms)}`,
      budget: "≤ 250 ms",
      met: p99(first) <= 250,
    },
    {
      what: "and to the end of the turn, p99",
      measured: `${ms(p99(whole))}; ${spread(whole, ms)}`,
      budget: "≤ 250 ms",
      met: p99(whole) <= 250,
    },
    {
      what: "one sync of two pages, p99",
      measured: `${ms(p99(syncs))}; ${spread(syncs, ms)}`,
      budget: null,
      met: null,
    },
  ];
}

function p99(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? Number.NaN;
}
