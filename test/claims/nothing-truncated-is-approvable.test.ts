import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { readCard } from "../support/card-reader.ts";
import { PageClient } from "../support/page-client.ts";
import { ownFile } from "../support/own-workspace.ts";
import { SLACK_OWNER, Spine } from "../support/spine.ts";

/** Whatever is approved was shown to its last character: in parts where one message does not hold it, and nowhere that cannot show it all. */

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
async function oneMore(before: number): Promise<void> {
  await spine.eventually("the call run", async () => (await spine.rows("tool.finished")).length > before);
  expect(await spine.calls()).toBe(before + 1);
}

function file(name: string): string {
  return ownFile(spine.daemon.data, name);
}
function writes(path: string, content: string) {
  return { calls: [{ name: "write_file", arguments: { path, content } }] };
}

test("who saw less than the whole card approves nothing: its digest is another", async () => {
  const before = await spine.calls();
  const content = "line\n".repeat(40);
  spine.model.script("a file of forty lines", writes("forty.txt", content), { text: "the forty lines are there" });
  spine.write("a file of forty lines");
  const card = await spine.asked();
  expect(readCard(card.card).content).toBe(content);
  const cut = card.card.slice(0, -200);
  // What tells a cut card from a whole one: the reader of cards does not find the end of it.
  expect(() => readCard(cut.slice(0, cut.indexOf("the whole file") + 60))).toThrow("the whole file as it will be");
  const digest = createHash("sha256").update(cut).digest("hex");
  const refused = await spine.daemon.wirken(["approvals", "approve", card.approval, "--card", digest]);
  expect(refused).toMatchObject({ status: 4, stderr: expect.stringContaining("another card") as unknown });
  const { approval } = card;
  await expect(
    page.call({ call: "approvals.decide", approval, decision: "approve", scope: "once", card: digest, reason: null }),
  ).rejects.toThrow("not the request that you were shown");
  expect(await spine.calls()).toBe(before);
  expect(await spine.approve(card)).toMatchObject({ status: 0 });
  await oneMore(before);
});

test("what is too large for one message is shown whole before it, in parts", async () => {
  const before = await spine.calls();
  const content = Array.from({ length: 240 }, (_, at) => `line ${at} ${" ".repeat(at % 90)}|`).join("\n");
  spine.model.script("a long file", writes("long.txt", content), { text: "the long file is there" });
  spine.write("a long file");
  const { card, digest } = await spine.asked();
  const last = await spine.card();
  expect(last.text).toContain(digest);
  const parts = spine
    .shownTo()
    .filter(({ text }) => /^part \d+ of \d+, of the request with SHA-256 /.test(text) && text.includes(digest));
  const [, of] = /of (\d+),/.exec(parts[0]?.text ?? "") ?? [];
  expect(parts).toHaveLength(Number(of));
  expect(parts.length).toBeGreaterThan(2);
  expect(
    parts
      .map(({ text }) =>
        text
          .split("\n")
          .slice(1)
          .join("\n")
          .replace(/\n\[part \d+ ends\]$/, ""),
      )
      .join(""),
  ).toBe(card);
  expect(readCard(card).content).toBe(content);
  expect(await spine.press(last, "Approve")).toBe("approved");
  await oneMore(before);
  expect(readFileSync(file("long.txt"), "utf8")).toBe(content);
});

test("what does not fit on Slack at all has no code there", async () => {
  const before = await spine.calls();
  const content = "y".repeat(60_000);
  spine.model.script("a huge file, please", writes("vast.txt", content), { text: "the vast file is there" });
  spine.slack.direct("a huge file, please", SLACK_OWNER);
  const card = await spine.asked();
  await spine.posted("too long to be shown here whole");
  expect(spine.textsAt("slack").filter((text) => text.includes(card.code))).toEqual([]);
  spine.slack.direct(`approve ${card.code}`, SLACK_OWNER);
  await spine.posted("this request was not sent there");
  expect(await spine.calls()).toBe(before);
  expect(readCard(card.card).content).toBe(content);
  await spine.approve(card);
  await oneMore(before);
});

test("what does not fit there at all has no button there, and no code: the terminal shows it", async () => {
  const before = await spine.calls();
  const content = "x".repeat(60_000);
  spine.model.script("a huge file", writes("huge.txt", content), { text: "the huge file is there" });
  const buttons = spine.shownTo().filter(({ keyboard }) => keyboard.length > 0).length;
  spine.write("a huge file");
  const card = await spine.asked();
  await spine.shown("too long to be shown here whole");
  expect(spine.shownTo().filter(({ keyboard }) => keyboard.length > 0)).toHaveLength(buttons);
  spine.write(`approve ${card.code}`);
  await spine.shown("this request was not sent there");
  expect(await spine.calls()).toBe(before);
  expect(readCard(card.card).content).toBe(content);
  await spine.approve(card);
  await oneMore(before);
});
