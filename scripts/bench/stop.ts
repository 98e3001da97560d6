import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { TestDaemon } from "../../test/support/daemon.ts";
import { sleepers } from "../../test/support/sleeping-command.ts";
import { type Figure, ms, spread } from "./figure.ts";
import { Speaker } from "./speaker.ts";

/** As many turns as agents run at once, each with a command that would go on for an hour. */
const AGENTS = 4;
/** A stop has to have ended everything by then, in milliseconds. */
const BUDGET_MS = 1_000;
/** A command that is not there by then does not come. */
const PATIENCE_MS = 60_000;

/** No other program sleeps so long: each command is found by that. */
function secondsOf(agent: number): string {
  return `${3_700 + agent}.${process.pid}`;
}

/** Programs that keep every processor busy, until they are ended. */
function load(): Disposable {
  const busy = Array.from({ length: availableParallelism() }, () =>
    spawn(process.execPath, ["-e", "for (;;);"], { stdio: "ignore" }),
  );
  return {
    [Symbol.dispose]() {
      for (const child of busy) child.kill("SIGKILL");
    },
  };
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (const end = performance.now() + PATIENCE_MS; !holds(); await delay(2))
    if (performance.now() > end) throw new Error(`not in time: ${what}`);
}

/** From the word to stop until the command is gone and its turn has ended, one turn after the other, while all processors and the other turns are busy. */
export async function stopFigures(): Promise<Figure[]> {
  const names = Array.from({ length: AGENTS }, (_, nth) => (nth === 0 ? "default" : `agent${nth}`));
  const config = { agents: Object.fromEntries(names.map((name) => [name, {}])) };
  await using daemon = await TestDaemon.start({ config });
  using speaker = new Speaker(join(daemon.data, "control.sock"), readFileSync(join(daemon.data, "control.token")));
  const turns = names.map(async (name, nth) => await speaker.say(name, `run sleep ${secondsOf(nth)}`));
  // Awaited one by one; one that fails before its turn comes is told then.
  for (const turn of turns) turn.catch(() => undefined);
  await until("every command", () => names.every((_, nth) => sleepers(secondsOf(nth)) > 0));
  using _ = load();
  await delay(500);
  const took: number[] = [];
  for (const [nth, agent] of names.entries()) {
    const begun = performance.now();
    await speaker.call({ call: "session.stop", session: null, agent });
    await until("a command gone", () => sleepers(secondsOf(nth)) === 0);
    await turns[nth];
    took.push(performance.now() - begun);
  }
  const slowest = Math.max(...took);
  return [
    {
      what: `stop of one of ${AGENTS} turns, all processors busy`,
      measured: `${spread(took, ms)}, at most ${ms(slowest)}`,
      budget: `at most ${BUDGET_MS} ms`,
      met: slowest <= BUDGET_MS,
    },
  ];
}
