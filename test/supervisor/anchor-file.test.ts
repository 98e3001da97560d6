import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findingsOnDisks, disksOf } from "../../src/supervisor/anchor-disks.ts";

import { FilePlace } from "../../src/supervisor/anchor-places.ts";
import { AnchorRun } from "../../src/supervisor/anchor-run.ts";
import { anId, beginLog, recordTurn, reopen, type TestLog } from "../support/audit-fixture.ts";
import { historyOf } from "./anchor-world.ts";
import { ownFolder } from "../support/folder.ts";

const BY = { by: anId("p"), via: "terminal" } as const;

/** A log that promises a file anchor, and the anchor at work. */
async function anchored(folder = ownFolder(), disk = ownFolder()) {
  const made = await beginLog(folder);
  const path = join(disk, "wirken.note");
  await made.log.append(
    { kind: "anchor.added", anchor: "usb", type: "file", vkey: null, ...BY },
    { cause: null, content: { place: path } },
  );
  await made.log.checkpoint("demand");
  return { made, path, disk, folder, run: runOf(made, path) };
}

function runOf({ log }: TestLog, path: string): AnchorRun {
  const history = historyOf(log);
  const [spec] = history.promised;
  if (spec === undefined) throw new Error("no anchor is promised");
  return new AnchorRun({ log, history, spec, place: new FilePlace(log, path), line: () => undefined });
}

test("the file holds the newest checkpoint, and nothing is left beside it", async () => {
  const { made, path, run } = await anchored();
  expect(await run.now()).toMatchObject({ state: "good" });
  await recordTurn(made);
  const { note, size } = await made.log.checkpoint("demand");
  expect(await run.now()).toMatchObject({ state: "good", size });
  expect(readFileSync(path, "utf8")).toBe(note);
  expect(made.log.rows({ kind: "anchor.reached", limit: 10 }), "once: nothing changed").toHaveLength(1);
});

test("what a file vouches for is not overwritten by an older copy of the log, which is a finding at its start", async () => {
  const { made, path, run, folder } = await anchored();
  await made.log.close();
  const older = `${ownFolder()}/copy`;
  cpSync(folder, older, { recursive: true });
  await reopen(made);
  const again = runOf(made, path);
  await recordTurn(made);
  await made.log.checkpoint("demand");
  expect(await again.now()).toMatchObject({ state: "good" });
  const vouched = readFileSync(path, "utf8");
  await made.log.close();
  const restored = { ...made, path: join(older, "audit.db") };
  await reopen(restored);
  const history = historyOf(restored.log);
  expect((await findingsOnDisks(history, restored.log)).map(({ code }) => code)).toEqual(["ANCHOR_BEHIND"]);
  expect(await runOf(restored, path).now()).toMatchObject({ state: "conflict" });
  expect(readFileSync(path, "utf8")).toBe(vouched);
  await run.close();
  await restored.log.close();
});

test.for([
  ["a file of somebody else's", (path: string) => writeFileSync(path, "my diary"), "refused", "my diary"],
  ["a link", (path: string) => symlinkSync("/etc/hostname", path), "unreachable", null],
  ["a folder", (path: string) => mkdirSync(path), "unreachable", null],
] as const)("%s in the anchor's place stays as it is", async ([, put, state, kept]) => {
  const { path, run, made } = await anchored();
  put(path);
  expect(await run.now()).toMatchObject({ state });
  if (kept !== null) expect(readFileSync(path, "utf8")).toBe(kept);
  expect(made.log.rows({ kind: "anchor.failed", limit: 10 })).toHaveLength(1);
});

test("a disk that is not there is unreachable, and a file that is gone from it is absent", async () => {
  const { disk, run, made } = await anchored();
  const history = historyOf(made.log);
  expect(await disksOf(history)).toMatchObject([{ name: "usb", state: "absent" }]);
  rmSync(disk, { recursive: true });
  expect(await disksOf(history)).toMatchObject([{ name: "usb", state: "unreachable" }]);
  expect(await run.now()).toMatchObject({ state: "unreachable" });
  expect(await run.now(), "recorded once").toMatchObject({ state: "unreachable" });
  expect(made.log.rows({ kind: "anchor.failed", limit: 10 })).toHaveLength(1);
  mkdirSync(disk);
  expect(await run.now()).toMatchObject({ state: "good" });
  expect(made.log.rows({ kind: "anchor.reached", limit: 10 })).toHaveLength(1);
});

test("after a change of the log's key only a witness awaits it", async () => {
  const { run, made } = await anchored();
  await run.now();
  await run.rotated();
  expect(run.standing.state).toBe("good");
  await made.log.close();
});
