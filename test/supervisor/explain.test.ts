import { beforeEach, expect, test } from "vitest";
import type { ActionOf, ContentOf, FactKind } from "../../audit/action.ts";
import type { CommittedRow, OwnKind } from "../../audit/log.ts";
import { doubted, explained, type Explained, whatHeld } from "../../src/supervisor/explain.ts";
import { heldAt, rowAt } from "../../src/supervisor/held.ts";
import { mint, type PrincipalId } from "../../src/ipc/ids.ts";
import { newWorld, type World } from "./world.ts";

/** A real log: Ada is the owner, Ann an approver who was let in; Ann has a note kept, approves it for the session, is revoked later. */

const POLICY = "5f".repeat(32);
const LATER = "6a".repeat(32);
const SETTINGS = "7b".repeat(32);

let world: World;
let ada: PrincipalId;
let ann: PrincipalId;
let rows: { received: number; started: number; requested: number; decided: number; granted: number; called: number };

async function append<K extends Exclude<FactKind, OwnKind>>(
  action: ActionOf<K>,
  cause: number | null,
  content?: ContentOf<K>,
): Promise<number> {
  const row = await world.log.append(action, { cause, ...(content === undefined ? {} : { content }) });
  world.clock.advance(60_000);
  return row.seq;
}

beforeEach(async () => {
  world = await newWorld();
  const { log, people } = world;
  ada = (await people.ensureOwner("Ada")).principal;
  await append({ kind: "policy.loaded", digest: POLICY }, null, { text: `{"salt":"x","version":1}` });
  await append({ kind: "agent.configured", agent: "default", digest: SETTINGS, provider: "local", model: "m" }, null);
  await people.request("telegram", "42", "Ann");
  const code = people.pending()[0]?.code ?? "";
  ann = (await people.approve(code, "approver", null, { by: ada, via: "terminal" })).person.principal;
  const [session, turn, message, approval] = [mint("session"), mint("turn"), mint("message"), mint("approval")];
  const under = { policy: POLICY, settings: SETTINGS };
  const who = { agent: "default", principal: ann };
  const received = await append(
    {
      kind: "message.received",
      message,
      session,
      conversation: mint("conversation"),
      channel: "telegram",
      principal: ann,
    },
    null,
    { text: "keep a \u202enote\nplease" },
  );
  const started = await append({ kind: "turn.started", turn, session, message, ...who, ...under }, received);
  const expires = new Date(world.clock.now() + 600_000).toISOString();
  const key = "file.write:workspace";
  const requested = await append(
    { kind: "approval.requested", approval, turn, session, ...who, key, tier: 2, expires },
    started,
  );
  const decided = await append(
    { kind: "approval.decided", approval, decision: "approved", scope: "session", by: ann, via: "web" },
    requested,
  );
  const until = new Date(world.clock.now() + 3_600_000).toISOString();
  const granted = await append(
    {
      kind: "grant.given",
      grant: mint("grant"),
      key,
      agent: "default",
      principal: ann,
      channel: "telegram",
      session,
      until,
      uses: null,
      by: ann,
      via: "web",
    },
    decided,
  );
  const called = await log.record(
    {
      kind: "tool.called",
      turn,
      session,
      call: mint("call"),
      ...who,
      tool: "write_file",
      key,
      tier: 2,
      authority: "approval",
      rests: decided,
      ...under,
    },
    { cause: started, content: { action: "write note.txt" } },
  );
  called.redeem();
  await called.finish({ kind: "tool.finished", outcome: "done", status: null });
  await append({ kind: "turn.ended", turn, session, reason: "done", rounds: 1 }, started);
  rows = { received, started, requested, decided, granted, called: called.seq };
});

async function storyOf(seq: number): Promise<{ sentences: string[]; held: string[] }> {
  const { log } = world;
  const { chain, rests, outcome } = log.explain(seq);
  const allowed =
    rests === null ? [] : log.chain(rests.seq).filter(({ action }) => action.kind.startsWith("approval."));
  const after: CommittedRow[] = outcome === null ? log.effects(seq, () => true, 20) : [outcome];
  const story: Explained = { chain, rests: allowed, after };
  const held = await heldAt(log, seq, log.row(seq)?.at ?? "");
  return { sentences: explained(story, held), held: whatHeld(story, held) };
}

const TIME = String.raw`(?:on \d{4}-\d\d-\d\d )?at \d\d:\d\d`;

test("an action is told from the person's message over the approval to its outcome, in plain sentences", async () => {
  const { sentences } = await storyOf(rows.called);
  const expected = [
    String.raw`Ann \(approver\) wrote on telegram on \d{4}-\d\d-\d\d at \d\d:\d\d: “keep a  note please”`,
    String.raw`agent default began a turn for Ann \(approver\) ${TIME}`,
    String.raw`agent default asked ${TIME} for an approval of file\.write:workspace \(tier 2\), for Ann \(approver\)`,
    String.raw`Ann \(approver\) approved this on the page ${TIME} for this session`,
    String.raw`agent default ran write_file ${TIME} \(file\.write:workspace, tier 2\), which that approval allowed: “write note\.txt”`,
    String.raw`it ended \(done\) ${TIME}`,
  ];
  expect(sentences).toHaveLength(expected.length);
  for (const [index, pattern] of expected.entries())
    expect(sentences[index]).toMatch(new RegExp(String.raw`^${pattern} \(row \d+\)$`));
});

