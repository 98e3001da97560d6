import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import Database from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { verifySync } from "../../audit/verify.ts";
import { rounds, seeded } from "../support/claims-random.ts";
import { DataFolder } from "../vault/world.ts";
import { type Canaries, foundIn, KeepingWorld, sealedCanaries } from "./keeping-world.ts";

const CHILD = join(import.meta.dirname, "retention-child.ts");
const SAID = 12;

const root = mkdtempSync(join(tmpdir(), "wirken-killed-"));
const template = new DataFolder();
let canaries: Canaries;

beforeAll(async () => {
  await using world = await KeepingWorld.open(template);
  await world.people.ensureOwner("Account Holder");
  const kim = await world.join("Kim", "sender-1");
  const sessions = [];
  for (const place of ["a group", "another group"]) sessions.push(await world.session("group", place, kim));
  for (let nth = 0; nth < SAID; nth += 1) for (const one of sessions) await world.say(one, kim, `${one} ${nth}`);
  await world.log.checkpoint("demand");
  await world.log.checkpoint("demand");
  canaries = sealedCanaries(template, sessions);
});
afterAll(() => {
  rmSync(root, { recursive: true });
  template[Symbol.dispose]();
});

interface Ran {
  readonly path: string;
  readonly done: boolean;
  /** Milliseconds from its beginning to its end. */
  readonly took: number;
}

let copies = 0;
function copy(): string {
  const path = join(root, String((copies += 1)));
  cpSync(template.path, path, { recursive: true });
  return path;
}

/** @param after milliseconds from its beginning until it is killed; null: it is not. */
async function run(what: string, path: string, after: number | null): Promise<Ran> {
  const child = spawn(process.execPath, ["--no-warnings", CHILD, path, what], { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  const began = Promise.withResolvers<void>();
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
    began.resolve();
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  await Promise.race([began.promise, ended]);
  const from = performance.now();
  if (after !== null) {
    await Promise.race([delay(after), ended]);
    child.kill("SIGKILL");
  }
  await ended;
  return { path, done: said.includes("done"), took: performance.now() - from };
}

/** Opens the data as a start does. @returns what `audit verify` has against it, and how many bodies are empty. */
async function opened(path: string): Promise<{ findings: readonly unknown[]; empty: number }> {
  const folder = new DataFolder(path);
  {
    await using world = await KeepingWorld.open(folder);
    await world.erasure().complete();
    await world.log.interrupted();
    await world.log.checkpoint("start");
    const { log, vault } = world.world;
    const { findings } = verifySync(folder.log, { live: true, vkey: log.vkey, sealer: vault.sealer(), deep: true });
    const database = new Database(folder.log, { readonly: true });
    const empty = Number(database.prepare("SELECT count(*) FROM entry WHERE body = ''").pluck().get());
    database.close();
    return { findings, empty };
  }
}

describe.each(["prune", "night"])("a %s that is killed", (what) => {
  let whole: Ran;
  let emptied = 0;

  beforeAll(async () => {
    whole = await run(what, copy(), null);
    emptied = (await opened(whole.path)).empty;
  });

  test("does what it is to do when nobody kills it, so there is something to interrupt", () => {
    expect(whole.done).toBe(true);
    expect(emptied).toBeGreaterThan(SAID);
    expect(foundIn(template.path, canaries)).toHaveLength(canaries.size);
    expect(foundIn(whole.path, canaries)).toEqual([]);
  });

  test(
    "at whatever instant leaves a log that verifies, and is done from there to the same end",
    async () => {
      const random = seeded(1);
      const times = rounds(2, 60);
      let killed = 0;
      for (let round = 1; round <= times; round += 1) {
        const { path, done } = await run(what, copy(), random() * whole.took);
        killed += done ? 0 : 1;
        const after = await opened(path);
        expect(after.findings).toEqual([]);
        // Bodies go in one transaction: all of them or none.
        expect([0, emptied]).toContain(after.empty);
        if (round === times) {
          expect((await run(what, path, null)).done).toBe(true);
          const { findings, empty } = await opened(path);
          expect(findings).toEqual([]);
          expect(empty).toBeGreaterThanOrEqual(emptied);
          expect(foundIn(path, canaries)).toEqual([]);
        }
        rmSync(path, { recursive: true });
      }
      expect(killed).toBeGreaterThan(0);
    },
    rounds(120_000, 600_000),
  );
});
