import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { TestDaemon } from "../../test/support/daemon.ts";
import type { Figure } from "./figure.ts";
import { InstantModel } from "./instant-model.ts";
import { held } from "./memory.ts";
import { Speaker } from "./speaker.ts";

const EARLY = 1_000;
const LATE = 10_000;
/** A conversation begins anew after so many turns, as people's do. */
const CONVERSATION = 20;
/** After the last turn, so that what a busy time leaves behind is collected: it is looked for every fifteen seconds. */
const SETTLE_MS = 35_000;
const MOST_MORE = 0.1;

/** What the supervisor holds after a thousand turns and after ten thousand: it keeps none of them. */
export async function manyTurnsFigures(): Promise<Figure[]> {
  await using model = await InstantModel.start();
  const config = {
    providers: { instant: { baseUrl: model.baseUrl } },
    agents: { default: { model: "instant/instant" } },
  };
  await using daemon = await TestDaemon.start({ config });
  using speaker = new Speaker(join(daemon.data, "control.sock"), readFileSync(join(daemon.data, "control.token")));
  let turns = 0;
  const until = async (count: number): Promise<number> => {
    for (; turns < count; turns++) {
      model.held.length = 0;
      await speaker.say("default", `hello ${turns}`, { fresh: turns % CONVERSATION === 0 });
    }
    await sleep(SETTLE_MS);
    const [supervisor] = held(daemon.pid);
    return supervisor?.pss ?? Number.NaN;
  };
  const [early, late] = [await until(EARLY), await until(LATE)];
  return [
    {
      what: `memory of the supervisor (PSS) after ${LATE} turns, against after ${EARLY}`,
      measured: `${late.toFixed(1)} MB against ${early.toFixed(1)} MB (${((late / early - 1) * 100).toFixed(1)} %)`,
      budget: "≤ 10 % more",
      met: late <= early * (1 + MOST_MORE),
    },
  ];
}
