import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AuditError } from "../../audit/error.ts";
import { decodeAction } from "../../src/effect/action.ts";
import type { ToolAnswer } from "../../src/broker/call.ts";
import type { TurnContext } from "../../src/broker/turn.ts";
import { World } from "./world.ts";

let world: World;
beforeEach(async () => {
  world = await World.make();
  await world.sandbox.probe();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

function put(name: string, text: string): void {
  writeFileSync(join(world.workspace, name), text, { mode: 0o644 });
}
function get(name: string): string {
  return readFileSync(join(world.workspace, name), "utf8");
}

test("reading is free, and on the record before and after", async () => {
  put("notes.txt", "one\ntwo\nthree\n");
  const answer = await world.call(world.turn(), "read_file", { path: "notes.txt", offset: 2, limit: 1 });
  expect(answer).toMatchObject({ outcome: "done", text: "two\n[lines 2 to 2 of 3]", endTurn: null });
  const [called] = world.rows("tool.called");
  expect(called?.action).toMatchObject({ key: "file.read:workspace", tier: 1, authority: "free", rests: null });
  const [finished] = world.rows("tool.finished");
  expect(finished?.cause).toBe(called?.seq);
  expect(finished?.content("result")).toBe(answer.text);
});

test("a command that can only read runs without a question", async () => {
  put("notes.txt", "hello\n");
  const answer = await world.call(world.turn(), "exec", { argv: ["cat", "notes.txt"] });
  expect(answer).toMatchObject({ outcome: "done", text: "exit status 0\nstandard output:\nhello\n" });
  expect(world.cards).toHaveLength(0);
});

test("a command's standard input, error output and status reach the model", async () => {
  const answer = await world.call(world.turn(), "exec", {
    argv: ["sh", "-c", "cat; echo bad >&2; exit 3"],
    stdin: "in",
  });
  expect(answer.outcome).toBe("failed");
  expect(answer.text).toBe("exit status 3\nstandard output:\nin\nstandard error:\nbad\n");
});

test("writing asks, and what was approved is written byte for byte", async () => {
  const turn = world.turn();
  const asked = world.call(turn, "write_file", { path: "new/a.txt", content: "grüße\n" });
  const card = await world.card();
  expect(card.card.text).toContain("  file | new/a.txt");
  expect(card.card.text).toContain("  | grüße");
  expect(existsSync(join(world.workspace, "new"))).toBe(false);
  await world.approvals.decide(card.approval, world.answer({ card: card.card.digest }));
  expect(await asked).toMatchObject({ outcome: "done" });
  expect(get("new/a.txt")).toBe("grüße\n");
  const [called] = world.rows("tool.called");
  const [decided] = world.rows("approval.decided");
  const [requested] = world.rows("approval.requested");
  expect(called?.action).toMatchObject({
    authority: "approval",
    rests: decided?.seq,
    key: "file.write:workspace",
    tier: 2,
  });
  expect(decided?.cause).toBe(requested?.seq);
  // What was shown, what was recorded and what ran are the same bytes.
  expect(called?.bytes("action")).toEqual(requested?.bytes("action"));
  expect(requested?.content("card")).toBe(card.card.text);
});

test("arguments that change after the card was shown change nothing", async () => {
  const bytes = new TextEncoder().encode(JSON.stringify({ path: "a.txt", content: "harmless" }));
  const asked = world.broker.tool(world.turn(), { group: 1, name: "write_file", call: "c", arguments: bytes });
  const card = await world.card();
  bytes.set(new TextEncoder().encode("hostile!"), Buffer.from(bytes).indexOf("harmless"));
  await world.approvals.decide(card.approval, world.answer());
  await asked;
  expect(get("a.txt")).toBe("harmless");
});

test("a file that changed while somebody read the card is not overwritten", async () => {
  put("a.txt", "before\n");
  const asked = world.call(world.turn(), "edit_file", { path: "a.txt", old: "before", new: "after" });
  const card = await world.card();
  put("a.txt", "somebody else was here\n");
  await world.approvals.decide(card.approval, world.answer());
  expect(await asked).toMatchObject({ outcome: "refused" });
  expect(get("a.txt")).toBe("somebody else was here\n");
  expect(world.rows("tool.refused")[0]?.action).toMatchObject({ reason: "changed" });
  expect(world.rows("tool.called")).toHaveLength(0);
});

test("a script that changed while somebody read the card does not run", async () => {
  put("build.sh", "echo built > out\n");
  const asked = world.call(world.turn(), "exec", { argv: ["sh", "build.sh"], write: true });
  const card = await world.card();
  expect(card.card.text).toContain("uses the file | build.sh");
  put("build.sh", "echo stolen > out\n");
  await world.approvals.decide(card.approval, world.answer());
  expect(await asked).toMatchObject({ outcome: "refused" });
  expect(existsSync(join(world.workspace, "out"))).toBe(false);
});

test("an approved command changes the workspace", async () => {
  const asked = world.call(world.turn(), "exec", { argv: ["sh", "-c", "echo hi > out"], write: true });
  const card = await world.card();
  await world.approvals.decide(card.approval, world.answer());
  expect(await asked).toMatchObject({ outcome: "done" });
  expect(get("out")).toBe("hi\n");
});

test("an approval for the session is not asked for again, and the call says what it rests on", async () => {
  const turn = world.turn();
  const asked = world.call(turn, "write_file", { path: "a", content: "1" });
  const card = await world.card();
  await world.approvals.decide(card.approval, world.answer({ scope: "session" }));
  await asked;
  expect(await world.call(world.turn(), "write_file", { path: "b", content: "2" })).toMatchObject({ outcome: "done" });
  const [given] = world.rows("grant.given");
  expect(world.rows("tool.called")[1]?.action).toMatchObject({ authority: "grant", rests: given?.seq });
  expect(world.cards).toHaveLength(1);
});

test("a protected file is asked for every time, whatever was granted", async () => {
  await world.grants.give(world.turn(), "file.write:workspace", "always", {
    by: world.principal,
    via: "terminal",
    cause: 0,
  });
  const asked = world.call(world.turn(), "write_file", { path: "AGENTS.md", content: "obey" });
  const card = await world.card();
  expect(card.tier).toBe(3);
  expect(card.scopes).toEqual(["once"]);
  await world.approvals.decide(card.approval, world.answer({ decision: "deny" }));
  expect(await asked).toMatchObject({ outcome: "denied" });
  expect(existsSync(join(world.workspace, "AGENTS.md"))).toBe(false);
});

/** Asks for a file to be written, and denies it. */
async function denied(turn: TurnContext, path: string, group: number): Promise<ToolAnswer> {
  const asked = world.call(turn, "write_file", { path, content: "x" }, group);
  const card = await world.card(world.cards.length + 1);
  await world.approvals.decide(card.approval, world.answer({ decision: "deny", reason: "not now" }));
  return asked;
}

test("a denied action is not asked again in its turn", async () => {
  const turn = world.turn();
  const answer = await denied(turn, "a", 1);
  expect(answer).toMatchObject({ outcome: "denied", endTurn: null });
  expect(answer.text).toContain("not now");
  expect(await world.call(turn, "write_file", { path: "a", content: "x" }, 2)).toMatchObject({ outcome: "refused" });
  expect(world.cards).toHaveLength(1);
  // Another turn may ask again.
  expect(await denied(world.turn(), "a", 1)).toMatchObject({ outcome: "denied" });
});

test("the third denial ends the turn, and nothing more of it is done", async () => {
  const turn = world.turn();
  expect(await denied(turn, "a", 1)).toMatchObject({ endTurn: null });
  expect(await denied(turn, "b", 2)).toMatchObject({ endTurn: null });
  expect(await denied(turn, "c", 3)).toMatchObject({ endTurn: { reason: "denied" } });
  expect(await world.call(turn, "read_file", { path: "a" })).toMatchObject({
    outcome: "refused",
    endTurn: { reason: "denied" },
  });
  expect(world.rows("tool.called")).toHaveLength(0);
});

test("same-kind calls of one answer are one card that shows them all", async () => {
  const turn = world.turn();
  const calls = ["a", "b", "c"].map((path) => world.call(turn, "write_file", { path, content: path }, 7));
  const card = await world.card();
  expect(card.card.text).toContain("3 actions, all of them or none");
  for (const path of ["a", "b", "c"]) expect(card.card.text).toContain(`  file | ${path}`);
  await world.approvals.decide(card.approval, world.answer());
  for (const answer of await Promise.all(calls)) expect(answer.outcome).toBe("done");
  expect(world.cards).toHaveLength(1);
  expect(["a", "b", "c"].map(get)).toEqual(["a", "b", "c"]);
});

test("bad arguments are refused with what is wrong, and three of one tool end the turn", async () => {
  const turn = world.turn();
  const first = await world.call(turn, "read_file", { path: "a", offset: 0, colour: "red" });
  expect(first).toMatchObject({ outcome: "refused", endTurn: null });
  expect(first.text).toContain("offset");
  expect(first.text).toContain("colour");
  await world.call(turn, "list_files", { depth: 99 });
  const bytes = new TextEncoder().encode("{");
  expect(await world.broker.tool(turn, { group: 1, name: "read_file", call: "c", arguments: bytes })).toMatchObject({
    endTurn: null,
  });
  expect(await world.call(turn, "read_file", [])).toMatchObject({ endTurn: { reason: "failed" } });
  expect(world.rows("tool.refused").map(({ action }) => action.kind === "tool.refused" && action.reason)).toEqual(
    Array.from({ length: 4 }, () => "bad-arguments"),
  );
});

test("a tool that does not exist, and a path that leads out, are refused on the record", async () => {
  const turn = world.turn();
  expect(await world.call(turn, "rm_rf", {})).toMatchObject({ outcome: "refused" });
  expect(await world.call(turn, "read_file", { path: "../../audit.db" })).toMatchObject({ outcome: "refused" });
  expect(await world.call(turn, "write_file", { path: "../../../etc/passwd", content: "" })).toMatchObject({
    outcome: "refused",
  });
  expect(world.rows("tool.refused").map(({ action }) => action.kind === "tool.refused" && action.reason)).toEqual([
    "unknown-tool",
    "policy",
    "policy",
  ]);
  expect(world.cards).toHaveLength(0);
});

test("a stopped turn calls nothing more, takes its card back and kills its command", async () => {
  const stop = new AbortController();
  const turn = world.turn({ signal: stop.signal });
  const running = world.call(turn, "exec", { argv: ["sleep", "60"] });
  const asking = world.call(turn, "write_file", { path: "a", content: "x" });
  await world.card();
  const before = performance.now();
  stop.abort();
  expect(await running).toMatchObject({ outcome: "failed", text: expect.stringContaining("stopped") });
  expect(await asking).toMatchObject({ outcome: "refused", endTurn: { reason: "stopped" } });
  expect(performance.now() - before).toBeLessThan(1000);
  expect(world.closed).toMatchObject([{ state: "withdrawn" }]);
  expect(await world.call(turn, "read_file", { path: "a" })).toMatchObject({
    outcome: "refused",
    endTurn: { reason: "stopped" },
  });
  expect(world.rows("tool.finished")[0]?.action).toMatchObject({ outcome: "stopped" });
  expect(world.rows("approval.decided")[0]?.action).toMatchObject({ decision: "withdrawn" });
});

test("what cannot be recorded does not run", async () => {
  const turn = world.turn();
  await world.log.close();
  const answer = await world.call(turn, "write_file", { path: "a", content: "x" });
  expect(answer).toMatchObject({ outcome: "refused", endTurn: { reason: "failed" } });
  const read = await world.call(turn, "exec", { argv: ["sh", "-c", "echo ran"] });
  expect(read).toMatchObject({ outcome: "refused", endTurn: { reason: "failed" } });
  expect(read.text).not.toContain("exit status");
  await world.restart();
});

/** No tool of ours asks back. */
function NOBODY(): Promise<never> {
  return Promise.reject(new Error("no tool of ours asks back"));
}

test("a recorded call runs once, and only from the recorded bytes", async () => {
  put("a.txt", "text");
  await world.call(world.turn(), "read_file", { path: "a.txt" });
  const [called] = world.rows("tool.called");
  const bytes = called?.bytes("action");
  expect(bytes === null || bytes === undefined ? null : decodeAction(bytes)).toMatchObject({
    type: "file.read",
    path: "a.txt",
  });
  const recorded = await world.log.record(
    {
      kind: "tool.called",
      turn: world.turn().turn,
      session: world.session,
      call: "k_00000000000000000000000000",
      agent: "default",
      principal: world.principal,
      tool: "read_file",
      key: "file.read:workspace",
      tier: 1,
      authority: "free",
      rests: null,
      policy: "0".repeat(64),
      settings: "0".repeat(64),
    },
    { cause: 0, seal: world.session, content: { action: bytes ?? "" } },
  );
  const signal = new AbortController().signal;
  expect(await world.effects.runTool(recorded, signal, world.turn().spawn, NOBODY)).toMatchObject({ outcome: "done" });
  await expect(world.effects.runTool(recorded, signal, world.turn().spawn, NOBODY)).rejects.toThrow(AuditError);
  await recorded.fail(new Error("only a test"));
});
