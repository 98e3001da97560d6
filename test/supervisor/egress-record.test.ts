import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ROWS_AN_HOUR } from "../../audit/aggregated.ts";
import type { AuditLog, CommittedRow } from "../../audit/log.ts";
import { type EgressReason, EgressReason as Reasons } from "../../src/ipc/egress-frames.ts";
import { AdapterChannel } from "../../src/ipc/channel.ts";
import type { Asked } from "../../src/supervisor/egress-process.ts";
import { EgressRecord } from "../../src/supervisor/egress-record.ts";
import { channelReach, type Reach } from "../../src/supervisor/reach-list.ts";
import { anId, beginLog } from "../support/audit-fixture.ts";
import { HandClock } from "../support/audit-ports.ts";
import { soon } from "../support/soon.ts";
import { DataFolder } from "../vault/world.ts";

const SLACK = channelReach(AdapterChannel.parse("slack"), null, () => null);

let folder: DataFolder;
let clock: HandClock;
let log: AuditLog;
let record: EgressRecord;
let lines: string[];

beforeEach(async () => {
  folder = new DataFolder();
  clock = new HandClock();
  ({ log } = await beginLog(folder.path, { clock }));
  lines = [];
  record = new EgressRecord({ log, clock, line: (text) => lines.push(text) });
});
afterEach(async () => {
  await record.close();
  await log.close();
  folder[Symbol.dispose]();
});

/** One life of a process, and the row it began with. */
async function life(): Promise<{ process: Asked["process"]; end: () => void }> {
  const id = anId("x");
  const { seq } = await log.append({ kind: "daemon.starting", version: "0.1.0", build: "test" }, { cause: null });
  const ended = Promise.withResolvers<void>();
  return { process: { id, seq, ended: ended.promise }, end: ended.resolve };
}

function asked(
  process: Asked["process"],
  host: string,
  reason: EgressReason | null,
  more: { port?: number | null; times?: number; reach?: Reach; subject?: string } = {},
): Asked {
  const { port = 443, times = 1, reach = SLACK, subject = "slack" } = more;
  return {
    holder: { role: "adapter", subject },
    process,
    reach,
    host,
    verdict: { type: "verdict", lane: 0, port, reason, times },
  };
}

function rows(): CommittedRow[] {
  return log.rows({ kind: "egress.", after: 0, limit: 1000 });
}

async function until(count: number): Promise<CommittedRow[]> {
  await soon(() => expect(rows()).toHaveLength(count));
  return rows();
}

describe("a host that was reached", () => {
  test("is on the log once in the life of a process, with the entry it was reached by", async () => {
    const { process } = await life();
    for (let times = 0; times < 5; times++) record.take(asked(process, "wss-primary.slack.com", null));
    record.take(asked(process, "slack.com", null));
    const [first, second, ...more] = await until(2);
    expect(more).toEqual([]);
    expect(first?.action).toEqual({
      kind: "egress.reached",
      process: process.id,
      role: "adapter",
      subject: "slack",
      host: "*.slack.com",
      port: 443,
      source: "channel",
    });
    expect(first?.content("host")).toBe("wss-primary.slack.com");
    expect(first?.cause).toBe(process.seq);
    expect(second?.action).toMatchObject({ host: "slack.com" });
    const next = await life();
    record.take(asked(next.process, "slack.com", null));
    expect((await until(3)).at(-1)?.action).toMatchObject({ process: next.process.id });
  });

  test("is in no row's fields where the operator wrote it down: it is content", async () => {
    const { process } = await life();
    const reach = channelReach(AdapterChannel.parse("matrix"), null, () => "https://chat.the-smiths.example");
    record.take(asked(process, "chat.the-smiths.example", null, { reach, subject: "matrix" }));
    const [row] = await until(1);
    expect(row?.action).toMatchObject({ host: null, port: 443, source: "credential" });
    expect(JSON.stringify(row?.action)).not.toContain("smiths");
    expect(row?.content("host")).toBe("chat.the-smiths.example");
  });

  test("by an entry that has changed since is on the log without one", async () => {
    const { process } = await life();
    record.take(asked(process, "slack.com", null, { reach: [] }));
    expect((await until(1))[0]?.action).toMatchObject({ host: null, source: null });
  });
});

