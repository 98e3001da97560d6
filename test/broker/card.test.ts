import fc from "fast-check";
import { expect, test } from "vitest";
import { fitCard, renderAction, renderCard } from "../../src/broker/card.ts";
import { visibleLine, visibleLines } from "../../src/broker/visible.ts";
import { mint } from "../../src/ipc/ids.ts";
import { encodeAction, type ToolAction } from "../../src/effect/action.ts";

/** Characters that hide, turn around, look alike or end a line, beside ordinary ones. */
const PIECES = [
  ["a", "b", " ", "  ", "\n", "\t", "\r", "\\", "`", "```", "|", "\u0000", "\u001b[2J", "\u200b", "\u202e", "\u2066"],
  ["\u2028", "\u2029", "\u0085", "\u00a0", "\u3000", "\ufeff", "\u00ad", "\u{e0041}", "\ufe0f", "\u3164", "\u2800"],
  ["é", "e\u0301", "\\n", "\\u{200b}", "👩‍💻", "\u{1f600}", "  | ", "ß", "日本"],
].flat();
const hostile = fc.array(fc.constantFrom(...PIECES), { maxLength: 12 }).map((parts) => parts.join(""));
const word = hostile.filter((text) => text !== "");
const digest = fc.constantFrom("0".repeat(64), "1".repeat(64));

const COMMANDS = [mint("command"), mint("command")] as const;
const command = {
  write: fc.boolean(),
  stdin: fc.option(hostile),
  timeoutSeconds: fc.integer({ min: 59, max: 62 }),
  files: fc.array(fc.record({ path: word, digest }), { maxLength: 2 }),
};
const action: fc.Arbitrary<ToolAction> = fc.oneof(
  fc.record({
    type: fc.constant("file.read" as const),
    workspace: word,
    path: word,
    offset: fc.integer({ min: 1, max: 3 }),
    limit: fc.integer({ min: 1, max: 3 }),
  }),
  fc.record({
    type: fc.constant("file.list" as const),
    workspace: word,
    path: word,
    depth: fc.integer({ min: 1, max: 5 }),
  }),
  fc.record({
    type: fc.constant("file.search" as const),
    workspace: word,
    path: word,
    pattern: word.filter((text) => !/[\0\n]/.test(text)),
    regexp: fc.boolean(),
    ignoreCase: fc.boolean(),
    files: fc.option(word.filter((text) => !/[\0\n]/.test(text))),
    limit: fc.integer({ min: 1, max: 3 }),
  }),
  fc.record({
    type: fc.constant("file.write" as const),
    tool: fc.constantFrom("write_file" as const, "edit_file" as const),
    workspace: word,
    path: word,
    protected: fc.boolean(),
    base: fc.option(digest),
    diff: hostile,
    content: hostile,
  }),
  fc.record({
    type: fc.constant("exec" as const),
    workspace: word,
    argv: fc.array(word, { minLength: 1, maxLength: 4 }),
    ...command,
  }),
  fc.record({
    type: fc.constant("process" as const),
    do: fc.constantFrom("list" as const, "output" as const, "stop" as const),
    command: fc.option(fc.constantFrom(...COMMANDS)),
    network: fc.boolean(),
  }),
  fc.record({
    type: fc.constant("exec" as const),
    workspace: word,
    script: fc.record({ shell: fc.constantFrom("sh" as const, "bash" as const), text: word }),
    ...command,
    hosts: fc.uniqueArray(fc.constantFrom("a.example", "b.example", "c.example"), { minLength: 1 }),
    background: fc.constant(true as const),
  }),
  fc.record({
    type: fc.constant("exec" as const),
    workspace: word,
    argv: fc.array(word, { minLength: 1, maxLength: 4 }),
    write: fc.boolean(),
    stdin: fc.option(hostile),
    timeoutSeconds: fc.integer({ min: 1, max: 3 }),
    files: fc.array(fc.record({ path: word, digest }), { maxLength: 2 }),
    sandbox: fc.constant("weaker" as const),
  }),
);

test("two actions that differ are shown differently", () => {
  fc.assert(
    fc.property(action, action, (a, b) => {
      const [one, other] = [encodeAction(a), encodeAction(b)];
      expect(renderAction(one) === renderAction(other)).toBe(Buffer.from(one).equals(other));
    }),
    { numRuns: 3000 },
  );
});

