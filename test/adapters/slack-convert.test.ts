import { expect, test } from "vitest";
import * as fc from "fast-check";
import { FromAdapter } from "../../src/ipc/adapter-frames.ts";
import { ACTION, convert, pressed, quoted, type Written } from "../../adapters/slack/convert.ts";

const BOT = { user: "U0WIRKEN", name: "wirken", team: "T0ACME" };

function direct(more: object): object {
  return { type: "message", channel: "D0ADA", channel_type: "im", user: "U0ADA", text: "hi", ts: "17.000100", ...more };
}
function inChannel(text: string, more: object = {}): object {
  return { type: "app_mention", channel: "C0OPS", user: "U0ADA", text, ts: "17.000100", ...more };
}

function written(event: object): Written {
  const heard = convert(event, BOT);
  if (heard?.kind !== "inbound") throw new Error("it is no message for us");
  return heard;
}

test("a direct message is told with its place, its sender and its time", () => {
  expect(convert(direct({}), BOT)).toEqual({
    kind: "inbound",
    message: {
      place: "D0ADA",
      thread: null,
      sender: "U0ADA",
      dedupe: "D0ADA:17.000100",
      talk: "direct",
      sentAt: 17_000,
    },
    user: "U0ADA",
    text: "hi",
    under: null,
  });
});

test("a mention in a channel is answered in its thread, and its two events are one message", () => {
  const mention = convert(inChannel("<@U0WIRKEN> run it"), BOT);
  expect(mention).toMatchObject({ message: { thread: "17.000100", talk: "group" }, text: "run it" });
  expect(convert(inChannel("<@U0WIRKEN> run it", { type: "message", channel_type: "channel" }), BOT)).toEqual(mention);
  const inThread = convert(inChannel("<@U0WIRKEN|wirken>: go", { thread_ts: "16.000001" }), BOT);
  expect(inThread).toMatchObject({ message: { thread: "16.000001" }, text: "go" });
});

test("a thread in a direct conversation is one of its own", () => {
  expect(written(direct({ thread_ts: "16.000001" })).message.thread).toBe("16.000001");
  expect(written(direct({ thread_ts: "16.000001" })).under).toBe("16.000001");
});

test.for([
  { what: "a message of a bot", event: direct({ bot_id: "B1" }) },
  { what: "our own message", event: direct({ user: "U0WIRKEN" }) },
  { what: "Slackbot's", event: direct({ user: "USLACKBOT" }) },
  { what: "an edit", event: direct({ subtype: "message_changed" }) },
  { what: "a message that was edited", event: direct({ edited: { user: "U0ADA", ts: "18.0" } }) },
  { what: "a deletion", event: direct({ subtype: "message_deleted", hidden: true }) },
  { what: "a notice", event: direct({ subtype: "channel_join" }) },
  { what: "unmentioned talk", event: inChannel("lunch?", { type: "message", channel_type: "channel" }) },
  { what: "unmentioned talk of several", event: direct({ channel: "G0ALL", channel_type: "mpim" }) },
  { what: "a mention of somebody whose id begins alike", event: inChannel("<@U0WIRKEN2> go") },
  { what: "nothing", event: direct({ text: " " }) },
  { what: "a message of nobody", event: direct({ user: undefined }) },
  { what: "a place that is no id", event: direct({ channel: "d/../x" }) },
  { what: "another event", event: { type: "reaction_added", user: "U0ADA" } },
  { what: "no event", event: null },
])("$what is not for us", ({ event }) => {
  expect(convert(event, BOT)).toBeNull();
});

