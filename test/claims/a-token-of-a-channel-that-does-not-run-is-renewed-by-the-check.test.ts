import { afterAll, beforeAll, expect, test } from "vitest";
import { MatrixServer } from "../support/matrix-server.ts";
import { SecretScan } from "../support/secret-scan.ts";
import { Spine } from "../support/spine.ts";

let spine: Spine;
let matrix: MatrixServer;

beforeAll(async () => {
  [spine, matrix] = await Promise.all([Spine.start({ channels: [] }), MatrixServer.start()]);
});
afterAll(async () => {
  await spine[Symbol.asyncDispose]();
  await matrix[Symbol.asyncDispose]();
});

async function version(): Promise<{ version: number; fallback: number | null; account: string | null }> {
  const { credentials } = await (await spine.operator()).call({ call: "vault.list" });
  const found = credentials.find(({ scope }) => scope === "channel/matrix");
  if (found === undefined) throw new Error("it is not there");
  const { version: number, fallback, account } = found;
  return { version: number, fallback, account };
}
async function kinds(): Promise<string[]> {
  return (await spine.rows("credential.")).map(({ kind }) => kind);
}

async function renewed(): Promise<boolean> {
  const { version: number, fallback } = await version();
  return number === 2 && fallback === null;
}

async function shut(channel: string): Promise<void> {
  const off = await spine.daemon.wirken(["channel", "disable", channel]);
  expect(off.status, off.stderr).toBe(0);
}

test("a refresh token is enrolled beside the access token, or left out", async () => {
  const ran = await spine.daemon.wirken(["vault", "add", "matrix", "--stdin"], {
    stdin: Object.values(matrix.login).join("\n"),
  });
  expect(ran.status, ran.stderr).toBe(0);
  expect(ran.stdout).toContain("saved matrix, as @wirken:matrix.example");
  // The channel's own process renews what nobody knows the end of; what the check does is looked at when that is over, and the process too.
  await spine.eventually("renewed, and connected with that", renewed, 60_000);
  await shut("matrix");
  const { homeserver, "access-token": access } = matrix.login;
  const without = await spine.daemon.wirken(["vault", "add", "matrix:old", "--stdin"], {
    stdin: `${homeserver}\n${access}`,
  });
  expect(without.status, without.stderr).toBe(0);
  await shut("matrix:old");
  expect(matrix.renewals).toBe(1);
});

test("a token that works is not renewed", async () => {
  const ran = await spine.daemon.wirken(["vault", "check", "matrix"]);
  expect(ran.status, ran.stderr).toBe(0);
  expect(matrix.renewals).toBe(1);
});

test("one that has ended is renewed by the check, sealed, and good from then on", async () => {
  matrix.end();
  const ran = await spine.daemon.wirken(["vault", "check", "matrix"]);
  expect(ran.status, ran.stderr + ran.stdout).toBe(0);
  expect(ran.stdout).toMatch(/matrix +good +@wirken:matrix\.example/);
  expect(await version()).toEqual({ version: 3, fallback: null, account: "@wirken:matrix.example" });
  expect((await kinds()).slice(-4)).toEqual([
    "credential.renewing",
    "credential.renewed",
    "credential.checked",
    "credential.confirmed",
  ]);
});

test("a renewal whose answer was lost costs nothing: the next check is given again what was never used", async () => {
  matrix.end();
  matrix.loseAnswer = true;
  const lost = await spine.daemon.wirken(["vault", "check", "matrix"]);
  expect(lost.status, lost.stdout).not.toBe(0);
  expect(await version()).toMatchObject({ version: 3, fallback: null });
  const ran = await spine.daemon.wirken(["vault", "check", "matrix"]);
  expect(ran.status, ran.stderr + ran.stdout).toBe(0);
  expect(await version()).toMatchObject({ version: 4, fallback: null });
});

test("one without a refresh token, or whose login is over, is refused with what mends it, and the version stays", async () => {
  matrix.end();
  const old = await spine.daemon.wirken(["vault", "check", "matrix:old"]);
  expect(old.status).toBe(1);
  matrix.logOut();
  const over = await spine.daemon.wirken(["vault", "check", "matrix"]);
  expect(over.status).toBe(1);
  expect(over.stdout).toContain("log in once more");
  expect(await version()).toMatchObject({ version: 4, fallback: null });
  const status = await spine.daemon.wirken(["status"]);
  expect(status.stdout).toContain("wirken vault rotate matrix");
  const ran = await spine.daemon.wirken(["vault", "rotate", "matrix", "--stdin"], {
    stdin: Object.values(matrix.login).join("\n"),
  });
  expect(ran.status, ran.stderr).toBe(0);
  // The other login is named as what it is.
  expect((await spine.daemon.wirken(["status"])).stdout).not.toMatch(/wirken vault rotate matrix(?!:)/);
});

test("no token that was given out is in a row, a line or a byte of the data directory", async () => {
  const scan = new SecretScan(matrix.issued);
  expect(scan.in(matrix.issued[0] ?? "")).toHaveLength(1);
  expect(scan.in(JSON.stringify(await spine.rows()))).toEqual([]);
  expect(scan.in(spine.daemon.stdout + spine.daemon.stderr)).toEqual([]);
  expect(scan.below(spine.daemon.data)).toEqual([]);
});
