import { expect, test } from "vitest";
import { checkedFields, isAction } from "../../audit/kinds.ts";

const ORIGIN = "wirken.local/audit/00000000000000000000000000000000";
const OPENED = {
  kind: "log.opened",
  origin: ORIGIN,
  vkey: `${ORIGIN}+00000000+AQ==`,
  format: 1,
  protector: "none",
  anchors: 0,
};

function opened(more: object): { readonly kind: string } {
  return { ...OPENED, ...more };
}

test("a row from before a field was added is still a row", () => {
  expect(isAction(OPENED)).toBe(true);
});

test("a field that was added later is of its class, where it stands at all", () => {
  expect(isAction(opened({ kept: 7, ahead: null }))).toBe(true);
  expect(isAction(opened({ kept: "seven" }))).toBe(false);
  expect(() => checkedFields(opened({ kept: -1 }))).toThrow("the field kept of log.opened");
});

test("a field that no build knows is refused by its name, and what it holds is not repeated", () => {
  expect(() => checkedFields(opened({ note: "for Ann" }))).toThrow('log.opened has no field "note"');
  expect(() => checkedFields(opened({ origin: "for Ann" }))).toThrow(
    /^nothing was recorded: the field origin [a-z. ]+$/,
  );
});

test("a row that lacks a field is none", () => {
  const { anchors: _, ...rest } = OPENED;
  expect(() => checkedFields(rest)).toThrow("log.opened lacks its field anchors");
});
