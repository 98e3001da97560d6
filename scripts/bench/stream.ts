import { readFileSync } from "node:fs";
import { join } from "node:path";
import { TestDaemon } from "../../test/support/daemon.ts";
import { type Figure, median, ms, spread } from "./figure.ts";
import { InstantModel } from "./instant-model.ts";
import { Speaker } from "./speaker.ts";

const WARM = 20;
const TURNS = 100;
/** The rest of an answer comes so long after its first token: what is measured is not its end. */
const PAUSE_MS = 40;

/** From the model's first token on its socket to the first text on the channel that somebody reads. */
export async function streamFigures(): Promise<Figure[]> {
  await using model = await InstantModel.start();
  model.pause = PAUSE_MS;
  const config = {
    providers: { instant: { baseUrl: model.baseUrl } },
    agents: { default: { model: "instant/instant" } },
  };
  await using daemon = await TestDaemon.start({ config });
  using speaker = new Speaker(join(daemon.data, "control.sock"), readFileSync(join(daemon.data, "control.token")));
  const times: number[] = [];
  for (let one = 0; one < WARM + TURNS; one++) {
    const mark = `#${one}#`;
    let shown = Number.NaN;
    await speaker.say("default", `hello ${mark}`, {
      first: (at) => {
        shown = at;
      },
    });
    if (one >= WARM) times.push(shown - (model.first.get(mark) ?? Number.NaN));
  }
  const p95 = times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.95)] ?? Number.NaN;
  return [
    {
      what: "the model's first token to the channel's, p50",
      measured: `${spread(times, ms)}; p95 ${ms(p95)}`,
      budget: "≤ 30 ms",
      met: median(times) <= 30,
    },
  ];
}
