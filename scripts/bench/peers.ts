import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Writable } from "node:stream";
import Database from "better-sqlite3";
import { bulkLog } from "../../test/support/audit-fixture.ts";
import { type Figure, median, ratio, timed } from "./figure.ts";

/** Verification by the executable against two programs that people trust to find a changed record, on the same rows in the same run, each with its start.
 *
 *  The sealed journal of systemd has a row as a message, and as many seals as our log has signatures. The same row in a journal is what journald makes of it:
 *  its message with the fields that are added to every record, and that no program can leave out. With the message alone, which only a tool for copies of
 *  journals can write, it is measured too, and held to no budget. git has a row as a commit of an empty tree: nothing lighter is a chain of records there. */

const ROWS = 1_000_000;
const ROUNDS = 3;
const BUDGET = 3.5;
/** Debian's place for it; it is no command of a person's. */
const JOURNAL_WRITER = "/lib/systemd/systemd-journal-remote";
/** Rows handed over between two looks at whether the other side keeps up. */
const BATCH = 2_000;

/** Microseconds from a row to the next: a thousand of them in an interval between two seals, as our log has a checkpoint after a thousand rows. */
const STEP = 900_000;

interface Peer {
  readonly name: string;
  /** False of what is measured to be known, and is not the same as our rows. */
  readonly same: boolean;
  /** What to install, where it is not there. */
  readonly missing: () => string | null;
  readonly make: (folder: string, log: string) => Promise<void>;
  /** Verifies once. @throws if the peer does not find its record good. */
  readonly verify: (folder: string) => void;
}

const PEERS: readonly Peer[] = [
  {
    name: "journalctl --verify, sealed, records of a message alone (journald writes none such)",
    same: false,
    missing: noJournal,
    make: (folder, log) => makeJournal(folder, log, []),
    verify: verifyJournal,
  },
  {
    name: "journalctl --verify, sealed, records as journald writes them",
    same: true,
    missing: noJournal,
    make: (folder, log) => makeJournal(folder, log, JOURNALD_ADDS),
    verify: verifyJournal,
  },
  {
    name: "git fsck",
    same: true,
    missing: () => (works("git", ["--version"]) ? null : "apt-get install git"),
    make: makeRepository,
    verify: (folder) => {
      execFileSync("git", ["-C", join(folder, "rows.git"), "fsck", "--full", "--no-progress"], { stdio: "pipe" });
    },
  },
];

/** What a journal has of every record of a user's service (systemd.journal-fields(7)). */
const JOURNALD_ADDS: readonly string[] = [
  "PRIORITY=6",
  "SYSLOG_IDENTIFIER=wirken",
  "_TRANSPORT=journal",
  "_PID=1234",
  "_UID=1000",
  "_GID=1000",
  "_COMM=wirken",
  "_EXE=/usr/local/bin/wirken",
  "_CMDLINE=/usr/local/bin/wirken start",
  "_CAP_EFFECTIVE=0",
  "_AUDIT_SESSION=3",
  "_AUDIT_LOGINUID=1000",
  "_SYSTEMD_CGROUP=/user.slice/user-1000.slice/user@1000.service/app.slice/wirken.service",
  "_SYSTEMD_OWNER_UID=1000",
  "_SYSTEMD_UNIT=user@1000.service",
  "_SYSTEMD_USER_UNIT=wirken.service",
  "_SYSTEMD_SLICE=user-1000.slice",
  "_SYSTEMD_USER_SLICE=app.slice",
  "_SYSTEMD_INVOCATION_ID=6cf1f3b4c7f84d5a9f7f5b6f4c0d2e1a",
  "_MACHINE_ID=3d1219c7c4c5404aaa1f6d2a48adfda4",
  "_HOSTNAME=workstation",
];

function noJournal(): string | null {
  return process.platform === "linux" && existsSync(JOURNAL_WRITER) && works("unshare", ["-m", "true"])
    ? null
    : "apt-get install systemd-journal-remote, and run as root";
}

function verifyJournal(folder: string): void {
  const key = readFileSync(join(folder, "key"), "utf8").trim();
  // A journal that grows is continued in further files.
  const files = join(journals(), "rows*.journal");
  const run = inJournal(folder, `journalctl --verify --verify-key=${key} --file '${files}'`);
  if (!run.includes("PASS") || run.includes("FAIL")) throw new Error(`the journal of the bench is not good: ${run}`);
}

/** As a person does it: the log in use of a data directory. */
function verifyOurs(home: string, vkey: string): void {
  const executable = join(import.meta.dirname, "../../dist/wirken");
  execFileSync(executable, ["audit", "verify", "--key", vkey], { stdio: "pipe", env: { WIRKEN_HOME: home } });
}

