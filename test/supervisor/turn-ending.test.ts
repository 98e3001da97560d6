import { expect, test } from "vitest";
import { AuditError } from "../../audit/error.ts";
import { sentenceOf } from "../../src/supervisor/turn-ending.ts";

const UNWRITABLE = new AuditError("AUDIT_UNWRITABLE", "nothing was recorded");

test("where neither an action nor its failure can be recorded, the person is told that nothing can be", async () => {
  const both = async (): Promise<void> => {
    await using _ = { [Symbol.asyncDispose]: () => Promise.reject(new Error("neither is it recorded that it failed")) };
    await Promise.reject(UNWRITABLE);
  };
  const thrown: unknown = await both().catch((error: unknown) => error);
  expect(thrown).toBeInstanceOf(SuppressedError);
  expect(sentenceOf(thrown)).toBe(sentenceOf(UNWRITABLE));
  expect(sentenceOf(thrown)).toContain("cannot be recorded");
  expect(sentenceOf(new Error("another"))).not.toContain("cannot be recorded");
});