test("a message is told with all that followed from it", async () => {
  const { sentences } = await storyOf(rows.received);
  expect(sentences[0]).toContain("Ann (approver) wrote");
  expect(sentences.join("\n")).toContain("ran write_file");
  expect(sentences.at(-1)).toContain("the turn ended (done)");
});

test("what held is what held then: rules, settings, who let whom in, and what was remembered", async () => {
  await append({ kind: "policy.loaded", digest: LATER }, null, { text: "{}" });
  await append({ kind: "person.revoked", principal: ann, by: ada, via: "terminal" }, null);
  const { sentences, held } = await storyOf(rows.called);
  expect(sentences[0]).toContain("Ann (approver)");
  expect(held).toEqual([
    expect.stringContaining(`the policy ${POLICY.slice(0, 16)} was in force`),
    expect.stringContaining(`agent default was local/m with the settings ${SETTINGS.slice(0, 16)}`),
    expect.stringMatching(/^Ann \(approver\) was let in by Ada \(owner\) on the terminal on /),
    expect.stringMatching(
      /^Ann \(approver\) had file\.write:workspace remembered for agent default on telegram in one session until .*, by Ann \(approver\) on the page/,
    ),
  ]);
  const before = await storyOf(rows.requested);
  expect(before.held.at(-1)).toBe("no approval was remembered for Ann (approver)");
});

test("what was done to the record and the daemon is told in sentences too", async () => {
  const { log } = world;
  const session = mint("session");
  const by = { by: ada, via: "terminal" } as const;
  const asked = { kind: "content.erasing", erasure: mint("erasure"), subject: "session", principal: null } as const;
  const intent = await log.record<"content.erasing">(
    { ...asked, session, sessions: 1, ...by },
    { cause: null, content: { reason: "a mistake" } },
  );
  intent.redeem();
  const { seq } = await intent.finish<"content.erased">({ kind: "content.erased", sessions: 1, parts: 3, files: 0 });
  const erased = (await storyOf(seq)).sentences;
  expect(erased[0]).toMatch(
    /^Ada \(owner\) asked on the terminal on .+ for s_\w+ to be erased: “a mistake” \(row \d+\)$/,
  );
  expect(erased[1]).toMatch(/^it was erased at .+: 3 pieces of content, 1 session with its key \(row \d+\)$/);
  const added = { kind: "anchor.added", anchor: "w", type: "file", vkey: null } as const;
  const anchor = await append({ ...added, ...by }, null);
  const reached = await append({ kind: "anchor.reached", anchor: "w", size: 7 }, anchor);
  expect((await storyOf(reached)).sentences).toEqual([
    expect.stringMatching(/^Ada \(owner\) added the anchor w \(file\) on the terminal on /),
    expect.stringMatching(/^the anchor w answered at .+, and holds 7 rows \(row \d+\)$/),
  ]);
});

test("a row in which something was found wrong is not told as if it were sure", async () => {
  const { log } = world;
  const raised = await append({ kind: "finding.raised", code: "row-changed", at: rows.started }, null);
  await append({ kind: "finding.raised", code: "row-changed", at: rows.granted }, null);
  const { chain } = log.explain(rows.called);
  const found = await log.search({ kind: "finding.raised", limit: 10 });
  expect(doubted({ chain, rests: [], after: [] }, found)).toEqual([
    `row ${rows.started} may not say what was recorded: row-changed was found there (row ${raised})`,
  ]);
});

test("people and grants of a time are folded from the rows up to it", async () => {
  const { log } = world;
  const during = log.row(rows.called)?.at ?? "";
  await append({ kind: "person.revoked", principal: ann, by: ada, via: "terminal" }, null);
  await append({ kind: "config.loaded" }, null);
  const then = await heldAt(log, await rowAt(log, during), during);
  expect(then.people).toMatchObject([
    { principal: ada, name: "Ada", role: "owner", by: ada },
    { principal: ann, name: "Ann", role: "approver", by: ada, via: "terminal", channels: ["telegram"] },
  ]);
  expect(then.grants).toMatchObject([{ principal: ann, row: rows.granted }]);
  const now = new Date(world.clock.now() + 7_200_000).toISOString();
  const today = await heldAt(log, await rowAt(log, now), now);
  expect(today.people.map(({ principal }) => principal)).toEqual([ada]);
  expect(today.grants, "its time is over").toEqual([]);
  expect(await rowAt(log, "2020-01-01T00:00:00.000Z")).toBe(-1);
  expect((await heldAt(log, -1, "2020-01-01T00:00:00.000Z")).people).toEqual([]);
});
