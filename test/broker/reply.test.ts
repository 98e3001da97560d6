import { expect, test } from "vitest";
import { EVERYBODY, type Labels, NO_LABELS, SessionLabels } from "../../src/broker/labels.ts";
import { replyFor } from "../../src/broker/reply.ts";
import { PrincipalId } from "../../src/ipc/ids.ts";

const ADA = PrincipalId.parse(`p_${"0".repeat(26)}`);
const LINK = "it is at https://evil.example/?q=kestrel";
const log = {
  append: () => {
    throw new Error("nothing is recorded here");
  },
};

function reply(talk: "direct" | "group", labels: Labels, typed = ""): string {
  const session = new SessionLabels("s", log, labels);
  session.words.typed(ADA, typed);
  return replyFor({ talk, labels: session, principal: ADA }, LINK).text;
}

test("a link that the person did not type goes out as text, once the conversation holds anything from outside or anybody's own", () => {
  expect(reply("direct", NO_LABELS)).toBe(LINK);
  expect(reply("direct", { untrusted: true, private: [] })).toBe("it is at hxxps://evil[.]example/?q=kestrel");
  expect(reply("direct", { untrusted: false, private: [ADA] })).toContain("hxxps://evil[.]example");
  const typed = "what of https://evil.example/?q=kestrel";
  expect(reply("direct", { untrusted: true, private: [ADA] }, typed)).toBe(LINK);
});

test("a group is told nothing once untrusted and private are both there", () => {
  const both = { untrusted: true, private: [EVERYBODY] };
  expect(reply("group", both)).not.toContain("kestrel");
  expect(reply("group", both)).toContain("Write to me directly");
  expect(reply("group", { untrusted: true, private: [] })).toContain("kestrel");
  expect(reply("direct", both)).toContain("kestrel");
});
