import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { mint, type PrincipalId } from "../../src/ipc/ids.ts";
import { PersonExport } from "../../src/supervisor/person-export.ts";
import { DataFolder } from "../vault/world.ts";
import { KeepingWorld } from "./keeping-world.ts";

const root = mkdtempSync(join(tmpdir(), "wirken-person-export-"));
const folder = new DataFolder();
let world: KeepingWorld;
let kim: PrincipalId;
let exporting: PersonExport;

beforeAll(async () => {
  world = await KeepingWorld.open(folder);
  await world.people.ensureOwner("Account Holder");
  kim = await world.join("Kim", "sender-kim");
  const lee = await world.join("Lee", "sender-lee");
  const alone = await world.session("direct", "place-of-sender-kim", kim);
  const group = await world.session("group", "a group", kim);
  await world.say(alone, kim, "kim alone");
  await world.say(group, kim, "kim in the group");
  await world.say(group, lee, "lee in the group");
  exporting = new PersonExport({ log: world.log, state: world.state, home: folder.path });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
  rmSync(root, { recursive: true });
});

test("what is somebody's is written whole, what is another's is not, and it is on the log", async () => {
  const out = join(root, "kim");
  const exported = await exporting.write(kim, out, world.owner);
  const path = join(out, "content.jsonl");
  const text = readFileSync(path, "utf8");
  expect(exported).toMatchObject({ out, bytes: Buffer.byteLength(text) });
  for (const theirs of ["kim alone", "you said kim alone", "kim in the group", '"text":"Kim"', "sender-kim"])
    expect(text).toContain(theirs);
  for (const others of ["lee in the group", "Lee", "sender-lee"]) expect(text).not.toContain(others);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const [row] = world.log.rows({ kind: "log.exported", limit: 1 });
  expect(row?.action).toMatchObject({ digest: exported.digest, rows: exported.rows });
});

test("an erasure of somebody who is out takes out just what was written", async () => {
  const before = await exporting.write(kim, join(root, "before"), world.owner);
  await world.log.append({ kind: "person.revoked", principal: kim, ...world.owner }, { cause: null });
  const again = await exporting.write(kim, join(root, "out"), world.owner);
  expect(again.rows).toBe(before.rows);
  await world.erasure().erase({ principal: kim }, "they asked for it", world.owner);
  expect((await exporting.write(kim, join(root, "after"), world.owner)).rows).toBe(0);
});

test("it is refused where it could not be kept apart, and from the page", async () => {
  mkdirSync(join(root, "there"));
  await expect(exporting.write(kim, join(root, "there"), world.owner)).rejects.toThrow("is there already");
  await expect(exporting.write(kim, join(root, "no", "where"), world.owner)).rejects.toThrow("cannot be made");
  await expect(exporting.write(kim, join(folder.path, "x"), world.owner)).rejects.toThrow("the data directory");
  await expect(exporting.write(kim, join(root, "x"), { ...world.owner, via: "web" })).rejects.toThrow("terminal only");
  await expect(exporting.write(mint("principal"), join(root, "x"), world.owner)).rejects.toThrow("nobody has the id");
  expect(existsSync(join(root, "x"))).toBe(false);
});
