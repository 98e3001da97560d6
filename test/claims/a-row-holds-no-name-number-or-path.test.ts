import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod/mini";
import { bodiesOf, breakLog, rowsOf } from "../support/claims-log.ts";
import {
  answered,
  approveNext,
  ask,
  auditOf,
  connected,
  enrolTelegram,
  OWNER,
  PASSPHRASE,
  startProtected,
  until,
  verifies,
} from "../support/claims-world.ts";
import type { TestDaemon } from "../support/daemon.ts";
import { TelegramServer } from "../support/telegram-server.ts";
import { EXTENSIONS, TestCertificates } from "../support/test-certificates.ts";

/** What must outlive a person's wish to be forgotten cannot name them. People with names, numbers, files and secrets that occur nowhere else talk,
 *  are paired, refused, asked and answered; then every body of the log is searched for them, and the file itself too. */

const ZEPHYRINE = { id: 5_550_173_942, name: "Zephyrine Quillfeather" } as const;
const BARNABAS = { id: 6_660_284_053, name: "Barnabas Oystermouth" } as const;
const GROUP = { id: -1_007_770_395_164, title: "Nightjar Teal Society" } as const;
const NICKNAME = "Aunt Marigold";
const PHONE = "+44 7700 900461";
const FOLDER = "winter-ledgers-zq77";
const FILE = "owed-by-oystermouth.txt";
const WORDS = "the cormorant lands at noon";
const REASON = "because the heron is asleep";
const INSTRUCTIONS = "You keep the books of the Halyard family.";
const MODEL_URL = "http://127.0.0.1:9/v1";

let telegram: TelegramServer;
let daemon: TestDaemon;
/** Everything that must not stand in a row. */
let secrets: string[];

beforeAll(async () => {
  telegram = await TelegramServer.start();
  daemon = await startProtected({
    config: {
      agents: { default: { instructions: INSTRUCTIONS } },
      providers: { bookkeeper: { baseUrl: MODEL_URL } },
      channels: { telegram: { apiRoot: telegram.apiRoot } },
      retentionNote: "for thirty days, says Halyard",
    },
  });
  await enrolTelegram(daemon, telegram);
  const codes = await pairZephyrine();
  await talk();
  await refuseBarnabas();
  await skills();
  await manage();
  const ids = [ZEPHYRINE.id, BARNABAS.id, GROUP.id].map((id) => String(Math.abs(id)));
  const names = [ZEPHYRINE.name, BARNABAS.name, GROUP.title, NICKNAME].flatMap((name) => [name, ...name.split(" ")]);
  const said = [PHONE, "7700 900461", FOLDER, FILE, WORDS, REASON, INSTRUCTIONS, "Halyard", ...codes];
  const places = [MODEL_URL, telegram.apiRoot, "@wirken_bot", daemon.data, basename(daemon.home)];
  secrets = [...ids, ...names, ...said, ...places, telegram.token, telegram.token.split(":")[1] ?? "", PASSPHRASE];
});

afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  await telegram[Symbol.asyncDispose]();
});

async function pairZephyrine(): Promise<string[]> {
  telegram.direct(`hello, I am ${ZEPHYRINE.name}, ${PHONE}`, ZEPHYRINE.id, ZEPHYRINE.name);
  const shown = await answered(telegram, (text) => text.includes("pair approve"), ZEPHYRINE.id);
  const code = /pair approve (\S+)/.exec(shown.text)?.[1] ?? "";
  const approved = await daemon.wirken(["pair", "approve", code, "--role", "approver", "--as", NICKNAME]);
  if (approved.status !== 0) throw new Error(approved.stderr);
  await answered(telegram, (text) => text.includes("You are paired"), ZEPHYRINE.id);
  return [code];
}

/** Messages, files with names, a card that is pressed and one that is denied with a reason, a command with paths. */
async function talk(): Promise<void> {
  const says = (text: string): number => telegram.direct(text, ZEPHYRINE.id, ZEPHYRINE.name);
  const hears = async (part: string): Promise<void> =>
    void (await answered(telegram, (text) => text.includes(part), ZEPHYRINE.id));
  says(`write ${FILE}: call ${PHONE}, ${WORDS}`);
  const card = await answered(telegram, (text) => text.includes("write_file"), ZEPHYRINE.id);
  telegram.press(card, "Approve", ZEPHYRINE.id);
  await hears("created");
  says(`run cat ${FILE}`);
  await hears("exit status 0");
  says(`run with write access mkdir -p ${FOLDER}/for-${BARNABAS.name.replace(" ", "-")}`);
  const asked = await answered(telegram, (text) => text.includes("| mkdir"), ZEPHYRINE.id);
  const denial = /deny (\w{4,8})/i.exec(asked.text)?.[1];
  if (denial === undefined) telegram.press(asked, "Deny", ZEPHYRINE.id);
  else says(`deny ${denial} ${REASON}`);
  await hears("denied");
  says(`read ../../${FOLDER}/${FILE}`);
  await hears("read_file");
  const group = { id: GROUP.id, type: "supergroup", title: GROUP.title };
  telegram.message({
    from: { id: ZEPHYRINE.id, is_bot: false, first_name: ZEPHYRINE.name },
    chat: group,
    text: `@wirken_bot read ${FILE}`,
    entities: [{ type: "mention", offset: 0, length: 11 }],
  });
  await until(() => telegram.shown.some(({ chat }) => chat === GROUP.id), "an answer in the group");
}

