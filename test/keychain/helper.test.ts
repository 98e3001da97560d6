import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { HelperKeychain, KEYCHAIN_MS } from "../../src/supervisor/protector.ts";
import { Secret } from "../../vault/secret.ts";
import { HELPER, KeyringHome, KeyringSession, useSession } from "./session.ts";

const VAULT = "00112233445566778899aabbccddeeff";
const ACCOUNT = `vault/${VAULT}/1`;
const NOTE = `wirken.local/audit/${VAULT}\n7\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n— wirken.local/audit/${VAULT} AAAA\n`;

const said: string[] = [];
const options = { log: (line: string) => said.push(line), image: HELPER };
/** With the patience of a terminal: this machine may be busy with other tests. */
const keychain = new HelperKeychain({ ...options, timeout: KEYCHAIN_MS.terminal });

afterEach(() => useSession(null));

function helpers(): string {
  return execFileSync("ps", ["-o", "args=", "--ppid", String(process.pid)], { encoding: "utf8" });
}

function master(): Secret {
  return Secret.take(Uint8Array.from({ length: 32 }, (_, at) => 255 - at * 8));
}

test("an open keychain keeps a master, gives it back byte for byte, and forgets it", async () => {
  using home = new KeyringHome();
  await using session = await KeyringSession.start(home.path, "open");
  useSession(session.address);
  expect(await keychain.probe()).toBe("works");
  expect(await keychain.read(ACCOUNT)).toBeNull();
  using written = master();
  await keychain.write(ACCOUNT, written);
  using kept = await keychain.read(ACCOUNT);
  expect(kept?.use((bytes) => written.use((own) => Buffer.compare(bytes, own)))).toBe(0);
  await keychain.delete(ACCOUNT);
  expect(await keychain.read(ACCOUNT)).toBeNull();
  await keychain.delete(ACCOUNT); // done already is done
  expect(said).toEqual([]);
});

test("the pin of a log is kept in the keychain, and replaced by the next", async () => {
  using home = new KeyringHome();
  await using session = await KeyringSession.start(home.path, "open");
  useSession(session.address);
  expect(await keychain.readPin(VAULT)).toEqual({ state: "absent" });
  await keychain.writePin(VAULT, NOTE.replace("\n7\n", "\n6\n"));
  await keychain.writePin(VAULT, NOTE);
  expect(await keychain.readPin(VAULT)).toEqual({ state: "found", note: NOTE });
});

test("probing leaves nothing in the keychain, and what is kept is under the name wirken", async () => {
  using home = new KeyringHome();
  await using session = await KeyringSession.start(home.path, "open");
  useSession(session.address);
  await keychain.probe();
  await keychain.read(ACCOUNT);
  await keychain.writePin(VAULT, NOTE);
  const listed = execFileSync(
    process.execPath,
    [
      "-e",
      `require("keytar").findCredentials("wirken").then((all) => console.log(all.map((one) => one.account).join()))`,
    ],
    { encoding: "utf8", cwd: import.meta.dirname },
  );
  expect(listed.trim()).toBe(`pin/${VAULT}`);
});

test("a locked keychain is locked, and what is in it is not missing", async () => {
  using home = new KeyringHome();
  {
    await using open = await KeyringSession.start(home.path, "open");
    useSession(open.address);
    using written = master();
    await keychain.write(ACCOUNT, written);
    await keychain.writePin(VAULT, NOTE);
  }
  await using closed = await KeyringSession.start(home.path, "closed");
  useSession(closed.address);
  expect(await keychain.probe()).toBe("locked");
  await expect(keychain.read(ACCOUNT)).rejects.toMatchObject({ name: "VaultError", code: "VAULT_KEYCHAIN_LOCKED" });
  await expect(keychain.read(`vault/${VAULT}/2`)).rejects.toMatchObject({ code: "VAULT_KEYCHAIN_LOCKED" });
  using another = master();
  await expect(keychain.write(ACCOUNT, another)).rejects.toMatchObject({ code: "VAULT_KEYCHAIN_LOCKED" });
  await expect(keychain.delete(ACCOUNT)).rejects.toMatchObject({ code: "VAULT_KEYCHAIN_LOCKED" });
  expect(await keychain.readPin(VAULT)).toEqual({ state: "unreachable" });
  await expect(keychain.writePin(VAULT, NOTE)).rejects.toMatchObject({ code: "VAULT_KEYCHAIN_LOCKED" });
});

