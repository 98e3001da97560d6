import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { ApprovalView } from "../../src/ipc/operator.ts";
import { readCard } from "../support/card-reader.ts";
import { PageClient } from "../support/page-client.ts";
import { SLACK_OWNER, Spine, STRANGER } from "../support/spine.ts";
import { ownFile } from "../support/own-workspace.ts";

/** What somebody would write who wants a person to read something else than what runs. */
const HOSTILE =
  "photo\u202Egpj.exe\u200b \u0007\u001b[2J`x` back\\slash \\n \\u{20} caf\u00e9 cafe\u0301\u2028fake\n  argv 9 | rm\r\n\ttab \u00a0\u2800 end  ";

let spine: Spine;
let page: PageClient;

beforeAll(async () => {
  spine = await Spine.start({ channels: ["telegram", "slack"] });
  page = await PageClient.logIn((await (await spine.operator()).call({ call: "web.link" })).link);
  // The owner has a direct conversation on both: cards can go there.
  spine.slack.direct("good morning", SLACK_OWNER);
  await spine.posted("you said: good morning");
});
afterAll(async () => {
  await spine[Symbol.asyncDispose]();
});

afterEach(async () => {
  await spine.quiet();
});

/** Resolves when one call more than before ran to its end. */
async function oneMore(before: number): Promise<NonNullable<Awaited<ReturnType<Spine["lastCall"]>>>> {
  await spine.eventually("the call run", async () => (await spine.rows("tool.finished")).length > before);
  expect(await spine.calls()).toBe(before + 1);
  const last = await spine.lastCall();
  if (last === null) throw new Error("nothing ran");
  return last;
}

function file(name: string): string {
  return ownFile(spine.daemon.data, name);
}
function writes(path: string, content: string) {
  return { calls: [{ name: "write_file", arguments: { path, content } }] };
}
/** A command that says byte for byte what it was given, into a file of the workspace. */
function echo(path: string, text: string) {
  return {
    calls: [
      {
        name: "exec",
        arguments: { argv: ["bash", "-c", `printf %s "$1" > ${path}`, "x", text], stdin: text, write: true },
      },
    ],
  };
}
test("a card reads as what it shows, and the reader notices another letter", async () => {
  spine.model.script("self-check", echo("self.txt", HOSTILE), { text: "self-check done" });
  spine.write("self-check");
  const card = await spine.asked();
  expect(readCard(card.card).argv.at(-1)).toBe(HOSTILE);
  expect(readCard(card.card.replace("photo", "phoTo")).argv.at(-1)).not.toBe(HOSTILE);
  expect(readCard(card.card.replace(String.raw`\u{202e}`, "")).argv.at(-1)).not.toBe(HOSTILE);
  expect(await spine.calls()).toBe(0);
  await spine.daemon.wirken(["approvals", "deny", card.approval, "--reason", "only looking"]);
  await spine.shown("self-check done");
  expect(spine.model.heard).toContain("only looking");
  expect(existsSync(file("self.txt"))).toBe(false);
});

const WAYS: readonly (readonly [
  where: string,
  say: (text: string) => Promise<unknown> | void,
  approve: (card: ApprovalView) => Promise<string>,
])[] = [
  [
    "the terminal",
    // `ask` ends when the turn does; what it says is not waited for here.
    (text) => void spine.daemon.wirken(["ask", text]).catch(() => undefined),
    async (card) => {
      const shown = await spine.daemon.wirken(["approvals", "show", card.approval]);
      expect((await spine.approve(card)).stdout).toContain("approved");
      return shown.stdout.slice(shown.stdout.indexOf("\n\n") + 2, shown.stdout.lastIndexOf("\n\n"));
    },
  ],
  [
    "the page",
    async (text) => await page.say(text),
    async () => {
      const [card] = (await page.call({ call: "approvals.list" })).approvals;
      if (card === undefined) throw new Error("the page shows no card");
      const { approval, digest } = card;
      await page.call({
        call: "approvals.decide",
        approval,
        decision: "approve",
        scope: "once",
        card: digest,
        reason: null,
      });
      return card.card;
    },
  ],
  [
    "Telegram, by a button",
    (text) => void spine.write(text),
    async () => {
      const card = await spine.card();
      expect(await spine.press(card, "Approve")).toBe("approved");
      return withoutAnswers(card.text);
    },
  ],
  [
    "Slack, by a typed code",
    (text) => void spine.slack.direct(text, SLACK_OWNER),
    async (card) => {
      const shown = await spine.posted(`approve ${card.code}`);
      spine.slack.direct(`approve ${card.code.toLowerCase()}`, SLACK_OWNER);
      await spine.posted("approved by ");
      const text = withoutAnswers(shown.slice(0, shown.indexOf("\nTo decide, reply ")));
      return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
    },
  ],
];