/** Strangers: in direct talk, in the group, and pressing what is not theirs. */
async function refuseBarnabas(): Promise<void> {
  telegram.direct(`${WORDS}, says ${BARNABAS.name}`, BARNABAS.id, BARNABAS.name);
  await answered(telegram, (text) => text.includes("pair approve"), BARNABAS.id);
  telegram.direct("and again", BARNABAS.id, BARNABAS.name);
  const card = telegram.shown.find(({ keyboard }) => keyboard.length > 0);
  if (card !== undefined) telegram.press(card, card.keyboard[0]?.text ?? "", BARNABAS.id);
  await until(
    () => rowsOf(auditOf(daemon)).some(({ $kind }) => $kind === "message.refused"),
    "the refusal is recorded",
  );
}

/** What the owner does: a command with a path, an approval with a reason, a channel off and on, a person sent away, a stop. */
async function manage(): Promise<void> {
  await Promise.all([ask(daemon, `write ${FOLDER}.txt: ${WORDS}`), approveNext(daemon)]);
  const denied = ask(daemon, `write ${FILE}: ${WORDS} again`);
  const Waiting = z.object({ approvals: z.array(z.object({ approval: z.string() })) });
  await until(async () => {
    const [waiting] = Waiting.parse(await daemon.json("approvals", "list")).approvals;
    if (waiting === undefined) return false;
    return (await daemon.wirken(["approvals", "deny", waiting.approval, "--reason", REASON])).status === 0;
  }, "a denial");
  await denied;
  await daemon.wirken(["vault", "add", "bookkeeper", "--stdin", "--no-check"], { stdin: `key-of-${BARNABAS.name}\n` });
  const planned = await daemon.wirken(["schedule", "add", "every day at 4", `${WORDS} ${FILE}`, "--json"]);
  if (planned.status !== 0) throw new Error(planned.stderr);
  await daemon.wirken(["people", "link", NICKNAME, `telegram:${PHONE}`]);
  await daemon.wirken(["people", "unlink", NICKNAME, `telegram:${PHONE}`]);
  await daemon.wirken(["channel", "disable", "telegram"]);
  await daemon.wirken(["channel", "enable", "telegram"]);
  await connected(daemon);
  const revoked = await daemon.wirken(["pair", "revoke", NICKNAME]);
  if (revoked.status !== 0) throw new Error(revoked.stderr);
  telegram.direct(`${WORDS}?`, ZEPHYRINE.id, ZEPHYRINE.name);
  telegram.direct("list my files", OWNER);
  await until(() => telegram.pending === 0, "everything is taken");
  await until(
    () => rowsOf(auditOf(daemon)).filter(({ $kind }) => $kind === "turn.ended").length >= 8,
    "the turns have ended",
  );
}

