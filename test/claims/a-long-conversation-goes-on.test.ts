import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { RowView } from "../../src/ipc/audit-calls.ts";
import type { Connection } from "../../src/cli/connection.ts";
import { Name } from "../../src/ipc/ids.ts";
import { needLine, startProtected, workspaceOf } from "../support/claims-world.ts";
import { ScriptedModel } from "../support/scripted-model.ts";

/** Tokens that the model takes: a few results fill it. */
const WINDOW = 12_000;
const CANARY = "the reading of the meter is kestrel7vq";

/** Says something, and hears all that is said: the answer, and lines of ours. */
async function said(line: Connection, text: string): Promise<string> {
  const pieces: string[] = [];
  await line.call(
    { call: "say", agent: Name.parse("default"), fresh: false },
    { payload: Buffer.from(text), onEvent: (_, piece) => pieces.push(Buffer.from(piece).toString("utf8")) },
  );
  return pieces.join("");
}

test("a conversation that is longer than its model's window goes on, and what a person said is not lost", async () => {
  await using model = await ScriptedModel.start();
  const look = { calls: [{ name: "read_file", arguments: { path: "big.txt" } }] };
  model.script("look at it", look, { text: "I looked at it." });
  model.script("Write down what it held", { text: "They looked at a long file several times." });
  await using daemon = await startProtected({
    config: {
      agents: { default: { model: "scripted/tiny" } },
      providers: { scripted: { baseUrl: model.baseUrl } },
      models: { "scripted/tiny": { window: WINDOW } },
    },
  });
  await using line = await needLine(daemon);
  await said(line, "hello");
  writeFileSync(join(workspaceOf(daemon), "big.txt"), "a line of a long file\n".repeat(500));
  for (let turn = 0; turn < 6; turn++) {
    expect(await said(line, `look at it, time ${turn}: ${CANARY}${turn}`)).toContain("I looked at it.");
  }
  const rows = async (kind: string): Promise<RowView[]> => {
    const { rows: found } = await line.call({ call: "audit.rows", filter: { kind, limit: 100 } });
    return found.toSorted((a, b) => a.seq - b.seq);
  };
  // First the oldest results, each named by its row.
  const [first] = await rows("context.compacted");
  expect(first?.fields).toMatchObject({ reason: "window", summary: null });
  expect(model.heard).toContain("[taken out to make room: the result is row ");

  // Then a summary, asked for by a call of its own under a row of its own, and whoever wrote is told.
  const padding = "and much that is of no account ".repeat(90);
  const told: string[] = [];
  for (let turn = 8; turn < 20; turn++) told.push(await said(line, `say ${CANARY}${turn}, ${padding}`));
  const summed = (await rows("context.compacted")).find(({ fields }) => fields["summary"] !== null);
  expect(summed).toBeDefined();
  expect(told.join("\n")).toContain(`a summary (row ${String(summed?.fields["summary"])}) stands for`);
  const calls = (await rows("model.called")).filter(({ fields }) => fields["purpose"] === "summary");
  expect(calls.length).toBeGreaterThan(0);

  // What nobody has to remember is in the summary or word for word in the last request.
  const last = JSON.stringify(model.server.getRequests().at(-1)?.body);
  expect(last).toContain("> They looked at a long file several times.");
  expect(last).toContain(`say ${CANARY}19`);
  expect(last.length / 5).toBeLessThan(WINDOW);
  const turns = Array.from({ length: 12 }, (_, turn) => turn + 8);
  expect(turns.filter((turn) => last.includes(`say ${CANARY}${turn},`)).length).toBeGreaterThan(1);

  // It is done on demand too; and every request is still what its row commits to.
  expect(await said(line, "/compact")).toMatch(/summary \(row \d+\) stands for/);
  expect(await said(line, "/status")).toMatch(/context: about [\d,]+ of 12,000 tokens/);
  expect(await said(line, "and now?")).toContain("you said: and now?");
  const { session } = await line.call({ call: "transcript", agent: Name.parse("default") });
  const replayed = await daemon.wirken(["sessions", "replay", String(session)]);
  expect(replayed.status).toBe(0);
  expect(replayed.stdout).not.toMatch(/different:|not provable:/);
  expect(replayed.stdout).toContain("a summary is asked of scripted/tiny");
}, 120_000);
