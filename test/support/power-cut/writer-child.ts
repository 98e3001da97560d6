import { openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { BootLog } from "../../../audit/log.ts";
import { anId, recordTurn, type TestLog } from "../audit-fixture.ts";
import { ed25519Signer, HandClock, ScopedSealer } from "../audit-ports.ts";

/** Writes a log as a daemon would, with turns side by side, large content, checkpoints, a change of keys and a second start, and puts every row that
 *  is acknowledged into the file `acknowledged`, as `seq at kind`. A row that is refused stands there as `- code`. */

const [folder = "", origin = "", seed = "", nextSeed = "", turns = "0"] = process.argv.slice(2);
const path = join(folder, "audit.db");
const clock = new HandClock();
const sealer = new ScopedSealer();
const signer = ed25519Signer(origin, Buffer.from(seed, "hex"));
const next = ed25519Signer(origin, Buffer.from(nextSeed, "hex"));
const acknowledged = openSync(join(folder, "acknowledged"), "ax");

function say(line: string): void {
  writeSync(acknowledged, `${line}\n`);
}

function watched(test: TestLog): TestLog {
  test.log.follow(test.log.size - 1, ({ seq, at, action }) => say(`${seq} ${at} ${action.kind}`));
  return test;
}

/** What a daemon does when its log refuses: it does nothing, and asks again a second later, when a log that was full looks for room again. */
async function attempt(step: () => Promise<unknown>): Promise<void> {
  try {
    await step();
  } catch (error) {
    say(`- ${error instanceof Error && "code" in error ? String(error.code) : String(error)}`);
    clock.pass(1_000);
  }
}

async function work(test: TestLog, count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 3) {
    await attempt(() => Promise.all([recordTurn(test), recordTurn(test), recordTurn(test)]));
    if (turn % 12 === 6) await attempt(() => test.log.checkpoint("demand"));
    if (turn % 12 === 9) await attempt(() => large(test));
  }
}

/** Enough for the database to take in its write-ahead log now and then. */
async function large({ log }: TestLog): Promise<void> {
  const received = { message: anId("m"), session: anId("s"), conversation: anId("c"), principal: anId("p") };
  await log.append(
    { kind: "message.received", channel: "slack", ...received },
    { cause: null, seal: received.session, content: { text: "x".repeat(400_000) } },
  );
}

const first = await BootLog.open(path, clock).create(signer, sealer, { protector: "keychain", anchors: 0 });
const begun = watched({ path, origin, signer, sealer, clock, log: first });
await work(begun, Number(turns) / 2);
await attempt(() => begun.log.rotate(next, { protector: "passphrase", cause: null }));
await work(begun, Number(turns) / 4);
await attempt(() => begun.log.close());

await attempt(async () => {
  const boot = BootLog.open(path, clock);
  await boot.append({ kind: "daemon.starting", version: "0.1.0", build: "test" });
  const current = boot.vkey === next.vkey ? next : signer;
  const again = watched({ path, origin, signer: current, sealer, clock, log: boot.unseal(current, sealer) });
  await attempt(() => again.log.checkpoint("start"));
  await work(again, Number(turns) / 4);
  await attempt(() => again.log.close());
});
