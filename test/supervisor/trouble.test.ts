import { expect, test } from "vitest";
import { AuditError } from "../../audit/error.ts";
import { troubleOf } from "../../src/supervisor/trouble.ts";
import { VaultError } from "../../vault/error.ts";

function failed(code: string, cause?: unknown): Error {
  return Object.assign(new Error("the system's words"), { code }, { cause });
}

test.for([
  ["ENOSPC", "the disk is full"],
  ["SQLITE_FULL", "the disk is full"],
  ["EROFS", "read-only"],
  ["SQLITE_READONLY_DIRECTORY", "read-only"],
  ["EIO", "the disk cannot be written"],
  ["SQLITE_IOERR_FSYNC", "the disk cannot be written"],
] as const)("%s is told as: %s, wherever it lies among the causes", ([code, told]) => {
  for (const error of [failed(code), new AuditError("AUDIT_UNWRITABLE", "nothing runs", { cause: failed(code) })]) {
    expect(troubleOf(error)?.sentence).toContain(told);
    expect(troubleOf(error)?.hint).toMatch(/data directory/);
  }
});

test("what log and vault say of themselves is told in their words, with what mends it", () => {
  const newer = troubleOf(new AuditError("AUDIT_NEWER", "wirken 9 opens it"));
  expect(newer).toEqual({ sentence: "wirken 9 opens it", hint: null });
  expect(troubleOf(new AuditError("AUDIT_BROKEN", "row 7 was changed"))?.hint).toContain("wirken audit restore");
  expect(troubleOf(new VaultError("VAULT_ABSENT", "there is no vault"))?.hint).toContain("backup");
});

test("anything else is a bug, and is not told away", () => {
  expect(troubleOf(new TypeError("x is undefined"))).toBeNull();
  expect(troubleOf(failed("ENOENT"))).toBeNull();
  expect(troubleOf("a string")).toBeNull();
});
