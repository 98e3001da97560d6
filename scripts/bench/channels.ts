import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { FromAdapter, type ToAdapter } from "../../src/ipc/adapter-frames.ts";
import { OWN_LANE } from "../../src/ipc/egress-frames.ts";
import { spawnChild } from "../../src/supervisor/child.ts";
import { TestDaemon, WIRKEN } from "../../test/support/daemon.ts";
import { loopbackLane } from "../../test/support/connect-server.ts";
import { type BenchedChannel, type ChannelPlace, PLACES } from "./channel-places.ts";
import { type Figure, ms, spread } from "./figure.ts";
import { held } from "./memory.ts";

/** An adapter connected to its platform's test server, as a process of its own behind its lane: how long until it is connected, what it holds when idle,
 *  how long a message takes in and out again, and whether all of them come, once and in order. Its messages are acknowledged and answered at once:
 *  the log and the agent are measured elsewhere. */

const STARTS = 5;
/** After the last message, so that what a busy time leaves behind is collected: it is looked for every fifteen seconds. */
const SETTLE_MS = 35_000;
const ALONE = 100;
/** So many messages a second, for so long. */
const PER_SECOND = 100;
const SECONDS = 60;
/** What has not come when nothing came for so long is lost. */
const QUIET_MS = 60_000;

interface Running extends AsyncDisposable {
  readonly pid: number;
  /** Milliseconds from its start until it was connected. */
  readonly connectedMs: number;
  /** Answers that the platform did not take, or did not say that it did. */
  readonly untaken?: () => readonly string[];
}

async function adapter({ platform }: BenchedChannel, place: ChannelPlace): Promise<Running> {
  const begun = performance.now();
  const connected = Promise.withResolvers<number>();
  let sent = 0;
  const untaken: string[] = [];
  const child = spawnChild<FromAdapter, ToAdapter>({
    role: "adapter",
    args: [platform],
    accepts: FromAdapter,
    on: {
      frame: (frame, payload) => {
        if (frame.type === "state" && frame.state === "connected") connected.resolve(performance.now() - begun);
        if (frame.type === "undelivered") untaken.push(`${frame.reason}: ${Buffer.from(payload).toString("utf8")}`);
        // What is to be kept is on a disk first, elsewhere too.
        if (frame.type === "store") setImmediate(() => void child.send({ type: "stored", ref: frame.ref }));
        if (frame.type !== "inbound") return;
        sent += 1;
        void child.send({ type: "acknowledged", ref: frame.ref, again: false });
        void child.send(
          {
            type: "send",
            ref: sent,
            place: frame.place,
            thread: frame.thread,
            style: "plain",
            card: null,
            replyTo: null,
          },
          Uint8Array.from(payload),
        );
      },
      exit: () => connected.reject(new Error(`the adapter of ${platform} ended`)),
    },
    log: () => undefined,
    stop: { type: "stop" },
    extraStdio: ["pipe"],
    image: { command: WIRKEN, args: [] },
  });
  loopbackLane(child.extra(OWN_LANE));
  for (const [name, value] of Object.entries(place.secrets))
    void child.send({ type: "secret", name }, Buffer.from(value));
  void child.send({ type: "start", check: false, cursor: null, apiRoot: place.apiRoot });
  const connectedMs = await connected.promise;
  connected.promise.catch(() => undefined);
  return {
    pid: child.pid ?? 0,
    connectedMs,
    untaken: () => untaken,
    [Symbol.asyncDispose]: async () => void (await child.kill()),
  };
}

async function bare({ platform }: BenchedChannel, place: ChannelPlace): Promise<Running> {
  const begun = performance.now();
  const program = join(import.meta.dirname, "channel-bare.ts");
  const child = spawn(process.execPath, [program, platform, place.apiRoot, JSON.stringify(place.secrets)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line === "ready") resolve();
    });
    child.once("exit", () => reject(new Error(`the bare program of ${platform} ended`)));
  });
  const connectedMs = performance.now() - begun;
  return {
    pid: child.pid ?? 0,
    connectedMs,
    [Symbol.asyncDispose]: async () => {
      child.removeAllListeners("exit");
      child.kill("SIGKILL");
      await new Promise<void>((resolve) => child.once("close", resolve));
    },
  };
}

