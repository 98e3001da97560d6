import { z } from "zod/mini";
import { commitParts, sealPart } from "../../../audit/content.ts";
import { fieldsOf } from "./hand.ts";
import type { Known, Tampering } from "./tampering.ts";

/** Two rows with one part of the same name each. */
const received =
  (nth: number) =>
  (log: Known): number =>
    log.row("message.received", nth);
const id = (log: Known, nth = 0): number => received(nth)(log) * 16;

/** What rows committed to: found where the vault is open, and said to be unchecked where it is not. */
export const CONTENT: readonly Tampering[] = [
  {
    name: "one byte of sealed content is edited",
    does: (copy, log) =>
      copy.edit((database) => {
        const read = database.prepare("SELECT sealed FROM content WHERE id = ?").pluck();
        const sealed: unknown = read.get(id(log));
        if (!(sealed instanceof Uint8Array)) throw new Error("there is no such content");
        const bytes = Uint8Array.from(sealed);
        bytes[60] = (bytes[60] ?? 0) ^ 1;
        database.prepare("UPDATE content SET sealed = ? WHERE id = ?").run(bytes, id(log));
      }),
    found: { code: "content-changed", seq: received(0) },
  },
  {
    name: "the sealed contents of two rows change places",
    does: (copy, log) => {
      copy.run("UPDATE content SET id = -1 WHERE id = ?", id(log));
      copy.run("UPDATE content SET id = ? WHERE id = ?", id(log), id(log, 1));
      copy.run("UPDATE content SET id = ? WHERE id = -1", id(log, 1));
    },
    found: { code: "content-changed", seq: received(0) },
  },
  {
    name: "two parts of one row change places",
    does: (copy, log) => {
      copy.run("UPDATE content SET id = -1 WHERE id = ?", id(log));
      copy.run("UPDATE content SET id = ? WHERE id = ?", id(log), id(log) + 1);
      copy.run("UPDATE content SET id = ? WHERE id = -1", id(log) + 1);
    },
    found: { code: "content-changed", seq: received(0) },
  },
  {
    name: "other content is sealed in its place with the session's own key",
    does: (copy, log) => {
      const session = z.string().parse(fieldsOf(log.bodies[received(0)(log)] ?? "")["session"]);
      const [part] = commitParts("message.received", { text: "another question" });
      if (part === undefined) throw new Error("there is no part");
      const place = { origin: log.original.origin, seq: received(0)(log) };
      copy.run(
        "UPDATE content SET sealed = ? WHERE id = ?",
        sealPart(log.original.sealer, session, place, part),
        id(log),
      );
    },
    found: { code: "content-changed", seq: received(0) },
  },
  {
    name: "sealed content is cut",
    does: (copy, log) =>
      copy.run("UPDATE content SET sealed = substr(sealed, 1, length(sealed) - 1) WHERE id = ?", id(log)),
    found: { code: "content-changed", seq: received(0) },
  },
  {
    name: "sealed content is nothing",
    does: (copy, log) => copy.run("UPDATE content SET sealed = x'' WHERE id = ?", id(log)),
    found: { code: "content-changed", seq: received(0) },
  },
  {
    name: "sealed content is said to be of another session, whose key opens it not",
    does: (copy, log) =>
      copy.run(
        "UPDATE content SET sealed = CAST((SELECT substr(sealed, 1, 29) FROM content WHERE id = ?) || substr(sealed, 30) AS BLOB) WHERE id = ?",
        id(log, 1),
        id(log),
      ),
    found: { code: "content-changed", seq: received(0) },
  },
  {
    name: "sealed content is stored as text",
    does: (copy, log) =>
      copy.withoutRules("content", (database) =>
        database.prepare("UPDATE content SET sealed = 'text' WHERE id = ?").run(id(log)),
      ),
    found: { code: "content-changed", seq: received(0) },
  },
  {
    name: "content is put to a row that has none",
    does: (copy, log) => copy.run("INSERT INTO content VALUES (?, x'00')", log.row("turn.started") * 16),
    found: { code: "content-stray", seq: (log) => log.row("turn.started") },
  },
  {
    name: "a part more is put to a row that has content",
    does: (copy, log) => copy.run("INSERT INTO content VALUES (?, x'00')", id(log) + 9),
    found: { code: "content-stray", seq: received(0) },
  },
  {
    name: "content is put behind the last row",
    does: (copy, log) => copy.run("INSERT INTO content VALUES (?, x'00')", log.size * 16),
    found: { code: "content-stray", seq: () => null },
  },
  {
    name: "content is put before the first row",
    does: (copy) => copy.run("INSERT INTO content VALUES (-1, x'00')"),
    found: { code: "content-stray", seq: () => null },
  },
  {
    name: "content is deleted: that it is missing is said",
    does: (copy, log) => copy.run("DELETE FROM content WHERE id = ?", id(log)),
    found: { warning: "content-missing", seq: received(0) },
  },
];