describe("what was refused", () => {
  test.for(Reasons.options)("is on the log with its reason: %s", async (reason) => {
    const { process } = await life();
    record.take(asked(process, "evil.example", reason, { port: 8443, times: 3 }));
    const [row] = await until(1);
    expect(row?.action).toMatchObject({ kind: "egress.refused", reason, port: 8443, times: 3, process: process.id });
    expect(row?.content("host")).toBe("evil.example");
    expect(row?.cause).toBe(process.seq);
  });

  test("may hold whatever a hostile process wrote, and none of it is in the row's fields", async () => {
    const { process } = await life();
    const host = `\u001b[31m\u202e${"x".repeat(200)} $(rm -rf) 555-1234`;
    record.take(asked(process, host, "malformed", { port: null }));
    const [row] = await until(1);
    expect(row?.content("host")).toBe(host);
    expect(JSON.stringify(row?.action)).not.toMatch(/rm -rf|555-1234|xxx/);
  });

  test("again and again shares a row a minute, with how often", async () => {
    const { process } = await life();
    record.take(asked(process, "evil.example", "unlisted"));
    await until(1);
    for (let times = 0; times < 40; times++) record.take(asked(process, "evil.example", "unlisted", { times: 2 }));
    clock.pass(61_000);
    record.take(asked(process, "evil.example", "unlisted"));
    const all = await until(2);
    expect(all.map(({ action }) => action.kind === "egress.refused" && action.times)).toEqual([1, 81]);
  });

  test("to a process that asks for ever new hosts, also when it is started again, is a flood in the end", async () => {
    const lives = [await life(), await life(), await life()];
    for (let n = 0; n < ROWS_AN_HOUR + 50; n++) {
      const { process } = lives[n % lives.length] ?? lives[0] ?? (await life());
      record.take(asked(process, `host-${n}.example`, "unlisted"));
    }
    await soon(() => expect(rows().some(({ action }) => action.kind === "egress.flood")).toBe(true));
    await record.close();
    const kinds = rows().map(({ action }) => action.kind);
    expect(kinds.filter((kind) => kind === "egress.refused")).toHaveLength(ROWS_AN_HOUR);
    const floods = rows().flatMap(({ action }) => (action.kind === "egress.flood" ? [action] : []));
    expect(floods.reduce((sum, { times }) => sum + times, 0)).toBe(50);
    expect(floods[0]).toMatchObject({ role: "adapter", subject: "slack", what: "refused" });
    // It hides nothing of what was reached, and nothing of another process.
    const before = rows().length;
    record.take(asked((await life()).process, "slack.com", null));
    record.take(asked((await life()).process, "evil.example", "unlisted", { subject: "telegram" }));
    await soon(() => expect(log.rows({ kind: "egress.", after: 0, limit: 2000 })).toHaveLength(before + 2));
  });

  test("by the rules is counted for the status; what the network did not give is not", async () => {
    const { process } = await life();
    record.take(asked(process, "evil.example", "unlisted", { times: 4 }));
    record.take(asked(process, "evil.example", "private"));
    record.take(asked(process, "slack.com", "unreachable"));
    record.take(asked(process, "evil.example", "literal", { subject: "telegram" }));
    expect(record.refused).toEqual([
      { role: "adapter", subject: "slack", times: 5 },
      { role: "adapter", subject: "telegram", times: 1 },
    ]);
  });
});

test("a log that takes no row is said, and breaks nothing else", async () => {
  const { process } = await life();
  await log.close();
  record.take(asked(process, "slack.com", null));
  await soon(() => expect(lines).toHaveLength(1));
  expect(lines[0]).toContain("a host could not be recorded");
});