/** MB. What it shares with the other processes of the product is counted whole here, where it runs alone. */
function memoryOf(pid: number): string {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const of = (name: string): string =>
    (Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(rollup)?.[1] ?? Number.NaN) / 1024).toFixed(1);
  return `${of("Anonymous")} MB private (alone: PSS ${of("Pss")}, RSS ${of("Rss")})`;
}

/** Milliseconds that a process was ready to run and had no processor. */
function waited(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[1] ?? Number.NaN) / 1e6;
}

interface Took {
  readonly ms: number;
  /** Without what the machine made it and us wait for a processor. */
  readonly ownMs: number;
}

/** One after the other. @returns how long it took from when each was written until its answer was to be read. */
async function alone(place: ChannelPlace, pid: number): Promise<Took[]> {
  const took: Took[] = [];
  const idle = (): number => waited(pid) + waited(process.pid);
  for (let nth = 0; nth < ALONE; nth += 1) {
    const before = place.shown().length;
    const idled = idle();
    const begun = performance.now();
    place.write(0, `alone ${nth}`);
    while (place.shown().length === before) await sleep(0);
    const whole = performance.now() - begun;
    took.push({ ms: whole, ownMs: Math.max(0, whole - (idle() - idled)) });
  }
  return took;
}

interface Flood {
  readonly sent: number;
  readonly lost: number;
  readonly doubled: number;
  readonly disordered: number;
  /** Until the last was answered. */
  readonly seconds: number;
}

async function flood(place: ChannelPlace, { conversations }: BenchedChannel): Promise<Flood> {
  const from = place.shown().length;
  const sent = PER_SECOND * SECONDS;
  const begun = performance.now();
  for (let nth = 0; nth < sent; ) {
    const due = Math.min(sent, Math.floor(((performance.now() - begun) / 1_000) * PER_SECOND));
    for (; nth < due; nth += 1) place.write(nth % conversations, `${nth % conversations} ${nth}`);
    await sleep(5);
  }
  const took = (): number => (performance.now() - begun) / 1_000;
  let [came, last] = [0, performance.now()];
  while (came < sent && performance.now() - last < QUIET_MS) {
    await sleep(50);
    const now = place.shown().length - from;
    if (now > came) [came, last] = [now, performance.now()];
  }
  const seconds = took();
  const seen = new Set<string>();
  const newest = new Map<string, number>();
  let [doubled, disordered] = [0, 0];
  for (const { text } of place.shown().slice(from)) {
    const [where = "", number = ""] = text.split(" ");
    if (seen.has(text)) doubled += 1;
    seen.add(text);
    if (Number(number) < (newest.get(where) ?? -1)) disordered += 1;
    newest.set(where, Number(number));
  }
  return { sent, lost: sent - seen.size, doubled, disordered, seconds };
}

