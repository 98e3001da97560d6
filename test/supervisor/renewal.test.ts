import { join } from "node:path";
import { expect, test } from "vitest";
import { verifySync } from "../../audit/verify.ts";
import { AdapterChannel } from "../../src/ipc/channel.ts";
import { refuseOthers, type Renewed } from "../../src/supervisor/credential-renewal.ts";
import { useSession } from "../keychain/session.ts";
import { ownFolder } from "../support/folder.ts";
import { DataFolder, PASSPHRASE, World } from "../vault/world.ts";
import { FIRST, named, processOf, renewing, SCOPE, TokenPlatform, valuesOf } from "./renewal-world.ts";
import { runsOn } from "./dying-world.ts";

useSession(null);

const CHILD = join(import.meta.dirname, "renewal-child.ts");
/** Steps from one kill to the next: `npm run test:long` takes every step. */
const EVERY = process.env["WIRKEN_TEST_ROUNDS"] === "long" ? 1 : 5;
const CHECKED = { checked: "2026-11-23T22:31:00.000Z", account: "@wirken" } as const;

const kept = async (): Promise<{ works: false; sentence: string }> =>
  await Promise.resolve({ works: false, sentence: "it is not connected" });
const given = (): Renewed => ({ renewed: named({ "bot-token": "xoxe.xoxb-1-x", "refresh-token": "xoxe-1-x" }) });

async function enrolled(): Promise<{ folder: DataFolder; world: World; platform: TokenPlatform }> {
  const folder = new DataFolder(ownFolder());
  const world = await World.guarded(folder);
  await world.add(SCOPE, FIRST, { ...CHECKED, hosts: ["slack.com"], rotationDue: "2999-01-01T00:00:00.000Z" });
  return { folder, world, platform: new TokenPlatform(folder) };
}

function kinds({ log }: World): string[] {
  const rows = log.rows({ kind: "credential.", limit: 100 });
  return rows.map(({ action }) => action.kind).toReversed();
}

test("what a platform gives is sealed as a version of its own before its process is told; the version of before goes once it works", async () => {
  const { folder, world, platform } = await enrolled();
  await using _ = world;
  const seen: (number | null)[] = [];
  const asks = processOf(world, platform, {
    kept: async ({ version }) => {
      const [newest] = world.vault.credentials(SCOPE);
      seen.push(version, newest?.version ?? null, newest?.fallback ?? null);
      return await Promise.resolve({ works: true, account: "@wirken" });
    },
  });
  await renewing(world, folder).renewal.run(asks);
  expect(seen).toEqual([2, 2, 1]);
  expect(valuesOf(world)).toEqual({
    "app-token": "xapp-1",
    "bot-token": "xoxe.xoxb-1-next1",
    "refresh-token": "xoxe-1-next1",
  });
  expect(world.vault.credentials(SCOPE)).toMatchObject([
    { version: 2, fallback: null, account: "@wirken", hosts: ["slack.com"], rotationDue: "2999-01-01T00:00:00.000Z" },
  ]);
  expect(kinds(world)).toEqual(["credential.renewing", "credential.renewed", "credential.confirmed"]);
});

test("what is not seen to work yet stays beside the version of before", async () => {
  const { folder, world, platform } = await enrolled();
  await using _ = world;
  const { renewal, lines } = renewing(world, folder);
  await renewal.run(processOf(world, platform, { kept }));
  expect(world.vault.credentials(SCOPE)).toMatchObject([{ version: 2, fallback: 1 }]);
  expect(lines.join()).toContain("not seen to work yet: it is not connected");
});

test("what the vault could not keep is asked for again, and kept then", async () => {
  const { folder, world, platform } = await enrolled();
  await using _ = world;
  const asks = processOf(world, platform, {
    grant: async () => {
      world.vault.lock();
      return await Promise.resolve(given());
    },
    unkept: async () => {
      await renewing(world, folder).keeper.unlock(new TextEncoder().encode(PASSPHRASE));
      return given();
    },
  });
  const { renewal, lines } = renewing(world, folder);
  await renewal.run(asks);
  expect(lines.join()).toContain("could not be kept: The vault is locked");
  expect(asks.told).toEqual(["kept 2"]);
  expect(valuesOf(world)["refresh-token"]).toBe("xoxe-1-x");
});

test("nothing is asked of a platform behind a locked vault, for a version that is not the newest, or beside another change", async () => {
  const { folder, world, platform } = await enrolled();
  await using _ = world;
  const { renewal, rotation } = renewing(world, folder);
  const asks = processOf(world, platform);
  await rotation.alone(SCOPE, async () => await renewal.run(asks));
  await renewal.run({ ...asks, secret: { ...asks.secret, version: 7 } });
  world.vault.lock();
  await renewal.run(asks);
  expect(asks.told).toEqual(["denied", "denied", "denied"]);
  expect(platform.given).toBe(0);
  expect(kinds(world)).toEqual([]);
});