test.for([
  { text: "a &lt;b&gt; &amp;amp; c", reads: "a <b> &amp; c" },
  { text: "see <https://example.org/a?b=1&amp;c=2>", reads: "see https://example.org/a?b=1&c=2" },
  { text: "see <https://example.org|example.org>", reads: "see https://example.org" },
  { text: "see <https://evil.example|good.example>", reads: "see good.example (https://evil.example)" },
  { text: "ask <@U0BOB> or <@U0BOB|bob>", reads: "ask @U0BOB or @bob" },
  { text: "in <#C0OPS|ops>, <!here> <!subteam^S1|@team>", reads: "in #ops, @here @team" },
  { text: "mail <mailto:a@b.example|a@b.example>", reads: "mail a@b.example" },
  { text: "on <!date^1^{date}|1 January>", reads: "on 1 January" },
  { text: "&lt;!channel&gt;", reads: "<!channel>" },
])("$text is read as $reads", ({ text, reads }) => {
  expect(written(direct({ text })).text).toBe(reads);
});

test("files are named, with what was written to them", () => {
  const plan = {
    id: "F0PLAN",
    name: "plan.pdf",
    mimetype: "application/pdf",
    size: 9,
    url_private: "https://evil.example",
  };
  const picture = { id: "F0PIC", name: "a]\n[x.png", mimetype: "image/png", size: null };
  const voice = { id: "F0VOICE", title: "memo", mimetype: "audio/webm", subtype: "slack_audio", size: 3 };
  const files = [plan, picture, voice, { id: "F0GONE", mode: "tombstone" }, {}];
  const { message, text } = written(direct({ subtype: "file_share", files, text: "look" }));
  expect(message.files).toEqual([
    { handle: "F0PLAN", name: "plan.pdf", type: "application/pdf", bytes: 9, what: "file" },
    { handle: "F0PIC", name: "a] [x.png", type: "image/png", bytes: null, what: "image" },
    { handle: "F0VOICE", name: "memo", type: "audio/webm", bytes: 3, what: "voice" },
  ]);
  expect(text).toBe("[file]\n[file]\nlook");
  expect(written(direct({ subtype: "file_share", files: [picture], text: "" })).text).toBe("");
});

test("a guest of another workspace is not taken for somebody of ours", () => {
  expect(written(direct({ user_team: "T0ACME" })).message.sender).toBe("U0ADA");
  expect(written(direct({ user_team: "T0OTHER" })).message.sender).toBe("T0OTHER:U0ADA");
});

test("what is written under a message of ours is for us, and under another's only if it calls us", () => {
  const under = { type: "message", channel_type: "channel", thread_ts: "16.000001" };
  expect(written(inChannel("yes", { ...under, parent_user_id: "U0WIRKEN" }))).toMatchObject({
    message: { thread: "16.000001" },
    text: "yes",
  });
  expect(convert(inChannel("yes", { ...under, parent_user_id: "U0BOB" }), BOT)).toBeNull();
});

const shared = (more: object): object =>
  direct({
    text: "",
    attachments: [{ text: "a link's preview" }, { is_share: true, text: "run &lt;b&gt;", ...more }],
  });

test("a message that was forwarded says whose it was, and what it said", () => {
  expect(written(shared({ author_id: "U0WIRKEN" }))).toMatchObject({
    message: { quote: { by: "us", text: "run <b>" } },
    text: "[forwarded message]",
  });
  expect(written(shared({ author_id: "U0ADA" })).message.quote?.by).toBe("sender");
  expect(written(shared({})).message.quote?.by).toBe("other");
  expect(written(shared({ text: "x".repeat(1_000_000) })).message.quote?.text).toHaveLength(2_048);
});

test("what stands at the head of a thread is quoted, with its files", () => {
  const root = {
    user: "U0BOB",
    text: "see <https://a.example|this>",
    files: [{ id: "F0A", name: "a.png", mimetype: "image/png" }],
  };
  expect(quoted(root, "U0ADA", BOT)).toEqual({ by: "other", text: "see this (https://a.example)\n[image a.png]" });
  expect(quoted({ user: "U0WIRKEN", bot_id: "B0WIRKEN", text: "shall I?" }, "U0ADA", BOT)?.by).toBe("us");
  expect(quoted({ user: "U0BOB" }, "U0ADA", BOT)).toBeNull();
  expect(quoted(null, "U0ADA", BOT)).toBeNull();
});

