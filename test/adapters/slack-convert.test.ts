import { expect, test } from "vitest";
import { convert } from "../../adapters/slack/convert.ts";

const BOT = { user: "U0WIRKEN", name: "wirken", team: "T0ACME" };

function direct(more: object): object {
  return { type: "message", channel: "D0ADA", channel_type: "im", user: "U0ADA", text: "hi", ts: "17.000100", ...more };
}
function inChannel(text: string, more: object = {}): object {
  return { type: "app_mention", channel: "C0OPS", user: "U0ADA", text, ts: "17.000100", ...more };
}

test("a direct message is told with its place, its sender and its time", () => {
  expect(convert(direct({}), BOT)).toEqual({
    message: { place: "D0ADA", thread: null, sender: "U0ADA", dedupe: "D0ADA:17.000100", talk: "direct" },
    user: "U0ADA",
    text: "hi",
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
  expect(convert(direct({ thread_ts: "16.000001" }), BOT)?.message.thread).toBe("16.000001");
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
  expect(convert(direct({ text }), BOT)?.text).toBe(reads);
});

test("files are named, with what was written to them", () => {
  const files = [{ name: "plan.pdf", mimetype: "application/pdf" }, { name: "a]\n[x.png", mimetype: "image/png" }, {}];
  expect(convert(direct({ subtype: "file_share", files, text: "look" }), BOT)?.text).toBe(
    "[file plan.pdf]\n[image a   x.png]\n[file]\nlook",
  );
});

test("a guest of another workspace is not taken for somebody of ours", () => {
  expect(convert(direct({ user_team: "T0ACME" }), BOT)?.message.sender).toBe("U0ADA");
  expect(convert(direct({ user_team: "T0OTHER" }), BOT)?.message.sender).toBe("T0OTHER:U0ADA");
});
