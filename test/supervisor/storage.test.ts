import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fileSystemOf, largestFolders, roomOf } from "../../src/supervisor/disk.ts";
import { Storage } from "../../src/supervisor/storage.ts";
import { TinyDisk } from "../support/claims-tiny-disk.ts";
import { until } from "../support/claims-world.ts";
import { ownFolder } from "../support/folder.ts";
import { DataFolder } from "../vault/world.ts";
import { KeepingWorld } from "./keeping-world.ts";

const GB = 1e9;
const SPAN = { subject: "span", from: "2026-01-01T00:00:00.000Z", to: "2026-02-01T00:00:00.000Z" } as const;

test.for([
  ["good", 200 * GB, 1_000 * GB],
  ["low", 0.9 * GB, 2 * GB],
  ["low", 40 * GB, 1_000 * GB],
  ["good", 1.1 * GB, 10 * GB],
] as const)("%s with %d bytes free of %d", async ([state, free, total]) => {
  const lines: string[] = [];
  const storage = new Storage({
    log: { stopped: null, append: () => Promise.reject(new Error("nothing is said on the log")) },
    root: ownFolder(),
    room: () => ({ free, total }),
    line: (_, line) => void lines.push(line),
  });
  await storage.look();
  await storage.look();
  expect(storage.now.state).toBe(state);
  // Said once, not at every look.
  expect(lines).toHaveLength(state === "low" ? 1 : 0);
  expect(storage.now.sentence ?? "").toMatch(state === "low" ? /^only .* are free on \S+ \(\w+\): below/ : /^$/);
});

test("a full disk is on the log once, from the reserve; and when there is room again it goes on by itself", async () => {
  await using disk = await TinyDisk.make(40);
  const { view } = disk.folder("data");
  await using world = await KeepingWorld.open(new DataFolder(view));
  await world.people.ensureOwner("Account Holder");
  const kinds = (): string[] => world.log.rows({ kind: "storage.", after: -1 }).map(({ action }) => action.kind);
  const storage = new Storage({ log: world.log, root: view, room: roomOf, line: () => undefined });
  await storage.look();
  if (disk.kind !== "limit") expect(storage.now.state).toBe("low");
  disk.fill(process.pid);
  await expect(world.holds.add(SPAN, "no room", world.owner)).rejects.toMatchObject({
    code: "AUDIT_UNWRITABLE",
  });
  // From memory, before the next look.
  expect(storage.now).toMatchObject({
    state: "exhausted",
    sentence: expect.stringContaining(`largest folders of ours: ${view}`),
  });
  for (let look = 0; look < 3; look++) await storage.look();
  expect(kinds()).toEqual(disk.kind === "limit" ? [] : ["storage.exhausted"]);
  disk.free(process.pid);
  await until(
    async () => {
      await storage.look();
      return storage.now.state !== "exhausted";
    },
    "it goes on",
    20_000,
    100,
  );
  expect(kinds().at(-1)).toBe("storage.recovered");
  expect(kinds().filter((kind) => kind === "storage.recovered")).toHaveLength(1);
});

test("the largest folders are those of ours, largest first: the record, each workspace, and what else lies there", () => {
  const root = ownFolder();
  const fill = (name: string, kilobytes: number): void => {
    mkdirSync(join(root, name, ".."), { recursive: true });
    writeFileSync(join(root, name), Buffer.alloc(kilobytes * 1024, 1));
  };
  fill("audit.db", 300);
  fill("workspaces/default/deep/down/file", 200);
  fill("workspaces/default/other", 200);
  fill("workspaces/small/file", 8);
  fill("skills/one/file", 100);
  expect(largestFolders(root).map(({ path }) => path)).toEqual([
    join(root, "workspaces/default"),
    root,
    join(root, "skills"),
  ]);
  expect(fileSystemOf(root)).not.toBe("");
});
