import { join } from "node:path";
import { expect, test } from "vitest";
import { verifySync } from "../../audit/verify.ts";
import { CredentialChecks } from "../../src/supervisor/credential-checks.ts";
import { useSession } from "../keychain/session.ts";
import { ownFolder } from "../support/folder.ts";
import { DataFolder, PASSPHRASE, World } from "../vault/world.ts";
import { FIRST, named, NEXT, renewing, SCOPE, valuesOf, WHO } from "./renewal-world.ts";
import { runsOn } from "./dying-world.ts";

useSession(null);

const CHILD = join(import.meta.dirname, "credential-rotation-child.ts");
const GIVEN = { scope: SCOPE, check: true, hosts: null, expires: null, rotationDue: null } as const;
/** Steps from one kill to the next: `npm run test:long` takes every step. */
const EVERY = process.env["WIRKEN_TEST_ROUNDS"] === "long" ? 1 : 5;

const FULL = { ...FIRST, "client-id": "1.2", "client-secret": "0123456789abcdef" };

async function enrolled(): Promise<{ folder: DataFolder; world: World }> {
  const folder = new DataFolder(ownFolder());
  const world = await World.guarded(folder);
  await world.add(SCOPE, FULL, { checked: "2026-11-23T22:31:00.000Z", account: null });
  return { folder, world };
}
const candidate = (): { name: string; bytes: Uint8Array }[] => named({ ...FULL, ...NEXT });

test.each([
  ["works", ["1", "2 beside 1", "2"]],
  ["does not work", ["1", "2 beside 1", "3"]],
] as const)(
  "a kill at any step of a rotation to a credential that %s leaves one state that opens, and a log that verifies",
  { timeout: 120_000 },
  async (works, all) => {
    const { folder: first, world: whole } = await enrolled();
    const { vkey } = whole.log;
    await whole[Symbol.asyncDispose]();
    const ends = new Set<string>();
    for (let at = 1; ; at += EVERY) {
      const folder = new DataFolder(ownFolder());
      const ended = runsOn(folder, first.path, CHILD, [works, String(at)]);
      const world = await World.open(folder);
      const [newest] = world.vault.credentials(SCOPE);
      const { version = 0, fallback = null } = newest ?? {};
      ends.add(`${version}${fallback === null ? "" : ` beside ${fallback}`}`);
      expect(valuesOf(world), `step ${at}`).toEqual(version === 2 ? { ...FULL, ...NEXT } : FULL);
      // The next start can put the one before back, or let it go.
      if (fallback !== null) {
        const { credentials } = renewing(world, folder);
        expect(await credentials.rollBack(SCOPE)).toBe(3);
        expect(valuesOf(world)).toEqual(FULL);
      }
      await world.log.checkpoint("demand");
      await world[Symbol.asyncDispose]();
      expect(verifySync(folder.log, { vkey }).findings, `step ${at}`).toEqual([]);
      if (ended) break;
    }
    expect(all).toEqual(expect.arrayContaining([...ends]));
    expect(ends.size).toBeGreaterThan(1);
  },
);

test("where no process runs, a credential that its platform takes is in use at once, and the one before is gone", async () => {
  const { folder, world } = await enrolled();
  await using _ = world;
  const { rotation } = renewing(
    world,
    folder,
    () => Date.now(),
    () => Promise.resolve(null),
  );
  expect(await rotation.rotate(GIVEN, candidate(), WHO)).toMatchObject({ state: "in-use", version: 2 });
  expect(world.vault.credentials(SCOPE)).toMatchObject([{ version: 2, fallback: null }]);
});

test("behind a locked vault nothing is enrolled, replaced or checked, what was given is wiped, and after the unlock it is", async () => {
  const { folder, world } = await enrolled();
  await using _ = world;
  const { rotation, credentials, keeper, lines } = renewing(world, folder);
  const checks = new CredentialChecks({
    log: world.log,
    keeper,
    credentials,
    rotation,
    check: () => Promise.resolve({ result: "good", account: null, sentence: null }),
    triedByItself: () => false,
    now: () => Date.now(),
    line: (sentence) => void lines.push(sentence),
  });
  await keeper.lock(WHO);
  const given = candidate();
  const size = world.log.size;
  await expect(rotation.rotate(GIVEN, given, WHO)).rejects.toThrow("locked");
  expect(given.every(({ bytes }) => bytes.every((byte) => byte === 0))).toBe(true);
  await expect(checks.check(SCOPE)).rejects.toThrow("locked");
  const added = named({ value: "canary" });
  const free = { scope: "secret/one", check: false, hosts: [], expires: null, rotationDue: null };
  await expect(credentials.add(free, added, WHO)).rejects.toThrow("locked");
  expect(added.every(({ bytes }) => bytes.every((byte) => byte === 0))).toBe(true);
  expect(world.log.size).toBe(size);
  await keeper.unlock(new TextEncoder().encode(PASSPHRASE));
  expect(await checks.check(SCOPE)).toMatchObject({ result: "good" });
  expect(await rotation.rotate(GIVEN, candidate(), WHO)).toMatchObject({ state: "in-use" });
});
