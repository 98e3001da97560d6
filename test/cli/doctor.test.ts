import { Name } from "../../src/ipc/ids.ts";
import { expect, test } from "vitest";
import { type Diagnosis, diagnoses } from "../../src/cli/commands/doctor.ts";

type Seen = Parameters<typeof diagnoses>[0];

const HEALTHY: Seen = {
  running: true,
  status: {
    version: "0.1.0",
    build: "test",
    pid: 4711,
    since: "2026-11-28T12:00:00.000Z",
    home: "/home/somebody/.wirken",
    web: null,
    vault: { state: "open", protector: "keychain", keychain: "works", recovery: true, sentence: "behind the keychain" },
    model: { agent: Name.parse("default"), ref: "anthropic/some-model", note: null },
    agents: [{ agent: Name.parse("default"), ref: "anthropic/some-model" }],
    channels: [{ channel: "telegram", enabled: true, state: "connected", account: null, note: null }],
    sandbox: { works: true, note: null },
    search: "asks Wikipedia (en.wikipedia.org)",
    log: { rows: 7, checkpoint: 7, stopped: null },
    proxy: null,
    storage: { state: "good", sentence: null },
    processes: [],
    pendingApprovals: 0,
    notes: [],
  },
  anchors: [
    {
      name: "witness",
      type: "witness",
      place: null,
      vkey: null,
      pins: [],
      state: "good",
      size: 7,
      time: null,
      newer: 0,
      note: null,
    },
  ],
  record: { state: "good", sentences: ["7 rows are whole and in order"], verdict: {} },
};

function of(change: Partial<Seen>, what: string): Diagnosis | undefined {
  return diagnoses({ ...HEALTHY, ...change }).find((one) => one.what === what);
}

const { status } = HEALTHY;
const [anchor] = HEALTHY.anchors;

test("where all is well there is nothing to do", () => {
  expect(diagnoses(HEALTHY).filter(({ state, hint }) => state !== "good" || hint !== null)).toEqual([]);
});

test.for<[string, Partial<Seen>, string, Diagnosis["state"]]>([
  ["no daemon runs", { running: false }, "daemon", "weak"],
  [
    "the record is broken",
    { record: { state: "broken", sentences: ["row 7 was changed"], verdict: {} } },
    "record",
    "bad",
  ],
  ["a finding is open", { status: { ...status, log: { ...status.log, stopped: "nothing runs" } } }, "record", "bad"],
  ["the disk is full", { status: { ...status, storage: { state: "exhausted", sentence: "no room" } } }, "disk", "bad"],
  ["the vault is locked", { status: { ...status, vault: { ...status.vault, state: "locked" } } }, "vault", "bad"],
  [
    "nothing protects the vault",
    { status: { ...status, vault: { ...status.vault, protector: "none" } } },
    "vault",
    "weak",
  ],
  [
    "there is no sandbox",
    { status: { ...status, sandbox: { works: false, note: "apt-get install" } } },
    "sandbox",
    "bad",
  ],
  [
    "a channel's credential is refused",
    {
      status: {
        ...status,
        channels: [{ channel: "slack", enabled: true, state: "refused", account: null, note: "rotate" }],
      },
    },
    "slack",
    "bad",
  ],
  ["no anchor is there", { anchors: [] }, "anchors", "weak"],
  [
    "a witness does not answer",
    { anchors: anchor === undefined ? [] : [{ ...anchor, state: "unreachable", note: "no answer" }] },
    "anchor witness",
    "bad",
  ],
])("%s: it is said, with what to do", ([, change, what, state]) => {
  expect(of(change, what)).toMatchObject({ state, hint: expect.stringMatching(/./) });
});

test("a disabled channel is no trouble", () => {
  const channels = status.channels.map((channel) => ({ ...channel, enabled: false, state: "disabled" as const }));
  expect(of({ status: { ...status, channels } }, "telegram")).toBeUndefined();
});