function at(values: readonly Took[], what: keyof Took, share: number): number {
  const sorted = values.map((one) => one[what]).toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function latency(took: readonly Took[]): string {
  const of = (what: keyof Took): string => `p50 ${ms(at(took, what, 0.5))}, p99 ${ms(at(took, what, 0.99))}`;
  return `${of("ms")} (${of("ownMs")} without waits for a processor)`;
}

async function figuresOf(channel: BenchedChannel): Promise<Figure[]> {
  const { platform } = channel;
  const measured = (what: string, text: string): Figure => ({
    what: `${platform}: ${what}`,
    measured: text,
    budget: null,
    met: null,
  });
  const starts: number[] = [];
  for (let run = 0; run < STARTS; run += 1) {
    await using place = await channel.start();
    await using running = await adapter(channel, place);
    starts.push(running.connectedMs);
  }
  await using place = await channel.start();
  await using running = await adapter(channel, place);
  const ours = await alone(place, running.pid);
  await sleep(SETTLE_MS);
  const idle = memoryOf(running.pid);
  const came = await flood(place, channel);
  await using plain = await channel.start();
  await using sdk = await bare(channel, plain);
  const theirs = await alone(plain, sdk.pid);
  await sleep(SETTLE_MS);
  const bareIdle = memoryOf(sdk.pid);
  const good = came.lost + came.doubled + came.disordered === 0;
  return [
    measured("start to connected", spread(starts, ms)),
    measured("the same, the bare SDK", ms(sdk.connectedMs)),
    measured("idle memory, alone, PSS", idle),
    measured("the same, the bare SDK", bareIdle),
    measured("a message in and its answer out", latency(ours)),
    measured("the same, the bare SDK", latency(theirs)),
    measured(
      "added by what is ours, waits for a processor left out",
      `p50 ${ms(at(ours, "ownMs", 0.5) - at(theirs, "ownMs", 0.5))}, p99 ${ms(at(ours, "ownMs", 0.99) - at(theirs, "ownMs", 0.99))}`,
    ),
    {
      what: `${platform}: ${PER_SECOND} messages a second for ${SECONDS} s`,
      measured: `${came.sent} sent, ${came.lost} lost, ${came.doubled} doubled, ${came.disordered} out of order; the last was answered after ${came.seconds.toFixed(0)} s${untakenText(running)}`,
      budget: "none lost, doubled or out of order",
      met: good,
    },
  ];
}

/** What an adapter may hold when idle, MB of its proportional set size. */
const BUDGET_MB: Readonly<Record<BenchedChannel["platform"], number>> = {
  telegram: 45,
  signal: 45,
  slack: 45,
  discord: 60,
  matrix: 90,
};

/** All of them in one daemon, as the product runs them: what they share is counted once over all that share it. */
async function togetherFigures(): Promise<Figure[]> {
  await using stack = new AsyncDisposableStack();
  const places = new Map<string, ChannelPlace>();
  for (const channel of PLACES) places.set(channel.platform, stack.use(await channel.start()));
  const channels = Object.fromEntries([...places].map(([platform, { apiRoot }]) => [platform, { apiRoot }]));
  const environment = { WIRKEN_VAULT_PASSPHRASE: "a passphrase of the bench" };
  const daemon = stack.use(await TestDaemon.start({ config: { channels }, environment }));
  for (const [platform, { secrets }] of places) {
    const stdin = `${Object.values(secrets).join("\n")}\n`;
    const added = await daemon.wirken(["vault", "add", platform, "--stdin", "--no-check"], { stdin });
    if (added.status !== 0) throw new Error(`cannot enrol ${platform}: ${added.stderr}`);
  }
  await sleep(SETTLE_MS);
  return held(daemon.pid).flatMap(({ name, pss }) => {
    const platform = PLACES.find((one) => name === `adapter ${one.platform}`)?.platform;
    if (platform === undefined) return [];
    const most = BUDGET_MB[platform];
    return {
      what: `${platform}: idle memory in a daemon with all of them, PSS`,
      measured: `${pss.toFixed(1)} MB`,
      budget: `≤ ${most} MB`,
      met: pss <= most,
    };
  });
}

/** What is told of an answer is told once: sending it again is the supervisor's, which is not here. */
function untakenText({ untaken = () => [] }: Running): string {
  const [first] = untaken();
  return first === undefined ? "" : `; ${untaken().length} were not taken (${first.slice(0, 80)})`;
}

export async function channelFigures(): Promise<Figure[]> {
  const figures: Figure[] = await togetherFigures();
  for (const channel of PLACES) figures.push(...(await figuresOf(channel)));
  return figures;
}