/** A skill of hers, with his name and her files in it, under a key that is called as she is, and a root that is called as he is. */
async function skills(): Promise<void> {
  const place = mkdtempSync(join(tmpdir(), "wirken-"));
  try {
    const folder = join(place, FOLDER, "harbour");
    mkdirSync(join(folder, "references"), { recursive: true });
    writeFileSync(
      join(folder, "SKILL.md"),
      `---\nname: harbour\ndescription: Keeps ${FILE} for ${BARNABAS.name}.\n---\nSay: ${WORDS}.\n`,
    );
    writeFileSync(join(folder, "references", FILE), PHONE);
    const key = join(place, "key");
    const does = async (...words: string[]): Promise<string> => (await daemon.wirken(["skills", ...words])).stdout;
    const made = await does("sign", folder, "--key", key, "--new-key", ZEPHYRINE.name.replace(" ", "."), "--json");
    const { vkey, digest } = z.object({ vkey: z.string(), digest: z.string() }).parse(JSON.parse(made));
    await does("install", folder, "--accept", digest);
    await does("trust", vkey);
    const pem = new TestCertificates(place).issue("root", { extensions: EXTENSIONS.root, subject: BARNABAS.name });
    writeFileSync(join(place, "root.pem"), pem.pem);
    await does("trust", "--root", join(place, "root.pem"), "--identity", `*${BARNABAS.name}*`);
    await does("install", folder, "--accept", digest);
    await ask(daemon, `/harbour ${WORDS}`);
    await does("untrust", ZEPHYRINE.name.replace(" ", "."));
    await does("untrust", BARNABAS.name);
    await does("verify");
    await does("remove", "harbour");
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

/** A thing as it is, and as it could be hidden: other letters, other codings, a digest that anybody can guess. */
function guises(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const [base64, hex] = [bytes.toString("base64"), bytes.toString("hex")];
  return [
    secret.toLowerCase(),
    // Inside of a longer text the last group of four may differ.
    base64.slice(0, base64.length - (base64.length % 4) - 4).toLowerCase(),
    hex,
    encodeURIComponent(secret).toLowerCase(),
    createHash("sha256").update(bytes).digest("hex"),
  ].filter((guise) => guise.length >= 4);
}

/** What of all that stands in one of the texts. */
function found(texts: readonly string[]): string[] {
  const low = texts.map((text) => text.toLowerCase());
  return secrets.filter((secret) => guises(secret).some((guise) => low.some((text) => text.includes(guise))));
}

test("the detector detects what is planted in a row, plain or in disguise", () => {
  const folder = mkdtempSync(join(tmpdir(), "wirken-planted-"));
  try {
    const copy = join(folder, "audit.db");
    for (const end of ["", "-wal"]) cpSync(`${auditOf(daemon)}${end}`, `${copy}${end}`);
    const plant = (text: string): string[] => {
      const database = new Database(copy);
      database.prepare("INSERT INTO entry SELECT max(seq) + 1, ?, '' FROM entry").run(JSON.stringify({ text }));
      const all = z.array(z.string()).parse(database.prepare("SELECT body FROM entry").pluck().all());
      database.prepare("DELETE FROM entry WHERE hash = ''").run();
      database.close();
      return found(all);
    };
    expect(plant("nothing")).toEqual([]);
    expect(plant(`from ${ZEPHYRINE.id}`)).toEqual([String(ZEPHYRINE.id)]);
    expect(plant(createHash("sha256").update(PHONE).digest("hex"))).toEqual([PHONE]);
    expect(plant(Buffer.from(FOLDER).toString("base64"))).toEqual([FOLDER]);
    expect(plant(`at ${daemon.data}/x`)).toEqual(expect.arrayContaining([daemon.data, basename(daemon.home)]));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("all that people do here was done, and is on the log", () => {
  const kinds = new Set(rowsOf(auditOf(daemon)).map(({ $kind }) => $kind));
  const wanted = `message.received message.refused message.sent message.delivered pair.requested pair.approved pair.invited person.added
    person.revoked identity.linked identity.unlinked schedule.added conversation.opened session.opened approval.requested approval.decided tool.called tool.finished tool.refused
    model.called model.answered config.loaded agent.configured policy.loaded credential.added channel.disabled secret.used process.ended
    skill.trusted skill.untrusted skill.installed skill.refused skill.removed`;
  expect(wanted.split(/\s+/).filter((kind) => !kinds.has(kind))).toEqual([]);
});

test("no row holds a name, a number, a text, a path, a secret or an address", () => {
  expect(found(bodiesOf(auditOf(daemon)))).toEqual([]);
});

test("nor does the log's file, its write-ahead log, its checkpoint or an index hold one in the clear", async () => {
  await verifies(daemon);
  const files = ["audit.db", "audit.db-wal", "audit.checkpoint", "index.db", "index.db-wal"]
    .map((name) => join(daemon.data, name))
    .filter((path) => existsSync(path));
  const texts = files.map((path) => readFileSync(path, "latin1"));
  expect(texts.join("").length).toBeGreaterThan(100_000);
  expect(found(texts)).toEqual([]);
});

/** The raw bytes of the projection. */
function read(folder: string): string[] {
  return ["state.db", "state.db-wal"].map((name) => readFileSync(join(folder, name), "latin1"));
}

test("nor does the projection, which knows them all: its raw bytes and those of its write-ahead log name nobody", async () => {
  expect(read(daemon.data).join("").length).toBeGreaterThan(50_000);
  expect(found(read(daemon.data))).toEqual([]);
  const { people } = z
    .object({ people: z.array(z.object({ identities: z.array(z.object({ id: z.string() })) })) })
    .parse(await daemon.json("pair", "list"));
  expect(people.flatMap(({ identities }) => identities.map(({ id }) => id))).toContain(String(OWNER));
  // Somebody who lay there in the clear would be found.
  const folder = mkdtempSync(join(tmpdir(), "wirken-projection-"));
  try {
    for (const name of ["state.db", "state.db-wal"]) cpSync(join(daemon.data, name), join(folder, name));
    const database = new Database(join(folder, "state.db"));
    database.pragma("wal_autocheckpoint = 0");
    database.prepare("INSERT INTO cursor VALUES (?, ?)").run("planted", Buffer.from(`${BARNABAS.id}`));
    expect(found(read(folder))).toEqual([String(BARNABAS.id)]);
    database.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("nor do the daemon's own lines", async () => {
  using _ = breakLog(auditOf(daemon), "message.received", "refuses");
  telegram.direct(`${WORDS}, and not on the log`, OWNER);
  await until(() => daemon.stderr.includes("nothing was recorded"), "a line");
  expect(found([daemon.stderr])).toEqual([]);
});