test("without a session bus there is no keychain", async () => {
  useSession(null);
  expect(await keychain.probe()).toBe("absent");
  await expect(keychain.read(ACCOUNT)).rejects.toMatchObject({
    code: "VAULT_KEYCHAIN_ABSENT",
    message: expect.stringContaining("choose a passphrase"),
  });
  expect(await keychain.readPin(VAULT)).toEqual({ state: "unreachable" });
});

test("on a bus without a secret service there is no keychain", async () => {
  using home = new KeyringHome();
  await using session = await KeyringSession.start(home.path, "nothing");
  useSession(session.address);
  expect(await keychain.probe()).toBe("absent");
  await expect(keychain.read(ACCOUNT)).rejects.toMatchObject({ code: "VAULT_KEYCHAIN_ABSENT" });
});

test("a service in which nobody ever made a keyring is no keychain", async () => {
  using home = new KeyringHome();
  await using session = await KeyringSession.start(home.path, "closed");
  useSession(session.address);
  expect(await keychain.probe()).toBe("absent");
  await expect(keychain.read(ACCOUNT)).rejects.toMatchObject({ code: "VAULT_KEYCHAIN_ABSENT" });
});

test("a bus that is gone is unreachable: nothing is concluded from it", async () => {
  useSession("unix:path=/nonexistent/bus");
  expect(await keychain.probe()).toBe("unreachable");
  await expect(keychain.read(ACCOUNT)).rejects.toMatchObject({ code: "VAULT_KEYCHAIN_UNREACHABLE" });
});

test("without libsecret there is no keychain, even where a service runs", async () => {
  using home = new KeyringHome();
  await using session = await KeyringSession.start(home.path, "open");
  useSession(session.address);
  const folder = mkdtempSync(join(tmpdir(), "wirken-no-libsecret-"));
  writeFileSync(join(folder, "libsecret-1.so.0"), "");
  const without = new HelperKeychain({
    ...options,
    timeout: KEYCHAIN_MS.terminal,
    image: { command: "env", args: [`LD_LIBRARY_PATH=${folder}`, HELPER.command, ...HELPER.args] },
  });
  try {
    expect(await without.probe()).toBe("absent");
    await expect(without.read(ACCOUNT)).rejects.toMatchObject({ code: "VAULT_KEYCHAIN_ABSENT" });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a keychain that hangs is given up after three seconds, and its helper is ended", async () => {
  using home = new KeyringHome();
  await using session = await KeyringSession.start(home.path, "open");
  useSession(session.address);
  const daemon = new HelperKeychain({ ...options, timeout: KEYCHAIN_MS.daemon });
  process.kill(session.keyring, "SIGSTOP");
  const before = performance.now();
  await expect(daemon.read(ACCOUNT)).rejects.toMatchObject({
    code: "VAULT_KEYCHAIN_UNREACHABLE",
    message: expect.stringContaining("did not answer within 3 s"),
  });
  const took = performance.now() - before;
  expect(took).toBeGreaterThan(2900);
  expect(took).toBeLessThan(10_000);
  // No helper stays behind.
  await expect.poll(helpers, { timeout: 2000 }).not.toContain("keychain/main.ts");
  process.kill(session.keyring, "SIGCONT");
  expect(await keychain.probe()).toBe("works");
});

test("a helper that cannot be started is an unreachable keychain", async () => {
  const none = new HelperKeychain({ timeout: 500, log: () => undefined, image: { command: "/nonexistent", args: [] } });
  expect(await none.probe()).toBe("unreachable");
  const exits = new HelperKeychain({ timeout: 3000, log: () => undefined, image: { command: "true", args: [] } });
  expect(await exits.probe()).toBe("unreachable");
});
