import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TestDaemon, WIRKEN } from "../../test/support/daemon.ts";
import { DataFolder, METADATA, typed } from "../../test/vault/world.ts";
import type { OpenedBackup } from "../../vault/backup.ts";
import { applySteps, contentsOf, type Step } from "../../vault/contents.ts";
import { MAX_RECORDS } from "../../vault/credential-change.ts";
import { commitment, loadAead } from "../../vault/crypto.ts";
import { deriveKek } from "../../vault/envelope.ts";
import { newKey, recordRow } from "../../vault/keyring.ts";
import { LockedVault } from "../../vault/locked-vault.ts";
import { encodeMetadata } from "../../vault/metadata.ts";
import { fetchMaster } from "../../vault/protector.ts";
import { Secret } from "../../vault/secret.ts";
import { Vault } from "../../vault/vault.ts";
import { type Figure, median, ms, spread, timed } from "./figure.ts";

const PASSPHRASE = "corridor lantern mackerel 71";
const ROUNDS = 9;
const TAKES = 500;
/** Issue budgets, in milliseconds: listing everything, and opening one. */
const LIST_MS = 100;
const TAKE_MS = 1;
/** A few of the largest that there may be, among many of an ordinary token's size. */
const LARGE = 100;
const LARGE_BYTES = 65_536;
const ORDINARY_BYTES = 60;

/** What a vault costs that holds as much as it may: ten thousand secrets. */
export async function vaultFigures(): Promise<Figure[]> {
  await loadAead();
  const home = mkdtempSync(join(tmpdir(), "wirken-bench-vault-"));
  const data = join(home, "data");
  mkdirSync(data, { mode: 0o700 });
  const folder = new DataFolder(data);
  try {
    using passphrase = typed(PASSPHRASE);
    await Vault.create(folder.vault, { kind: "passphrase", passphrase }, folder.keepers, full());
    return [...(await inside(folder)), ...(await outside(home))];
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

async function inside(folder: DataFolder): Promise<Figure[]> {
  const opened: number[] = [];
  const first: number[] = [];
  const again: number[] = [];
  const takes: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    // Without what the passphrase costs, or the keychain.
    const asked = await LockedVault.open(folder.vault);
    using master = await fetchMaster(asked, folder.keepers, () => Promise.resolve(typed(PASSPHRASE)));
    asked.close();
    let vault: Vault | null = null;
    opened.push(
      await timed(async () => {
        const locked = await LockedVault.open(folder.vault);
        vault = locked.unlock(master, null).vault;
      }),
    );
    const open = given(vault);
    first.push(await timed(() => open.credentials()));
    again.push(await timed(() => open.credentials()));
    for (let take = 0; take < TAKES / ROUNDS; take++)
      takes.push(await timed(() => open.take(`secret/s${(take * 7919) % MAX_RECORDS}`, "value")[Symbol.dispose]()));
    open.close();
  }
  return [
    {
      what: `open a vault of ${MAX_RECORDS} secrets, its key at hand`,
      measured: spread(opened, ms),
      budget: null,
      met: null,
    },
    budgeted("list all of it, the first time", first, LIST_MS),
    budgeted("list all of it again", again, LIST_MS),
    budgeted("open one secret", takes, TAKE_MS),
  ];
}

async function outside(home: string): Promise<Figure[]> {
  await using daemon = await TestDaemon.start({ home, environment: { WIRKEN_VAULT_PASSPHRASE: PASSPHRASE } });
  const wall = (...args: string[]): number => {
    const begun = performance.now();
    const { status, stderr } = spawnSync(WIRKEN, args, { env: daemon.environment, encoding: "utf8", maxBuffer: 1e8 });
    if (status !== 0) throw new Error(`wirken ${args.join(" ")}: ${stderr}`);
    return performance.now() - begun;
  };
  const pairs = Array.from({ length: ROUNDS }, () => {
    const status = wall("vault", "status");
    return { status, list: wall("vault", "list", "--json") };
  });
  return [
    {
      what: "wirken vault status",
      measured: spread(
        pairs.map(({ status }) => status),
        ms,
      ),
      budget: null,
      met: null,
    },
    budgeted(
      "wirken vault list --json, over that",
      pairs.map(({ list, status }) => list - status),
      LIST_MS,
    ),
  ];
}

function budgeted(what: string, values: readonly number[], most: number): Figure {
  return { what, measured: spread(values, ms), budget: `≤ ${most} ms`, met: median(values) <= most };
}

/** As much as a vault holds, made without ten thousand transactions. */
function full(): OpenedBackup {
  using master = Secret.random(32);
  const id = new Uint8Array(16).fill(7);
  const kek = deriveKek(master, id, 1);
  const head = {
    id,
    generation: 0,
    masterId: 1,
    protector: "none",
    wrapping: new Uint8Array(0),
    commitment: commitment(kek),
  } as const;
  const empty = contentsOf(head, [], []);
  const steps: Step[] = [];
  const metadata = encodeMetadata({ ...METADATA, hosts: ["api.example.com"], expires: "2099-01-01T00:00:00.000Z" });
  for (let at = 0; at < MAX_RECORDS; at++) {
    const scope = `secret/s${at}`;
    const { key, row } = newKey({ contents: empty, kek }, scope);
    using under = key;
    using secret = Secret.random(at < LARGE ? LARGE_BYTES : ORDINARY_BYTES);
    const place = { scope, name: "value", version: 1, metadata };
    steps.push({ table: "key", row });
    steps.push({
      table: "record",
      row: recordRow({ contents: empty, kek }, { key: under, epoch: row.epoch }, place, secret),
    });
  }
  return { unlocked: { contents: applySteps(empty, steps), kek }, made: METADATA.created, recovery: null };
}

function given(vault: Vault | null): Vault {
  if (vault === null) throw new Error("the vault did not open");
  return vault;
}
