import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { TestDaemon } from "../../test/support/daemon.ts";
import { type Figure, median, ms, ratio, spread, timed } from "./figure.ts";
import { InstantModel } from "./instant-model.ts";
import { Speaker } from "./speaker.ts";

/** Conversations that are so many turns long. */
const LENGTHS = [10, 50, 200] as const;
/** Turns that are measured at each length, small ones: they make the conversation hardly longer. */
const MEASURED = 40;
/** Bytes of each message, as people write with a file in it. */
const MESSAGE = 4_000;

const PROSE = readFileSync(join(import.meta.dirname, "../../README.md"), "utf8");

const agent = (turns: number): string => `turns-${turns}`;

interface Cost {
  readonly ours: number;
  readonly bytes: number;
}

/** What a turn costs against how long its conversation is: at most a + b·bytes of its request, b twice what it takes to write and hash them. The three
 *  conversations are spoken in by turns, so that a busy machine makes none of them longer than the others. */
export async function lengthFigures(): Promise<Figure[]> {
  await using model = await InstantModel.start();
  const config = {
    providers: { instant: { baseUrl: model.baseUrl } },
    // Nothing is left out of a request for its length.
    models: { "instant/instant": { window: 10_000_000 } },
    agents: Object.fromEntries(LENGTHS.map((turns) => [agent(turns), { model: "instant/instant" }])),
  };
  await using daemon = await TestDaemon.start({ config });
  using speaker = new Speaker(join(daemon.data, "control.sock"), readFileSync(join(daemon.data, "control.token")));
  const say = async (turns: number, text: string): Promise<Cost> => {
    model.held.length = 0;
    const took = await timed(async () => await speaker.say(agent(turns), text));
    const held = model.held.reduce((sum, one) => sum + one.ms, 0);
    return { ours: took - held, bytes: model.held.reduce((sum, one) => sum + one.bytes, 0) };
  };
  for (const turns of LENGTHS)
    for (let one = 0; one < turns; one++) await say(turns, `${one} ${PROSE.slice(0, MESSAGE)}`);
  const costs = new Map<number, Cost[]>(LENGTHS.map((turns) => [turns, []]));
  for (let one = 0; one < MEASURED; one++)
    for (const turns of LENGTHS) costs.get(turns)?.push(await say(turns, "hello"));
  const at = (turns: number): Cost => {
    const all = costs.get(turns) ?? [];
    return { ours: median(all.map(({ ours }) => ours)), bytes: median(all.map(({ bytes }) => bytes)) };
  };
  const [short, , long] = LENGTHS;
  const yard = await yardstick(at(long).bytes);
  const slope = (at(long).ours - at(short).ours) / (at(long).bytes - at(short).bytes);
  return [
    ...LENGTHS.map((turns) => ({
      what: `a turn after ${turns} others, its request ${Math.round(at(turns).bytes / 1_000)} KB`,
      measured: spread(
        (costs.get(turns) ?? []).map(({ ours }) => ours),
        ms,
      ),
      budget: null,
      met: null,
    })),
    {
      what: "what each byte of the request adds, against JSON.stringify + SHA-256 of it",
      measured: `${ratio(slope / yard)}; ${ms(slope * 1e6)} against ${ms(yard * 1e6)} a megabyte`,
      budget: "≤ 2 ×",
      met: slope <= 2 * yard,
    },
  ];
}

/** Milliseconds that a byte takes to be written as JSON and hashed, where there are so many. */
async function yardstick(bytes: number): Promise<number> {
  const count = Math.max(1, Math.round(bytes / MESSAGE));
  const request = { messages: Array.from({ length: count }, () => ({ role: "user", text: PROSE.slice(0, MESSAGE) })) };
  const times: number[] = [];
  for (let one = 0; one < 51; one++)
    times.push(await timed(() => createHash("sha256").update(JSON.stringify(request)).digest("hex")));
  return median(times) / Buffer.byteLength(JSON.stringify(request));
}
