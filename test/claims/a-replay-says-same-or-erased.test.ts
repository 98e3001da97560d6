import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Name } from "../../src/ipc/ids.ts";
import { ask, needLine, startProtected } from "../support/claims-world.ts";
import { ownFolder } from "../support/folder.ts";
import { ScriptedModel } from "../support/scripted-model.ts";

test("a replay shows what the model saw and says same; once the content is erased it says that", async () => {
  await using model = await ScriptedModel.start();
  model.script("look around", { calls: [{ name: "list_files", arguments: {} }] }, { text: "There is not much." });
  await using daemon = await startProtected({
    config: {
      agents: { default: { model: "scripted/test-model", instructions: "Speak like a gardener." } },
      providers: { scripted: { baseUrl: model.baseUrl } },
    },
  });
  await ask(daemon, "look around\u202e please");
  await ask(daemon, "thank you");
  await using line = await needLine(daemon);
  const { session } = await line.call({ call: "transcript", agent: Name.parse("default") });
  const of = String(session);

  const one = await daemon.wirken(["sessions", "replay", of, "--turn", "1"]);
  expect(one.status).toBe(0);
  // What was sent is what is shown: prompt, tools, words, call and result.
  for (const shown of [
    "Speak like a gardener.",
    "tools offered: ",
    "list_files",
    "calls list_files",
    "There is not much.",
  ])
    expect(one.stdout).toContain(shown);
  // A terminal obeys nothing of it.
  expect(one.stdout).toContain("look around\\u{202e} please");
  expect(one.stdout.match(/^ {2}same: /gm)).toHaveLength(2);
  // It was sent: so says whoever got it.
  expect(model.heard).toContain("Speak like a gardener.");

  const { steps } = await line.call({ call: "session.replay", session: session ?? never(), turn: 2 });
  expect(steps.map(({ verdict, messages, from }) => [verdict, messages.length + from])).toEqual([["same", 5]]);

  const shown = await daemon.wirken(["sessions", "show", of]);
  expect(shown.stdout).toMatch(/1 +\S+ \S+ +\S+ +done +1 /);
  const out = join(ownFolder(), "export");
  const exported = await daemon.wirken(["sessions", "export", of, "--out", out, "--json"]);
  const lines = readFileSync(join(out, "conversation.jsonl"), "utf8").trimEnd().split("\n");
  expect(JSON.parse(exported.stdout)).toMatchObject({ rows: lines.length });
  const { rows } = await line.call({ call: "audit.rows", filter: { kind: "log.exported", limit: 1 } });
  expect(rows[0]?.fields["digest"]).toBe(JSON.parse(exported.stdout).digest);
  expect(readFileSync(join(out, "conversation.md"), "utf8")).toContain("There is not much.");

  const closed = await daemon.wirken(["sessions", "close", of]);
  expect(closed.stdout).toContain("is closed");
  await ask(daemon, "hello again");
  const { session: next } = await line.call({ call: "transcript", agent: Name.parse("default") });
  expect(next).not.toBe(session);

  await daemon.wirken(["audit", "erase", "--session", of, "--reason", "a test"]);
  const erased = await daemon.wirken(["sessions", "replay", of]);
  expect(erased.status).toBe(0);
  expect(erased.stdout).toContain("not provable: content erased");
  expect(erased.stdout).not.toMatch(/same:|different:|gardener|look around/);
}, 120_000);

function never(): never {
  throw new Error("nothing was said");
}
