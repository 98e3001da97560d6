import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { deleteProvisional, readProvisional, writeProvisional } from "../../vault/provisional.ts";
import { Secret } from "../../vault/secret.ts";

let folder = "";
let path = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "wirken-provisional-"));
  path = join(folder, "provisional.key");
});
afterEach(() => rmSync(folder, { recursive: true }));

const unsafe = expect.objectContaining({ code: "VAULT_UNSAFE_FILE" });

function aMaster(): Secret {
  return Secret.take(new Uint8Array(32).fill(9));
}

test("the provisional key is a file of 32 bytes that its user alone can read, and comes back", () => {
  using master = aMaster();
  writeProvisional(path, master);
  expect([statSync(path).mode & 0o777, statSync(path).size]).toEqual([0o600, 32]);
  using back = readProvisional(path) ?? aMaster().copy();
  expect(back.use((bytes) => Buffer.compare(bytes, readFileSync(path)))).toBe(0);
});

test("a provisional key is never written over another, nor through a link", () => {
  using master = aMaster();
  writeFileSync(path, "other");
  expect(() => writeProvisional(path, master)).toThrow(expect.objectContaining({ code: "VAULT_EXISTS" }));
  const link = join(folder, "link.key");
  symlinkSync(join(folder, "elsewhere"), link);
  expect(() => writeProvisional(link, master)).toThrow(expect.objectContaining({ code: "VAULT_EXISTS" }));
  expect(existsSync(join(folder, "elsewhere"))).toBe(false);
});

test("a folder that is not there is unwritable", () => {
  using master = aMaster();
  expect(() => writeProvisional(join(folder, "none", "provisional.key"), master)).toThrow(
    expect.objectContaining({ code: "VAULT_UNWRITABLE" }),
  );
});

test("no file, and a file that a crash cut short, are no key", () => {
  expect(readProvisional(path)).toBeNull();
  writeFileSync(path, new Uint8Array(31), { mode: 0o600 });
  expect(readProvisional(path)).toBeNull();
});

test.for([0o640, 0o604, 0o622, 0o777])("a key whose file has mode %o is refused", (mode) => {
  using master = aMaster();
  writeProvisional(path, master);
  chmodSync(path, mode);
  expect(() => readProvisional(path)).toThrow(unsafe);
});

test("a link, a folder and a file that is too long are refused as a key", () => {
  using master = aMaster();
  const real = join(folder, "real.key");
  writeProvisional(real, master);
  symlinkSync(real, path);
  expect(() => readProvisional(path)).toThrow(unsafe);
  rmSync(path);
  mkdirSync(path, { mode: 0o700 });
  expect(() => readProvisional(path)).toThrow(unsafe);
  rmSync(path, { recursive: true });
  writeFileSync(path, new Uint8Array(33), { mode: 0o600 });
  expect(() => readProvisional(path)).toThrow(unsafe);
});

test("a deleted key is overwritten first, and deleting twice is deleting once", () => {
  using master = aMaster();
  writeProvisional(path, master);
  const second = join(folder, "second name");
  linkSync(path, second);
  deleteProvisional(path);
  expect(existsSync(path)).toBe(false);
  expect(readFileSync(second).equals(Buffer.alloc(32))).toBe(true);
  deleteProvisional(path);
});
