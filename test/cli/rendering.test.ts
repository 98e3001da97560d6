import { Name } from "../../src/ipc/ids.ts";
import { expect, test } from "vitest";
import { z } from "zod/mini";
import { rowLines, rowsAsTheyCome, rowText } from "../../src/cli/audit-row.ts";
import { unknownKind } from "../../src/cli/commands/audit-log.ts";
import { prunedText } from "../../src/cli/commands/audit-prune.ts";
import { addedText } from "../../src/cli/commands/vault-add.ts";
import { codeOf, pairText } from "../../src/cli/commands/pair.ts";
import { statusText } from "../../src/cli/commands/status.ts";
import { enrolmentOf } from "../../src/cli/credential-name.ts";
import { moment, span } from "../../src/cli/moment.ts";
import { instructionsFor } from "../../src/cli/platform-instructions.ts";
import { printable, printableLines } from "../../src/cli/printable.ts";
import { mint } from "../../src/ipc/ids.ts";
import type { AnswerTo } from "../../src/ipc/operator.ts";

const aStatus: AnswerTo<"status"> = {
  version: "0.1.0",
  build: "b",
  pid: 7,
  since: "2026-11-23T22:31:00.000Z",
  home: "/home/u/.wirken",
  web: "http://127.0.0.1:7717",
  vault: {
    state: "open",
    protector: "keychain",
    keychain: "works",
    recovery: true,
    sentence: "open, protected by the keychain",
  },
  model: { agent: Name.parse("default"), ref: "ollama/qwen3", note: "found Ollama on its default port" },
  agents: [{ agent: Name.parse("default"), ref: "ollama/qwen3" }],
  channels: [{ channel: "slack", enabled: true, state: "refused", account: null, note: "the token was refused" }],
  search: "asks brave (api.search.brave.com)",
  sandbox: { works: false, note: "install bubblewrap: apt-get install bubblewrap" },
  log: { rows: 42, checkpoint: 40, stopped: null },
  processes: [],
  proxy: null,
  storage: { state: "good", sentence: null },
  pendingApprovals: 2,
  notes: ["config.json could not be read"],
};

test("status says what runs, what is missing and what to do", () => {
  const text = statusText(aStatus, Date.parse("2026-11-23T23:36:00.000Z"));
  expect(text).toContain("(1 h 5 min)");
  expect(text).toContain("42 rows, signed up to row 39");
  expect(text).toContain("does not work\n           install bubblewrap: apt-get install bubblewrap");
  expect(text).toContain("2 waiting: wirken approvals list");
  expect(text).toContain("slack    refused  -        the token was refused");
  expect(text).toContain("- config.json could not be read");
});

test("a kind that nobody knows is told, with the nearest that there is", () => {
  expect(["tool.called", "tool.", "log.checkpointed"].map((kind) => unknownKind(kind))).toEqual([null, null, null]);
  expect(unknownKind("tool")).toBe("note: this version knows no kind of row tool: did you mean tool.?");
  expect(unknownKind("tool.caled")).toContain("did you mean tool.called?");
  expect(unknownKind("zzzzzzzzzzzz")).toBe("note: this version knows no kind of row zzzzzzzzzzzz");
});

test("what was pruned is counted, and where nothing was that is said", () => {
  const pruned = { rows: 7, held: 1, parts: 0, from: 9, compacted: true };
  expect(prunedText(pruned)).toContain("from row 9 on every row is there");
  expect(prunedText({ ...pruned, rows: 0, from: 0 })).toBe(
    "nothing was pruned: no row that may go is older\n1 rows stay because a hold exempts them: wirken audit hold list",
  );
});

test("a log that has stopped says so in place of its size", () => {
  const log = { rows: 42, checkpoint: 40, stopped: "row 7 was changed" };
  expect(statusText({ ...aStatus, log }, 0)).toContain("stopped: row 7 was changed");
});

const added = { checked: true, account: "Acme Bot", notes: ["telegram is enabled"] };
const until = "2026-11-23T22:41:00.000Z";

test("an enrolled bot ends with the link whose first sender is the owner", () => {
  const owner = { code: "7F3K9QRS", link: "https://t.me/acme_bot?start=7F3K9QRS", until };
  const text = addedText(enrolmentOf("telegram", []), { ...added, owner });
  expect(text).toContain("saved telegram, as Acme Bot\ntelegram is enabled\n");
  expect(text).toContain("open this link and press Start:\nhttps://t.me/acme_bot?start=7F3K9QRS");
});

test("where there is no link there is a code to send", () => {
  const text = addedText(enrolmentOf("slack", []), { ...added, owner: { code: "7F3K9QRS", link: null, until } });
  expect(text).toContain("send this code to the bot: 7F3K9QRS");
});

test("what was saved unchecked says so", () => {
  const text = addedText(enrolmentOf("openai", []), { checked: false, account: null, notes: [], owner: null });
  expect(text).toBe("saved openai, unchecked: it is checked at the next start");
});