test("two texts that differ by one piece are shown differently", () => {
  fc.assert(
    fc.property(hostile, hostile, hostile, hostile, (start, one, other, end) => {
      const [a, b] = [start + one + end, start + other + end];
      expect(visibleLine(a) === visibleLine(b)).toBe(a === b);
      expect(visibleLines(a).join("\n") === visibleLines(b).join("\n")).toBe(a === b);
    }),
    { numRuns: 3000 },
  );
});

/** What a person sees can be read back: nothing is lost, so nothing can be mistaken. */
function unseen(shown: string): string {
  return shown.replaceAll(/\\(?:u\{([0-9a-f]+)\}|(.))/g, (_, code: string | undefined, plain: string | undefined) => {
    if (code !== undefined) return String.fromCodePoint(Number.parseInt(code, 16));
    return plain === "n" ? "\n" : plain === "t" ? "\t" : (plain ?? "");
  });
}

test("every text can be read back from what is shown", () => {
  fc.assert(
    fc.property(fc.oneof(hostile, fc.string({ unit: "binary" })), (text) => {
      const shown = visibleLine(text);
      expect(unseen(shown)).toBe(text);
      expect(shown).not.toMatch(/[\p{C}\p{Zl}\p{Zp}`]| $/u);
    }),
    { numRuns: 3000 },
  );
});

test.for([
  ["a\u202egpj.exe", "a\\u{202e}gpj.exe"],
  ["rm \u200b-rf", "rm \\u{200b}-rf"],
  ["end  ", "end\\u{20}\\u{20}"],
  ["`code`", "\\u{60}code\\u{60}"],
  ["one\ntwo", "one\\ntwo"],
  ["a\u00a0b", "a\\u{a0}b"],
  ["schön 日本", "schön 日本"],
  ["e\u0301", "e\\u{301}"],
] as const)("%j is shown as %s", ([text, shown]) => {
  expect(visibleLine(text)).toBe(shown);
});

const SUBJECT = {
  requester: "Ada",
  agent: "default",
  channel: "telegram",
  tier: 2,
  reason: "changing the workspace is asked for once",
  rests: "the turn of row 13, for what was written in row 12",
  labels: { untrusted: false, private: true },
  suspects: [],
  people: null,
  end: null,
  whys: [null],
  expires: "2026-11-23T22:31:00.000Z",
};
const COMMAND = {
  type: "exec" as const,
  workspace: "/home/ada/.wirken/workspaces/default",
  argv: ["sh", "-c", "make && make install"],
  write: true,
  stdin: "yes\nno",
  timeoutSeconds: 60,
  files: [],
};
const EXEC = encodeAction(COMMAND);

test("a card shows who asks, every argument on its own line, the input, the place, the reach and the end", () => {
  expect(renderCard({ ...SUBJECT, actions: [EXEC] }).text).toBe(`Ada asks, through agent default, on telegram
why you are asked: changing the workspace is asked for once (tier 2)
in this conversation: something private
one action

1. run a command that CAN CHANGE the workspace
  the agent does not say why it wants it
  argv 0 | sh
  argv 1 | -c
  argv 2 | make && make install
  standard input (6 bytes, 3 lines)
  | yes
  | no
  \\ no line break at the end
  workspace | /home/ada/.wirken/workspaces/default
  reach: it reaches no network and no other file of this machine, and may change anything in the workspace but protected files
  killed after | 60 s

it rests on: the turn of row 13, for what was written in row 12
answer before: 2026-11-23T22:31:00.000Z
`);
});

test("a script is shown in full, with its shell, its hosts, its time where that is more than usual, and that it goes on", () => {
  const { argv: _, ...rest } = COMMAND;
  const script = { shell: "bash" as const, text: "curl -sO https://a.example/x\nmake" };
  const asked = { ...rest, script, hosts: ["a.example", "b.example"], background: true as const, timeoutSeconds: 600 };
  expect(
    renderAction(encodeAction(asked)),
  ).toBe(`run a script IN THE BACKGROUND that CAN CHANGE the workspace and REACHES THE NETWORK
  script, run by /bin/bash (33 bytes, 3 lines)
  | curl -sO https://a.example/x
  | make
  \\ no line break at the end
  standard input (6 bytes, 3 lines)
  | yes
  | no
  \\ no line break at the end
  workspace | /home/ada/.wirken/workspaces/default
  reach: it reaches the hosts below and no other file of this machine, and may change anything in the workspace but protected files
  reaches the host | a.example (ports 443 and 80)
  reaches the host | b.example (ports 443 and 80)
  to those it can send whatever it can read
  killed after | 600 s, where 60 s are usual
  it goes on after the answer to this call, until it ends, is stopped, or its time is up`);
  expect(() => encodeAction({ ...COMMAND, script })).toThrow("is either argv or a script");
});

test("a command in a weaker sandbox is another action, and its card says what is weaker", () => {
  const weaker = encodeAction({ ...COMMAND, sandbox: "weaker" });
  expect(renderAction(weaker)).toContain("\n  sandbox | weaker: Landlock and seccomp alone, no namespaces: ");
  expect(renderAction(EXEC)).not.toContain("sandbox");
});

test("a card says why the agent wants it in its own words, what was noticed, and who else has to approve it", () => {
  const { text } = renderCard({
    ...SUBJECT,
    labels: { untrusted: true, private: true },
    suspects: [{ row: 31, entry: "page", class: "override", times: 2 }],
    people: { needs: 2, requesterCounts: false, given: ["Bob on slack"] },
    end: "2026-11-23T23:00:00.000Z",
    actions: [EXEC, EXEC],
    whys: ["to build it\n  argv 9 | rm\u202e", null],
  });
  expect(text.split("\n")).toEqual(
    expect.arrayContaining([
      "in this conversation: something PRIVATE, and something that NOBODY VOUCHES FOR",
      "noticed there: a web page tells an agent to drop its instructions, or to hide something from its person (2 times) (row 31)",
      "it needs 2 different people, none of them whoever asks: 1 of 2, approved by Bob on slack",
      "a PLAN of 2 actions, all of them or none: each may run once, as it stands here, until 2026-11-23T23:00:00.000Z and in this conversation only",
      "  the agent's reason, in its own words | to build it\\n  argv 9 | rm\\u{202e}",
      "  the agent does not say why it wants it",
    ]),
  );
});

test("what may be answered stands under the card, in the message that the buttons belong to", () => {
  const answers = "you may answer:\n  approve 7K2MQX: exactly what the card shows, once\n";
  const short = renderCard({ ...SUBJECT, actions: [EXEC] });
  expect(fitCard(short, 4000, 2, answers)).toEqual({ parts: [], card: `${short.text}\n${answers}` });
  const fitted = fitCard(short, 500, 20, answers);
  expect(fitted?.parts.length).toBeGreaterThan(0);
  expect(fitted?.card.endsWith(answers)).toBe(true);
});

test("the requester's name and the reason cannot add a line to a card", () => {
  const { text } = renderCard({ ...SUBJECT, requester: "Ada\n  argv 0 | ls", reason: "x\r\ny", actions: [EXEC] });
  expect(text.split("\n").filter((line) => line.startsWith("  argv 0"))).toEqual(["  argv 0 | sh"]);
  expect(text).not.toContain("\r");
});

test("a card that is too long for a channel is sent whole before it, and the last message names its digest", () => {
  const long = encodeAction({
    type: "file.write",
    tool: "write_file",
    workspace: "/w",
    path: "a",
    protected: false,
    base: null,
    diff: "",
    content: "😀line\n".repeat(2000),
  });
  const card = renderCard({ ...SUBJECT, actions: [long] });
  const fitted = fitCard(card, 4000, 20);
  expect(fitted).not.toBeNull();
  for (const part of fitted?.parts ?? []) {
    expect(part.length).toBeLessThanOrEqual(4000);
    expect(part).toContain(card.digest);
    expect(part.isWellFormed()).toBe(true);
  }
  // Platforms take blanks off the end of a message: each part ends in a word.
  const pieces = fitted?.parts.map((part) => part.slice(part.indexOf("\n") + 1).replace(/\n\[part \d+ ends\]$/, ""));
  expect(pieces?.join("")).toBe(card.text);
  expect(fitted?.card).toContain(card.digest);
  expect(fitCard(card, 4000, 2)).toBeNull();
  expect(fitCard(renderCard({ ...SUBJECT, actions: [EXEC] }), 4000, 2)?.parts).toEqual([]);
});
