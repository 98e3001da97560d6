import { expect, test } from "vitest";
import { CredentialDates } from "../../src/supervisor/credential-dates.ts";
import { ownFolder } from "../support/folder.ts";
import { useSession } from "../keychain/session.ts";
import { DataFolder, World } from "../vault/world.ts";

useSession(null);

const DAY = 24 * 3_600_000;

/** Watches a world's credentials as a process does that begins `days` from now. */
function watching(world: World, lines: string[], days: number): CredentialDates {
  return new CredentialDates({
    vault: () => world.vault,
    log: world.log,
    now: () => Date.now() + days * DAY,
    line: (role, line) => lines.push(`${role}: ${line}`),
  });
}

function at(days: number): string {
  return new Date(Date.now() + days * DAY).toISOString();
}

test("from seven days before, a credential is told of in the status, in the operational log, and in one row a day", async () => {
  await using world = await World.guarded(new DataFolder(ownFolder()));
  await world.add("channel/slack", { "bot-token": "x" }, { expires: at(8) });
  await world.add("provider/openai", { "api-key": "x" }, { rotationDue: at(30) });
  await world.add("provider/anthropic", { "api-key": "x" });
  const rows = () => world.log.rows({ kind: "credential.due" }).map(({ action }) => action);
  const lines: string[] = [];

  const early = watching(world, lines, 0);
  await early.look();
  expect([early.notes(), lines, rows()]).toEqual([[], [], []]);

  const expires = expect.stringMatching(/^the credential of slack expires on .*: wirken vault rotate slack$/);
  const due = watching(world, lines, 0.999);
  expect(due.notes()).toEqual([]);
  const soon = watching(world, lines, 1.001);
  expect(soon.notes()).toEqual([expires]);
  // The log's clock is a day behind this one's: what is told counts from its row.
  await world.add("channel/telegram", { "bot-token": "x" }, { expires: at(2) });
  const now = watching(world, lines, 0);
  await now.look();
  await now.look();
  await watching(world, lines, 0).look(); // as after a restart
  expect(lines).toEqual([expect.stringMatching(/^vault: the credential of telegram expires on/)]);
  expect(rows()).toMatchObject([{ scope: "channel/telegram", version: 1, what: "expires", at: expect.any(String) }]);
  await watching(world, lines, 1.001).look();
  expect(rows()).toHaveLength(3);

  const late = watching(world, lines, 24);
  expect(late.notes()).toEqual([
    expect.stringMatching(/^the credential of slack expired on .* and is refused: wirken vault rotate slack$/),
    expect.stringMatching(/^the credential of telegram expired on/),
    expect.stringMatching(/^the credential of openai should be replaced by .*: wirken vault rotate openai$/),
  ]);
});