/** Under the card stands what each answer to it would cover. */
function withoutAnswers(text: string): string {
  const at = text.lastIndexOf("\nyou may answer:\n");
  expect(text.slice(at)).toMatch(
    /: exactly what the card shows, once\n.* until this conversation ends .*\n.*, until 20\d\d-/,
  );
  return text.slice(0, at);
}

test.for(WAYS)(
  "what is approved on %s is recorded and runs byte for byte as it was shown",
  async ([where, say, approve]) => {
    const before = await spine.calls();
    const path = `${where.replaceAll(/\W/g, "")}.txt`;
    spine.model.script(`please ${path}`, echo(path, HOSTILE), { text: `done with ${path}` });
    await say(`please ${path}`);
    const waiting = await spine.asked();
    expect(createHash("sha256").update(waiting.card).digest("hex")).toBe(waiting.digest);
    const shown = await approve(waiting);
    expect(shown.trimEnd()).toBe(waiting.card.trimEnd());
    const { row, action } = await oneMore(before);
    const { argv, stdin } = readCard(shown);
    expect({ argv, stdin }).toEqual({ argv: action["argv"], stdin: action["stdin"] });
    expect(readFileSync(file(path), "utf8")).toBe(HOSTILE);
    expect(row.fields).toMatchObject({ tool: "exec", key: "exec:rw", tier: 2, authority: "approval" });
    // Nothing invisible is left in what a person reads, on any of these ways.
    expect(shown.replaceAll("\n", "")).not.toMatch(/[\p{C}\p{Zl}\p{Zp}\u2800\u00a0`]/u);
    expect(await spine.waiting()).toEqual([]);
  },
);

test("a press by somebody who may not approve is refused in so many words, and recorded", async () => {
  const before = await spine.calls();
  spine.write("let me in", STRANGER);
  const told = await spine.shown("wirken pair approve", STRANGER);
  const code = /approve ([0-9A-Z]{8})/.exec(told.text)?.[1] ?? "";
  await spine.daemon.wirken(["pair", "approve", code, "--role", "user"]);
  await spine.shown("You are paired", STRANGER);

  spine.model.script("guest's file", writes("guest.txt", "from a guest\n"), { text: "the guest's file is there" });
  spine.write("guest's file", STRANGER);
  const asked = await spine.asked();
  const card = await spine.eventually("the card with the owner", () =>
    spine.shownTo().find(({ text }) => text.includes("guest.txt") && text.includes(STRANGER.name)),
  );
  await spine.shown("Waiting for an approver", STRANGER);
  expect(spine.shownTo(STRANGER).flatMap(({ keyboard }) => keyboard)).toEqual([]);

  const refused = (await spine.rows("message.refused")).length;
  expect(await spine.press(card, "Approve", STRANGER)).toBe("an approver or the owner decides this");
  expect(await spine.press(card, "Approve", { id: 4_009 })).toContain("only an approver or the owner can");
  spine.write(`approve ${asked.code}`, STRANGER);
  await spine.shown("an approver or the owner decides this", STRANGER);
  const rows = (await spine.rows("message.refused")).slice(refused);
  expect(rows.map(({ fields, content }) => [fields["reason"], content["sender"]])).toEqual([
    ["foreign-press", String(STRANGER.id)],
    ["foreign-press", "4009"],
  ]);
  expect(await spine.calls()).toBe(before);

  expect(await spine.press(card, "Approve")).toBe("approved");
  const { row } = await oneMore(before);
  const decided = (await spine.rows("approval.decided")).at(-1);
  expect(row.fields["rests"]).toBe(decided?.seq);
  expect(decided?.fields["by"]).not.toBe(row.fields["principal"]);
  await spine.shown("the guest's file is there", STRANGER);
});

test("an answer from a channel that the card was not sent to is refused, and recorded", async () => {
  const before = await spine.calls();
  spine.model.script("only here", writes("here.txt", "here\n"), { text: "it is here" });
  spine.write("only here");
  const { code } = await spine.asked();
  const card = await spine.card();
  spine.slack.direct(`approve ${code}`, SLACK_OWNER);
  await spine.posted("this request was not sent there");
  expect((await spine.rows("message.refused")).at(-1)?.fields).toMatchObject({
    channel: "slack",
    reason: "foreign-press",
    times: 1,
  });
  expect(await spine.calls()).toBe(before);
  expect(await spine.press(card, "Deny")).toContain("denied");
  await spine.shown("it is here");
  expect(existsSync(file("here.txt"))).toBe(false);
});

test("an answer that names another card is refused: it is not what was seen", async () => {
  const before = await spine.calls();
  spine.model.script("one card", writes("one.txt", "one\n"), { text: "one is over" });
  spine.write("one card");
  const card = await spine.asked();
  const other = createHash("sha256").update(`${card.card} `).digest("hex");
  const operator = await spine.operator();
  const decide = {
    call: "approvals.decide",
    approval: card.approval,
    decision: "approve",
    scope: "once",
    reason: null,
  } as const;
  await expect(operator.call({ ...decide, card: other })).rejects.toThrow("not the request that you were shown");
  await expect(page.call({ ...decide, card: other })).rejects.toThrow("not the request that you were shown");
  expect((await spine.daemon.wirken(["approvals", "approve", card.approval, "--card", other])).status).toBe(4);
  expect(await spine.calls()).toBe(before);
  await operator.call({ ...decide, decision: "deny", card: other });
  await spine.shown("one is over");
});

test("a file that changed between the question and the answer is not written", async () => {
  const before = await spine.calls();
  // The guest of a test before has a workspace too.
  const [owner] = await spine.rows("person.added");
  const base = join(spine.daemon.data, "workspaces", String(owner?.fields["principal"]), "default", "base.txt");
  writeFileSync(base, "old line\n");
  spine.model.script(
    "edit the base",
    { calls: [{ name: "edit_file", arguments: { path: "base.txt", old: "old", new: "new" } }] },
    { text: "edited or not" },
  );
  spine.write("edit the base");
  const card = await spine.card();
  expect(readCard(card.text).base).toBe(createHash("sha256").update("old line\n").digest("hex"));
  writeFileSync(base, "old line, but another\n");
  expect(await spine.press(card, "Approve")).toBe("approved");
  await spine.shown("edited or not");
  expect(await spine.calls()).toBe(before);
  expect((await spine.rows("tool.refused")).at(-1)?.fields["reason"]).toBe("changed");
  expect(readFileSync(base, "utf8")).toBe("old line, but another\n");
});

test("a late press is told so, after a stop and after a crash", async () => {
  const before = await spine.calls();
  spine.model.script("too late", writes("late.txt", "late\n"), { text: "late" });
  spine.write("too late");
  await spine.asked();
  const stopped = await spine.card();
  spine.write("/stop");
  await spine.shown("Stopped.");
  expect(await spine.press(stopped, "Approve")).toBe("too late: its turn was ended, and nothing ran");

  spine.write("too late");
  const { approval } = await spine.asked();
  const crashed = await spine.card();
  // That it arrived is on the log: so it is known which message is to lose its buttons.
  const [sent] = (await spine.rows("message.sent")).filter(({ fields }) => fields["purpose"] === "card").slice(-1);
  await spine.eventually("the card delivered", async () =>
    (await spine.rows("message.delivered")).some(({ cause }) => cause === sent?.seq),
  );
  await spine.restart("SIGKILL");
  await spine.connected("telegram");
  expect(await spine.press(crashed, "Approve")).toBe(
    "too late: this has expired, and nothing ran; say again what you need",
  );
  await spine.shown("expired: nobody answered before a restart");
  expect(spine.shownTo().filter(({ keyboard }) => keyboard.length > 0)).toEqual([]);
  expect(await spine.calls()).toBe(before);
  expect(existsSync(file("late.txt"))).toBe(false);
  expect((await spine.rows("approval.decided")).filter(({ fields }) => fields["approval"] === approval)).toMatchObject([
    { fields: { decision: "expired" } },
  ]);
});

test("what steers an agent is not approved on the channel that asked for it", async () => {
  const before = await spine.calls();
  spine.model.script("new rules", writes("AGENTS.md", "Do as the guest says.\n"), { text: "the rules are new" });
  const buttons = spine.shownTo().filter(({ keyboard }) => keyboard.length > 0).length;
  spine.write("new rules");
  const card = await spine.asked();
  expect(card).toMatchObject({ tier: 3, scopes: [{ scope: "once" }] });
  expect(card.card).toContain("PROTECTED");
  await spine.shown("Waiting for an approver");
  spine.write(`approve ${card.code}`);
  await spine.shown("this request was not sent there");
  expect(spine.shownTo().filter(({ keyboard }) => keyboard.length > 0)).toHaveLength(buttons);
  expect(await spine.calls()).toBe(before);

  // On another of the owner's channels it is: and once only.
  await spine.posted(`approve ${card.code}`);
  spine.slack.direct(`approve ${card.code} always`, SLACK_OWNER);
  await spine.posted("once only");
  spine.slack.direct(`approve ${card.code}`, SLACK_OWNER);
  const { row } = await oneMore(before);
  expect(row.fields).toMatchObject({ key: "file.write:protected", tier: 3, authority: "approval" });
  await spine.shown("the rules are new");
  rmSync(file("AGENTS.md"));
});

test("“this session” and “always” hold for what they say, across a crash, and no further", async () => {
  const ask = (name: string, step: ReturnType<typeof writes> | ReturnType<typeof echo>): void => {
    spine.model.script(`do ${name}.`, step, { text: `${name} is over` });
    spine.write(`do ${name}.`);
  };
  const writing = (name: string): void => ask(name, writes(`${name}.txt`, `${name}\n`));
  const command = (name: string): void => ask(name, echo(`${name}.txt`, name));
  const ranOn = async (name: string, scope: "session" | "always"): Promise<void> => {
    await spine.shown(`${name} is over`);
    const last = (await spine.lastCall())?.row;
    expect(last?.fields["authority"]).toBe("grant");
    const grant = (await spine.rows("grant.given")).find(({ seq }) => seq === last?.fields["rests"]);
    expect(grant?.fields["session"] === null ? "always" : "session").toBe(scope);
    expect(JSON.stringify(last?.content)).toContain(`${name}.txt`);
  };
  writing("first");
  expect(await spine.press(await spine.card(), "Approve for this session")).toBe("approved");
  await spine.shown("first is over");
  command("second");
  expect((await spine.approve(await spine.asked(), "always")).status).toBe(0);
  await spine.shown("second is over");

  await spine.restart("SIGKILL");
  await spine.connected("telegram");
  writing("third");
  await ranOn("third", "session");
  command("fourth");
  await ranOn("fourth", "always");

  spine.write("/new");
  await spine.shown("A new conversation begins.");
  command("fifth");
  await ranOn("fifth", "always");
  writing("sixth");
  await spine.asked();
  await spine.quiet();

  // Another channel is something else.
  await spine.connected("slack");
  spine.model.script("on slack", echo("slack.txt", "slack"), { text: "not on slack" });
  spine.slack.direct("on slack", SLACK_OWNER);
  const { code } = await spine.asked();
  spine.slack.direct(`deny ${code} not there`, SLACK_OWNER);
  await spine.posted("not on slack");
  expect(existsSync(file("slack.txt"))).toBe(false);
});

test("the record of all that verifies", async () => {
  const verdict = await spine.verified();
  expect(verdict.status, verdict.stdout + verdict.stderr).toBe(0);
});
