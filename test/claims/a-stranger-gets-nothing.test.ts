import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SLACK_OWNER, SLACK_STRANGER, Spine, STRANGER } from "../support/spine.ts";

/** Words that nobody but the test says: what holds them was given them. */
const SECRET_WORDS = "zebra quartz monolith";
const OWNERS_WORDS = "amber falcon protocol";
const CODE = /wirken pair approve ([0-9A-Z]{8})/;

let spine: Spine;

beforeAll(async () => {
  spine = await Spine.start({ channels: ["telegram", "slack"], owner: false });
});
afterAll(async () => {
  await spine[Symbol.asyncDispose]();
});

/** What strangers could have reached: agents and models that ran, and everything that a row or its content says. */
async function reached(): Promise<{ agents: number; completions: number; said: string }> {
  const rows = await spine.rows();
  return {
    agents: rows.filter(({ kind, fields }) => kind === "process.started" && fields["role"] === "agent").length,
    completions: spine.model.requests,
    said: JSON.stringify(rows),
  };
}

function inGroup(text: string, who: { id: number; name: string }): void {
  spine.telegram.message({
    from: { id: who.id, is_bot: false, first_name: who.name },
    chat: { id: -77, type: "supergroup", title: "Test Group" },
    text: `@wirken_bot ${text}`,
    entities: [{ type: "mention", offset: 0, length: 11 }],
  });
}

/** A stranger's message is dealt with when a row says so. */
async function refusals(channel: string): Promise<number> {
  const rows = await spine.rows("message.refused");
  return rows.filter(({ fields }) => fields["channel"] === channel && fields["reason"] === "stranger").length;
}

test("an unknown sender is given one pairing code in direct talk, and after that nothing", async () => {
  spine.write(SECRET_WORDS, STRANGER);
  spine.slack.direct(SECRET_WORDS, SLACK_STRANGER);
  const told = await spine.shown("I do not know you yet", STRANGER);
  await spine.posted("I do not know you yet", SLACK_STRANGER.channel);
  expect(told.text).toMatch(CODE);
  expect(told.text).toContain("recorded");

  spine.write(`${SECRET_WORDS} again`, STRANGER);
  spine.slack.direct(`${SECRET_WORDS} again`, SLACK_STRANGER);
  await spine.eventually("both refused", async () => (await refusals("telegram")) + (await refusals("slack")) >= 2);
  spine.write(`${SECRET_WORDS} and again`, STRANGER);
  await spine.eventually("everything taken in", () => spine.telegram.pending === 0);
  expect(spine.shownTo(STRANGER)).toHaveLength(1);
  expect(spine.slack.posted.filter(({ channel }) => channel === SLACK_STRANGER.channel)).toHaveLength(1);
});

test("in a group a stranger meets silence", async () => {
  const before = await refusals("telegram");
  inGroup(SECRET_WORDS, { id: 4_003, name: "Test Stranger Two" });
  await spine.eventually("it refused", async () => (await refusals("telegram")) > before);
  spine.slack.mention(SECRET_WORDS, { user: SLACK_STRANGER.user });
  await spine.eventually("everything taken in", () => spine.slack.pending === 0);
  expect(spine.telegram.shown.filter(({ chat }) => chat === -77)).toEqual([]);
  expect(spine.slack.posted.filter(({ channel }) => channel === "C0OPS")).toEqual([]);
});

test("no agent was started for strangers, no model was asked, and no row or file holds what they wrote", async () => {
  const { agents, completions, said } = await reached();
  expect({ agents, completions }).toEqual({ agents: 0, completions: 0 });
  expect(said).not.toContain("zebra");
  expect(filesHolding("zebra")).toEqual([]);
  expect(spine.daemon.stderr).not.toContain("zebra");
});

test("the code that enrolling prints makes its first sender the owner, and them alone", async () => {
  const { code, link } = await spine.enrol("telegram");
  expect(link).toBe(`https://t.me/wirken_bot?start=${code}`);
  spine.write(`/start ${code}`);
  await spine.shown("You are linked as the owner");
  spine.write(`/start ${code}`, { id: 4_004, name: "Test Latecomer" });
  const late = await spine.shown("I do not know you yet", { id: 4_004 });
  expect(late.text).not.toContain("linked");

  const slack = await spine.enrol("slack");
  expect(slack.link).toBeNull();
  spine.slack.direct(slack.code, SLACK_OWNER);
  await spine.posted("You are linked as the owner");
});

test("who is paired is answered: the detectors detect", async () => {
  spine.write(OWNERS_WORDS);
  await spine.shown(`you said: ${OWNERS_WORDS}`);
  const { agents, completions, said } = await reached();
  expect({ agents, completions }).toEqual({ agents: 1, completions: 1 });
  expect(said).toContain(OWNERS_WORDS);
  expect(spine.model.heard).toContain(OWNERS_WORDS);
  expect(spine.model.heard).not.toContain("zebra");
  // On disk it is sealed: the search finds what is not.
  expect(filesHolding("message.received")).not.toEqual([]);
});

test.for([
  ["Telegram", "telegram"],
  ["Slack", "slack"],
] as const)(
  "an approved stranger is told so and served on %s, and is out at once when revoked",
  async ([, channel]) => {
    const place = channel === "telegram" ? String(STRANGER.id) : SLACK_STRANGER.channel;
    const texts = (): string[] => textsAt(channel, place);
    const write = (text: string): void => {
      if (channel === "telegram") spine.write(text, STRANGER);
      else spine.slack.direct(text, SLACK_STRANGER);
    };
    const code = CODE.exec(texts()[0] ?? "")?.[1] ?? "";
    const approved = await spine.daemon.wirken(["pair", "approve", code.toLowerCase(), "--as", `Guest on ${channel}`]);
    expect(approved.status, approved.stderr).toBe(0);
    await spine.eventually("the welcome", () => texts().some((text) => text.includes("You are paired as")));
    write("count to ten");
    await spine.eventually("an answer", () => texts().some((text) => text.includes("you said: count to ten")));

    // What runs for them is ended too: a turn that waits for an approval waits no more.
    spine.model.script("write it down", {
      calls: [{ name: "write_file", arguments: { path: `${channel}.txt`, content: "x" } }],
    });
    write("write it down");
    await spine.asked();
    const revoked = await spine.daemon.wirken(["pair", "revoke", `Guest on ${channel}`]);
    expect(revoked.status, revoked.stderr).toBe(0);
    expect(await spine.waiting()).toEqual([]);
    await spine.eventually(
      "the turn over",
      async () => (await spine.rows("turn.ended")).at(-1)?.fields["reason"] === "stopped",
    );

    const completions = spine.model.requests;
    const answers = texts().length;
    const before = await refusals(channel);
    write("and now?");
    await spine.eventually(
      "them refused again",
      async () => (await refusals(channel)) > before || texts().length > answers,
    );
    expect(spine.model.requests).toBe(completions);
    expect(
      texts()
        .slice(answers)
        .filter((text) => !text.includes("I do not know you yet")),
    ).toEqual([]);
  },
);

test("the record of all that verifies", async () => {
  const verdict = await spine.verified();
  expect(verdict.status, verdict.stdout + verdict.stderr).toBe(0);
});

function textsAt(channel: "telegram" | "slack", place: string): string[] {
  return channel === "telegram"
    ? spine.shownTo({ id: Number(place) }).map(({ text }) => text)
    : spine.slack.posted.filter((one) => one.channel === place).map(({ text }) => text);
}

/** Files of the data directory in which these words stand. */
function filesHolding(words: string): string[] {
  return readdirSync(spine.daemon.data, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => readFileSync(path).includes(words));
}