test("people and waiting strangers are listed with the command that lets one in", () => {
  const text = pairText({
    people: [
      { principal: "p_1", name: "ada", role: "owner", identities: [{ channel: "slack", id: "U1", name: "Ada" }] },
      { principal: "p_2", name: "bob", role: "user", identities: [] },
    ],
    pending: [
      { pairing: mint("pairing"), code: "7F3K9QRS", channel: "telegram", id: "99", name: "Eve", expires: until },
    ],
  });
  expect(text).toContain("p_1     owner  ada   slack (Ada)");
  expect(text).toContain("p_2     user   bob   -");
  expect(text).toContain("7F3K9QRS  telegram  Eve (99)");
  expect(text).toContain("wirken pair approve CODE");
});

test.for([
  ["7f3k9qrs", "7F3K9QRS"],
  ["7F3K-9QRS", "7F3K9QRS"],
  ["oil0oil0", "01100110"],
] as const)("the code %s is read as %s", ([typed, code]) => {
  expect(codeOf(typed)).toBe(code);
});

test.for(["", "7F3K", "7F3K9QRU", "7F3K9QRSX"])("%j is not a code", (typed) => {
  expect(() => codeOf(typed)).toThrow("is not a pairing code");
});

const aRow = {
  seq: 7,
  at: "2026-11-23T22:31:00.000Z",
  kind: "tool.called",
  cause: 3,
  fields: { tool: "exec", key: "exec:rw", nonce: "ab", args: "0".repeat(64), grant: null },
  content: { arguments: '{"argv":["ls"]}\n', note: null },
};

test("a row in a list shows its words and no digest", () => {
  const [, line] = rowLines([aRow]).split("\n");
  expect(line).toMatch(/^#7 {3}2026-11-2\d \d\d:\d\d:00 {2}tool\.called {2}#3 {5}tool=exec key=exec:rw$/);
});

/** Where the last column begins. */
function columnOf(text: string): number {
  return text.search(/what$|tool=exec/);
}

test("rows that come one after another stand under each other; a longer cell moves those after it, and none before", () => {
  const { lines, line } = rowsAsTheyCome(true);
  const printed = [
    ...lines([aRow]).split("\n"),
    line({ ...aRow, seq: 1_000, kind: "vault.recovery.created" }),
    line(aRow),
  ];
  expect(new Set(printed.map(columnOf)).size).toBe(1);
  const longer = line({ ...aRow, seq: 1_234_567_890 });
  expect(columnOf(longer)).toBeGreaterThan(columnOf(printed[0] ?? ""));
  expect(columnOf(line(aRow))).toBe(columnOf(longer));
  // Nothing is there yet: the headings are.
  expect(rowsAsTheyCome(true).lines([])).toMatch(/^row +time +kind +cause +what$/);
});

test("a row alone shows everything, and says what cannot be shown", () => {
  const text = rowText(aRow);
  expect(text).toContain(`args   ${"0".repeat(64)}`);
  expect(text).toContain('arguments:\n  {"argv":["ls"]}');
  expect(text).toContain("note:\n  (erased, or the vault is locked)");
});

test("what a terminal would obey is written out, everywhere but a reply's own lines", () => {
  expect(printable("a\u001b]0;x\u0007\nb")).toBe("a\\x1b]0;x\\x07\\x0ab");
  expect(printableLines("a\n\tb\u001b[0m\u2066")).toBe("a\n\tb\\x1b[0m\\u{2066}");
});

test.for([
  [4_000, "4 s"],
  [180_000, "3 min"],
  [7_500_000, "2 h 5 min"],
  [7_200_000, "2 h"],
  [345_600_000, "4 days"],
] as const)("%i ms is %s", ([milliseconds, said]) => {
  expect(span(milliseconds)).toBe(said);
});

test("what is no time is shown as it is", () => {
  expect(moment("soon")).toBe("soon");
});

const Manifest = z.looseObject({
  oauth_config: z.looseObject({ scopes: z.object({ bot: z.array(z.string()) }) }),
  settings: z.looseObject({
    socket_mode_enabled: z.literal(true),
    interactivity: z.object({ is_enabled: z.literal(true) }),
    event_subscriptions: z.object({ bot_events: z.array(z.string()) }),
  }),
  features: z.looseObject({ app_home: z.looseObject({ messages_tab_enabled: z.literal(true) }) }),
});

test("the link that makes a Slack app carries everything that the app needs", () => {
  const link = /https:\S+/.exec(instructionsFor("slack"))?.[0] ?? "";
  const manifest = Manifest.parse(JSON.parse(new URL(link).searchParams.get("manifest_json") ?? ""));
  expect(manifest.oauth_config.scopes.bot).toEqual(
    expect.arrayContaining([
      "app_mentions:read",
      "chat:write",
      "im:history",
      "channels:history",
      "channels:read",
      "files:read",
      "files:write",
      "groups:history",
      "groups:read",
      "im:write",
      "reactions:write",
      "mpim:history",
      "users:read",
    ]),
  );
  expect(manifest.settings.event_subscriptions.bot_events.toSorted()).toEqual([
    "app_mention",
    "app_uninstalled",
    "member_left_channel",
    "message.channels",
    "message.groups",
    "message.im",
    "message.mpim",
    "tokens_revoked",
  ]);
});