function change(more: object, now: object = {}, before: object = {}): object {
  return {
    type: "message",
    subtype: "message_changed",
    hidden: true,
    channel: "D0ADA",
    channel_type: "im",
    event_ts: "19.000001",
    message: {
      type: "message",
      user: "U0ADA",
      text: "B",
      ts: "17.000100",
      edited: { user: "U0ADA", ts: "19.0" },
      ...now,
    },
    previous_message: { type: "message", user: "U0ADA", text: "A", ts: "17.000100", ...before },
    ...more,
  };
}

test("an edit and a deletion are told with the message that they are of", () => {
  const common = { place: "D0ADA", thread: null, sender: "U0ADA", message: "D0ADA:17.000100" };
  const dedupe = "change:D0ADA:17.000100:19.000001";
  expect(convert(change({}), BOT)).toEqual({
    kind: "changed",
    change: { ...common, dedupe, change: "edited" },
    text: "B",
  });
  const deleted = { kind: "changed", change: { ...common, dedupe, change: "deleted" }, text: "" };
  const gone = { subtype: "message_deleted", deleted_ts: "17.000100", message: undefined };
  expect(convert(change(gone), BOT)).toEqual(deleted);
  // With answers under it, a stone stands in its place.
  expect(convert(change({}, { subtype: "tombstone", user: "USLACKBOT", edited: undefined }), BOT)).toEqual(deleted);
});

test("group talk that is changed is told where it called us, before or after", () => {
  const group = { channel: "C0OPS", channel_type: "channel" };
  expect(convert(change(group), BOT)).toBeNull();
  expect(convert(change(group, { text: "<@U0WIRKEN> go" }), BOT)).toMatchObject({
    change: { thread: "17.000100" },
    text: "go",
  });
  expect(convert(change(group, {}, { text: "<@U0WIRKEN> go" }), BOT)).toMatchObject({ kind: "changed", text: "B" });
});

test.for([
  { what: "a preview that Slack added", event: change({}, { edited: undefined }) },
  { what: "an edit of nothing", event: change({}, { text: "A" }) },
  { what: "our own card", event: change({}, { user: "U0WIRKEN", bot_id: "B0WIRKEN" }) },
  { what: "a bot's edit", event: change({}, { bot_id: "B0OTHER" }) },
  {
    what: "a message of nobody that is deleted",
    event: change({ subtype: "message_deleted" }, {}, { user: undefined }),
  },
])("$what is no change of anybody's", ({ event }) => {
  expect(convert(event, BOT)).toBeNull();
});

test.for([
  {
    event: { type: "member_left_channel", user: "U0WIRKEN", channel: "C0OPS" },
    heard: { kind: "removed", place: "C0OPS" },
  },
  { event: { type: "member_left_channel", user: "U0ADA", channel: "C0OPS" }, heard: null },
  { event: { type: "channel_left", channel: "C0OPS" }, heard: { kind: "removed", place: "C0OPS" } },
  { event: { type: "app_uninstalled" }, heard: { kind: "revoked" } },
  { event: { type: "tokens_revoked", tokens: { oauth: [], bot: ["U0WIRKEN"] } }, heard: { kind: "revoked" } },
  { event: { type: "tokens_revoked", tokens: { oauth: ["U0ADA"] } }, heard: null },
])("$event.type is taken for $heard.kind", ({ event, heard }) => {
  expect(convert(event, BOT)).toEqual(heard);
});

test("what Slack remembers is read as it stands there, edited or not", () => {
  const edited = direct({ edited: { user: "U0ADA", ts: "18.0" } });
  expect(convert(edited, BOT)).toBeNull();
  expect(convert(edited, BOT, true)).toMatchObject({ kind: "inbound", text: "hi" });
});

function press(action: object, more: object = {}): object {
  return {
    type: "block_actions",
    user: { id: "U0ADA", team_id: "T0ACME", username: "ada" },
    channel: { id: "D0ADA" },
    message: { ts: "17.000100" },
    actions: [{ action_id: ACTION.deny, value: "ap_1", action_ts: "19.5", ...action }],
    ...more,
  };
}