export async function peerFigures(): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), "wirken-bench-"));
  try {
    const { path, vkey } = bulkLog(folder, ROWS);
    const figures: Figure[] = [];
    for (const peer of PEERS) {
      const missing = peer.missing();
      const what = `a million rows, ${peer.name}, against ours`;
      const budget = peer.same ? `≥ ${BUDGET} ×` : null;
      if (missing !== null) {
        figures.push({ what, measured: `not measured: ${missing}`, budget, met: null });
        continue;
      }
      const place = mkdtempSync(join(folder, "peer-"));
      await peer.make(place, path);
      const verified = (): void => verifyOurs(folder, vkey);
      const { measured, met } = await compared(() => peer.verify(place), verified);
      figures.push({ what, budget, measured, met: peer.same ? met : null });
      rmSync(place, { recursive: true, force: true });
    }
    return figures;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function compared(verifyTheirs: () => void, verifyOwn: () => void): Promise<Pick<Figure, "measured" | "met">> {
  const pairs: { theirs: number; ours: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const theirs = (await timed(verifyTheirs)) / 1_000;
    const ours = (await timed(verifyOwn)) / 1_000;
    pairs.push({ theirs, ours });
  }
  const times = median(pairs.map(({ theirs, ours }) => theirs / ours));
  const theirs = median(pairs.map((pair) => pair.theirs));
  const ours = median(pairs.map((pair) => pair.ours));
  return { measured: `${ratio(times)} (${theirs.toFixed(2)} s against ${ours.toFixed(2)} s)`, met: times >= BUDGET };
}

async function makeJournal(folder: string, log: string, adds: readonly string[]): Promise<void> {
  mkdirSync(join(folder, "log", "journal", machineId()), { recursive: true });
  writeFileSync(join(folder, "key"), inJournal(folder, "journalctl --setup-keys --interval=15min"));
  const writer = `${JOURNAL_WRITER} --seal=yes --split-mode=none --output=${join(journals(), "rows.journal")} -`;
  const start = Date.now() * 1_000;
  const boot = "0".repeat(31) + "1";
  await feed("unshare", ["-m", "bash", "-ec", mounted(folder, writer)], log, (body, seq) =>
    [
      `__REALTIME_TIMESTAMP=${start + seq * STEP}`,
      `__MONOTONIC_TIMESTAMP=${seq * STEP + 1}`,
      `_BOOT_ID=${boot}`,
      ...adds,
      `MESSAGE=${body}`,
      "",
      "",
    ].join("\n"),
  );
}

/** The system's own journal is neither read nor written: it is covered, for this process alone. */
function mounted(folder: string, command: string): string {
  return `mount --bind '${join(folder, "log")}' /var/log; ${command}`;
}

function inJournal(folder: string, command: string): string {
  const run = spawnSync("unshare", ["-m", "bash", "-ec", mounted(folder, `${command} 2>&1 >&3`)], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  if (run.status !== 0) throw new Error(`${command} failed: ${run.stdout}${run.stderr}`);
  // The answer is on descriptor 3, the talk on 1.
  const answer: unknown = run.output[3];
  return `${typeof answer === "string" ? answer : ""}${command.includes("--verify") ? run.stdout : ""}`;
}

/** Where a sealing key is looked for, and so where the journal is. */
function journals(): string {
  return join("/var/log/journal", machineId());
}

function machineId(): string {
  return readFileSync("/etc/machine-id", "utf8").trim();
}

async function makeRepository(folder: string, log: string): Promise<void> {
  const repository = join(folder, "rows.git");
  execFileSync("git", ["init", "--quiet", "--bare", repository], { stdio: "pipe" });
  await feed("git", ["-C", repository, "fast-import", "--quiet"], log, (body, seq) => {
    const bytes = Buffer.byteLength(body);
    return `commit refs/heads/rows\ncommitter bench <bench@localhost> ${1_700_000_000 + seq} +0000\ndata ${bytes}\n${body}\n`;
  });
}

/** Writes every row of a log to a program's input, in the program's own form. */
async function feed(
  program: string,
  words: readonly string[],
  log: string,
  form: (body: string, seq: number) => string,
): Promise<void> {
  const child = spawn(program, words, { stdio: ["pipe", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const ended = once(child, "close");
  const database = new Database(log, { readonly: true });
  try {
    const rows = database.prepare<[number, number], { seq: number; body: string }>(
      "SELECT seq, body FROM entry WHERE seq > ? ORDER BY seq LIMIT ?",
    );
    for (let last = -1; ; ) {
      const batch = rows.all(last, BATCH);
      if (batch.length === 0) break;
      await written(child.stdin, batch.map(({ body, seq }) => form(body, seq)).join(""));
      last = batch.at(-1)?.seq ?? last;
    }
    child.stdin.end();
  } finally {
    database.close();
  }
  await ended;
  if (child.exitCode !== 0) throw new Error(`${program} ended with ${String(child.exitCode)}: ${said}`);
}

async function written(to: Writable, text: string): Promise<void> {
  if (!to.write(text)) await once(to, "drain");
}

function works(program: string, words: readonly string[]): boolean {
  return spawnSync(program, words, { stdio: "ignore" }).status === 0;
}