test("a credential is renewed thirty times an hour at most", async () => {
  const { folder, world } = await enrolled();
  await using _ = world;
  let now = Date.now();
  const { renewal, lines } = renewing(world, folder, () => now);
  const platform = new TokenPlatform(folder);
  const refuses = { grant: (): Promise<Renewed> => Promise.resolve({ failure: "unreachable", sentence: "away" }) };
  for (let i = 0; i < 30; i++) await renewal.run(processOf(world, platform, refuses));
  const late = processOf(world, platform, refuses);
  await renewal.run(late);
  expect(late.told).toEqual(["denied"]);
  expect(lines.at(-1)).toContain("30 times within an hour");
  now += 3_600_001;
  const next = processOf(world, platform, refuses);
  await renewal.run(next);
  expect(next.told).toEqual([]);
});

test("a platform that says no is told to whoever looks, until another version is there", async () => {
  const { folder, world, platform } = await enrolled();
  await using _ = world;
  platform.renew(FIRST["refresh-token"], false);
  const { renewal } = renewing(world, folder);
  await renewal.run(processOf(world, platform));
  expect(renewal.notes()).toEqual(["the platform does not renew it; until its end the token goes on working"]);
  await world.add(SCOPE, { ...FIRST, "refresh-token": "xoxe-1-next1" }, CHECKED);
  expect(renewal.notes()).toEqual([]);
});

test.each([
  ["a name that is not renewed", { "bot-token": "x", "app-token": "y" }],
  ["no token", { "refresh-token": "x" }],
  ["too much", { "bot-token": "x".repeat(17_000) }],
  ["nothing", {}],
] as const)("what a process says it was given is refused for %s", (_, values) => {
  expect(() => refuseOthers(AdapterChannel.parse("slack"), named(values))).toThrow(RangeError);
  expect(() => refuseOthers(AdapterChannel.parse("telegram"), named({ "bot-token": "x" }))).toThrow(
    "telegram renews nothing",
  );
});

test.each([
  ["whose refresh tokens are spent by one use", "none"],
  ["that takes a refresh token again until what it gave is used", "grace"],
] as const)(
  "a kill at any step of a renewal leaves one version that opens and a log that verifies, at a platform %s",
  { timeout: 120_000 },
  async (_, grace) => {
    const { folder: first, world: whole } = await enrolled();
    const { vkey } = whole.log;
    await whole[Symbol.asyncDispose]();
    const ends = new Set<string>();
    for (let at = 1; ; at += EVERY) {
      const folder = new DataFolder(ownFolder());
      const ended = runsOn(folder, first.path, CHILD, [grace, String(at)]);
      const world = await World.open(folder);
      const platform = new TokenPlatform(folder);
      const [before] = world.vault.credentials(SCOPE);
      const values = valuesOf(world);
      // The two belong together in every state, and what was not renewed is there.
      const number = values["bot-token"]?.slice("xoxe.xoxb-1-".length);
      expect(values, `step ${at}`).toEqual({
        ...FIRST,
        "bot-token": `xoxe.xoxb-1-${number}`,
        "refresh-token": `xoxe-1-${number}`,
      });
      const asked = world.log.rows({ kind: "credential.renewing" }).length > 0;
      expect(platform.given > 0 && !asked, "asked without a row").toBe(false);
      const good = platform.takes(values["refresh-token"] ?? "");
      ends.add(`${before?.version}${before?.fallback === null ? "" : " beside"}${good ? "" : " spent"}`);
      // The next process goes on from there.
      const { renewal } = renewing(world, folder);
      await renewal.run(processOf(world, platform, { grace: grace === "grace" }));
      const renewed = platform.takes(valuesOf(world)["refresh-token"] ?? "");
      expect(renewed, `step ${at}`).toBe(good || grace === "grace");
      if (!renewed) expect(renewal.notes()).toHaveLength(1);
      await world.log.checkpoint("demand");
      await world[Symbol.asyncDispose]();
      expect(verifySync(folder.log, { vkey }).findings, `step ${at}`).toEqual([]);
      if (ended) break;
    }
    const all = ["1", "1 spent", "2 beside", "2"];
    if (EVERY === 1) expect([...ends].toSorted()).toEqual(all.toSorted());
    else expect(all).toEqual(expect.arrayContaining([...ends]));
  },
);
