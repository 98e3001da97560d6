import { readFileSync } from "node:fs";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { anId, beginLog } from "../support/audit-fixture.ts";
import { ownFolder } from "../support/folder.ts";

/** Bytes of a sealed part that stand nowhere by chance: a nonce is among them. */
const SAMPLE = 40;

interface Part {
  readonly id: number;
  readonly sample: Uint8Array;
}

/** A log in which two sessions take turns, with content of many sizes. @param seed another one gives other sizes, and other pages. */
async function twoSessions(seed: number) {
  const begun = await beginLog(ownFolder());
  const sessions = [anId("s"), anId("s")] as const;
  let random = seed;
  for (let nth = 0; nth < 120; nth++) {
    random = (random * 1_103_515_245 + 12_345) % 2_147_483_648;
    const session = sessions[random % 3 === 0 ? 0 : 1];
    const text = "a word ".repeat(1 + ((random >> 8) % (nth % 10 === 0 ? 900 : 60)));
    const principal = anId("p");
    const conversation = anId("c");
    await begun.log.append(
      { kind: "message.received", message: anId("m"), session, conversation, channel: "slack", principal },
      { cause: null, seal: session, content: { text, platform: `${nth}` } },
    );
  }
  const database = new Database(begun.path, { readonly: true });
  const rows = database.prepare<[], { id: number; sealed: Buffer }>("SELECT id, sealed FROM content").all();
  database.close();
  const partsOf = (session: string): Part[] =>
    rows.flatMap(({ id, sealed }) => {
      const scope = sealed.subarray(1, 1 + (sealed[0] ?? 0)).toString();
      return scope === session ? [{ id, sample: sealed.subarray(1 + scope.length, 1 + scope.length + SAMPLE) }] : [];
    });
  return { ...begun, gone: partsOf(sessions[0]), kept: partsOf(sessions[1]) };
}

function found(path: string, parts: readonly Part[]): number {
  const bytes = [path, `${path}-wal`].map((file) => readFileSync(file));
  return parts.filter(({ sample }) => bytes.some((file) => file.includes(sample))).length;
}

test("what is deleted is nowhere in the raw bytes of the file, however its pages are moved about by that", async () => {
  for (let seed = 1; seed <= 12; seed++) {
    const { log, path, gone, kept } = await twoSessions(seed);
    expect(gone.length).toBeGreaterThan(10);
    expect(found(path, gone)).toBe(gone.length);
    expect(await log.removal.delete(gone.map(({ id }) => id))).toBe(gone.length);
    await log.removal.truncate();
    expect(found(path, gone), `seed ${seed}`).toBe(0);
    expect(found(path, kept)).toBe(kept.length);
    await log.close();
  }
});