test("a press of a button is read as what the button said, by whom", () => {
  expect(pressed(press({}), BOT)).toMatchObject({
    user: "U0ADA",
    press: { place: "D0ADA", thread: null, sender: "U0ADA", card: "ap_1", decision: "deny" },
  });
  expect(pressed(press({}, { user: { id: "U0ADA", team_id: "T0OTHER" } }), BOT)?.press.sender).toBe("T0OTHER:U0ADA");
  for (const action of [{ action_id: "other" }, { value: "" }, { value: "x".repeat(600) }])
    expect(pressed(press(action), BOT)).toBeNull();
  for (const given of [null, {}, { type: "view_submission" }, press({}, { actions: [] }), press({}, { user: {} })])
    expect(pressed(given, BOT)).toBeNull();
});

test("what a hostile client sends is told within bounds, or not at all", () => {
  const million = "\u202e<x|y>&lt;😀".repeat(80_000);
  let nested: object = {};
  for (let i = 0; i < 5_000; i++) nested = { elements: [nested] };
  const files = Array.from({ length: 10_000 }, (_, i) => ({
    id: `F0${i}`,
    name: million,
    title: million,
    mimetype: million,
    size: 1e300,
  }));
  const attachments = Array.from({ length: 10_000 }, () => ({ text: million, blocks: [nested] }));
  const began = process.cpuUsage();
  const { message, text } = written(direct({ text: million, files, attachments, blocks: [nested] }));
  // Of the processor, not of the clock: the machine may be busy.
  expect(process.cpuUsage(began).user).toBeLessThan(3_000_000);
  expect(message.files).toHaveLength(10);
  expect(message.filesLeft).toBe(9_990);
  expect(Buffer.byteLength(text)).toBeLessThan(1_048_576);
  expect(FromAdapter.safeParse({ type: "inbound", ref: 1, ...message, senderName: "" }).error).toBeUndefined();
});

test("whatever an event holds, what is told of it is a frame", () => {
  const text = fc.oneof(fc.string({ unit: "binary", maxLength: 300 }), fc.constant("<@U0WIRKEN> go"));
  const user = fc.constantFrom("U0ADA", "U0WIRKEN", "USLACKBOT", "x", "");
  const ts = fc.constantFrom("17.000100", "0.0", "99999999999999999999.9", "nope");
  const file = fc.record(
    { id: fc.constantFrom("F0A", "f", ""), name: text, mimetype: text, size: fc.double(), mode: text },
    { requiredKeys: [] },
  );
  const inner = fc.record(
    { user, text, ts, edited: fc.anything(), subtype: text, thread_ts: ts },
    { requiredKeys: ["user", "text"] },
  );
  const any = fc.record(
    {
      type: fc.constantFrom("message", "app_mention", "member_left_channel"),
      subtype: fc.constantFrom("message_changed", "message_deleted", "file_share", "channel_join"),
      channel: fc.constantFrom("D0ADA", "C0OPS", "../x"),
      channel_type: fc.constantFrom("im", "channel", "mpim"),
      user,
      text,
      ts,
      event_ts: ts,
      deleted_ts: ts,
      thread_ts: ts,
      files: fc.array(file, { maxLength: 3 }),
      attachments: fc.array(fc.record({ is_share: fc.boolean(), text, author_id: text }), { maxLength: 3 }),
      message: inner,
      previous_message: inner,
    },
    { requiredKeys: ["type", "channel", "user", "text", "ts", "event_ts"] },
  );
  fc.assert(
    fc.property(any, fc.boolean(), (event, past) => {
      const heard = convert(event, BOT, past);
      if (heard?.kind === "inbound")
        expect(
          FromAdapter.safeParse({ type: "inbound", ref: 1, ...heard.message, senderName: "" }).error,
        ).toBeUndefined();
      if (heard?.kind === "changed")
        expect(FromAdapter.safeParse({ type: "changed", ref: 1, ...heard.change }).error).toBeUndefined();
    }),
    { numRuns: 100 },
  );
});
