import { ed25519Signer, newOrigin } from "../../support/audit-ports.ts";
import {
  chained,
  type Copy,
  isOf,
  isSigned,
  otherByte,
  otherHash,
  replaced,
  type Row,
  signedAnew,
  withFields,
} from "./hand.ts";
import type { Known, Tampering } from "./tampering.ts";

/** Links and numbers these bodies and stores them: by somebody without a key. */
function storeChained(copy: Copy, bodies: readonly string[]): Row[] {
  const rows = chained(bodies);
  copy.store(rows);
  return rows;
}

/** The same by somebody with the log's keys, who signs everything anew and puts the checkpoint file right too. */
export function forge(copy: Copy, log: Known, bodies: readonly string[], keys = log.keys): void {
  const notes = signedAnew(storeChained(copy, bodies), log.original.origin, keys);
  copy.storeNotes(notes);
  copy.file = notes.at(-1)?.note ?? "";
}

const NO_OUTSIDE =
  /^no outside anchor: malware under this user id, or the operator, could have cut or replaced the log/m;
const NEWER_ROWS = /^note: the last (row is|\d+ rows are) covered by no checkpoint yet: whoever can write the file/m;

const editedAt = (log: Known, seq: number): string[] => replaced(log.bodies, seq, otherByte(log.rows[seq]?.body ?? ""));

/** Turns rows that a checkpoint ends with into others: then nothing calls for their notes. */
function unsigned(bodies: readonly string[], from: number): string[] {
  return bodies.map((body, seq) =>
    seq >= from && isSigned(body)
      ? body.replace(/"\$kind":"[^"]+"/, '"$kind":"session.closed"').replace(/"reason":"[a-z]+"/, '"reason":"new"')
      : body,
  );
}

/** Edits of rows, of their order and of their number. */
export const ROWS: readonly Tampering[] = [
  ...(
    [
      ["a row in the middle", (log) => log.middle],
      ["the first row", () => 0],
      ["the last row", (log) => log.size - 1],
      ["the row before a checkpoint's", (log) => log.signedAfter(log.middle) - 1],
      ["a checkpoint's row", (log) => log.signedAfter(log.middle)],
      ["the row that changes the key", (log) => log.row("key.rotated")],
    ] satisfies [string, (log: Known) => number][]
  ).flatMap(([which, seq]): Tampering[] => [
    {
      name: `one byte of the body of ${which} is edited`,
      does: (copy, log) =>
        copy.run("UPDATE entry SET body = ? WHERE seq = ?", otherByte(log.rows[seq(log)]?.body ?? ""), seq(log)),
      found: { code: "row-changed", seq },
    },
    {
      name: `the hash of ${which} is edited`,
      does: (copy, log) =>
        copy.run("UPDATE entry SET hash = ? WHERE seq = ?", otherHash(log.rows[seq(log)]?.hash ?? ""), seq(log)),
      found: { code: "row-changed", seq },
    },
  ]),
  {
    name: "the first character of a body is another one",
    does: (copy, log) => copy.run("UPDATE entry SET body = 's' || substr(body, 2) WHERE seq = ?", log.middle),
    found: { code: "row-changed", seq: (log) => log.middle },
  },
  {
    name: "the hashes of two rows change places",
    does: (copy, log) => {
      copy.run("UPDATE entry SET hash = ? WHERE seq = ?", log.rows[log.middle + 1]?.hash ?? "", log.middle);
      copy.run("UPDATE entry SET hash = ? WHERE seq = ?", log.rows[log.middle]?.hash ?? "", log.middle + 1);
    },
    found: { code: "row-changed", seq: (log) => log.middle },
  },
  {
    name: "a body and its hash are edited together",
    does: (copy, log) => editBoth(copy, log, log.middle),
    found: { code: "row-changed", seq: (log) => log.middle },
  },
  {
    name: "the body and the hash of the row before a checkpoint's are edited together",
    does: (copy, log) => editBoth(copy, log, log.signedAfter(log.middle) - 1),
    found: { code: "row-changed", seq: (log) => log.signedAfter(log.middle) - 1 },
  },
  {
    name: "a body and its hash are edited together, and another body further on",
    does: (copy, log) => {
      editBoth(copy, log, log.middle);
      const later = log.middle + 3;
      copy.run("UPDATE entry SET body = ? WHERE seq = ?", otherByte(log.rows[later]?.body ?? ""), later);
    },
    found: { code: "row-changed", seq: (log) => log.middle },
  },
  {
    name: "the hash of a checkpoint's row is edited together with its body",
    does: (copy, log) => editBoth(copy, log, log.signedAfter(log.middle)),
    found: {
      code: "rows-unsigned",
      seq: (log) => log.lookedForFrom(log.signedAfter(log.middle), log.signedAfter(log.middle) + 1),
    },
  },
  {
    name: "a row is edited and all later hashes are recomputed",
    does: (copy, log) => void storeChained(copy, editedAt(log, log.middle)),
    found: {
      code: "rows-unsigned",
      seq: (log) => log.lookedForFrom(log.middle, log.signedAfter(log.middle) + 1),
    },
  },
  {
    name: "a row is edited, all later hashes are recomputed and all later checkpoints deleted",
    does: (copy, log) => {
      storeChained(copy, editedAt(log, log.middle));
      copy.storeNotes(copy.notes().filter(({ size }) => size <= log.middle));
    },
    found: { code: "checkpoint-missing", seq: (log) => log.signedAfter(log.middle) },
  },
  {
    name: "a row is edited, later hashes recomputed, later checkpoints deleted and their rows made into others",
    does: (copy, log) => {
      storeChained(copy, unsigned(editedAt(log, log.middle), log.middle));
      copy.storeNotes(copy.notes().filter(({ size }) => size <= log.middle));
    },
    found: { code: "anchor-foreign", seq: () => null },
  },
  {
    name: "the same within the time of one key, where the checkpoint file still has the newest checkpoint",
    does: (copy, log) => {
      const last = log.coveredBefore(log.size - 1);
      storeChained(copy, unsigned(editedAt(log, last + 1), last + 1));
      copy.storeNotes(copy.notes().filter(({ size }) => size <= last));
    },
    found: { code: "forked", seq: () => null },
  },
  {
    name: "the same, and an older checkpoint is put into the checkpoint file",
    does: (copy, log) => {
      const last = log.coveredBefore(log.size - 1);
      storeChained(copy, unsigned(editedAt(log, last + 1), last + 1));
      copy.storeNotes(copy.notes().filter(({ size }) => size <= last));
      copy.file = copy.notes().at(-1)?.note ?? "";
    },
    found: { named: NEWER_ROWS, outside: "forked", seq: () => null },
  },
  {
    name: "a row is edited and everything signed anew by somebody who has the keys",
    does: (copy, log) => forge(copy, log, editedAt(log, log.middle)),
    found: { named: NO_OUTSIDE, outside: "forked", seq: () => null },
  },
  {
    name: "no row after the first checkpoint calls for one any more, and all others are deleted",
    does: (copy, log) => {
      storeChained(copy, unsigned(editedAt(log, log.middle), 2));
      copy.storeNotes(copy.notes().slice(0, 1));
      copy.file = copy.notes()[0]?.note ?? "";
    },
    found: { named: NEWER_ROWS, outside: "anchor-foreign", seq: () => null },
  },
  {
    name: "no row calls for a checkpoint any more, and all of them are deleted",
    does: (copy, log) => {
      storeChained(copy, unsigned(log.bodies, 0));
      copy.edit((database) => database.exec("DELETE FROM checkpoint"));
    },
    found: { code: "checkpoint-missing", seq: () => 1 },
  },
  {
    name: "more rows than a checkpoint may leave out stand after the newest one",
    does: (copy, log) => {
      const at = log.bodies.at(-1)?.slice(8, 32);
      const called = withFields(log.bodies[log.row("tool.called")] ?? "", { $at: at });
      storeChained(copy, [...log.bodies, ...Array.from({ length: 1_100 }, () => called)]);
    },
    found: { code: "checkpoint-missing", seq: (log) => log.size + 1_064 },
  },
  {
    name: "a row in the middle is deleted",
    does: (copy, log) => copy.run("DELETE FROM entry WHERE seq = ?", log.middle),
    found: { code: "row-missing", seq: (log) => log.middle },
  },
  {
    name: "three rows in the middle are deleted, a checkpoint's among them",
    does: (copy, log) => {
      const last = log.signedAfter(log.middle);
      copy.run("DELETE FROM entry WHERE seq BETWEEN ? AND ?", last - 1, last + 1);
    },
    found: { code: "row-missing", seq: (log) => log.signedAfter(log.middle) - 1 },
  },
  {
    name: "a row is deleted and the rows after it are renumbered",
    does: (copy, log) =>
      copy.store(log.rows.toSpliced(log.middle, 1).map(({ body, hash }, seq) => ({ seq, body, hash }))),
    found: { code: "row-changed", seq: (log) => log.middle },
  },
  {
    name: "a row is deleted, the rows after it are renumbered and linked anew",
    does: (copy, log) => void storeChained(copy, log.bodies.toSpliced(log.middle, 1)),
    found: { code: "cause", seq: (log) => log.middle },
  },
  {
    name: "a row on which no other depends is deleted, the rows after it are renumbered and linked anew",
    does: (copy, log) => void storeChained(copy, log.bodies.toSpliced(log.signedAfter(log.middle) - 1, 1)),
    found: { code: "checkpoint-missing", seq: (log) => log.signedAfter(log.middle) - 1 },
  },
  {
    name: "a row is deleted, the others renumbered and linked anew, and the checkpoints moved with them",
    does: (copy, log) => {
      storeChained(copy, log.bodies.toSpliced(log.signedAfter(log.middle) - 1, 1));
      copy.storeNotes(copy.notes().map((note) => (note.size > log.middle ? { ...note, size: note.size - 1 } : note)));
    },
    found: { code: "checkpoint-changed", seq: (log) => log.signedAfter(log.middle) - 1 },
  },
  {
    name: "the first rows are deleted",
    does: (copy) => copy.run("DELETE FROM entry WHERE seq < 5"),
    found: { code: "row-missing", seq: () => 0 },
  },
  {
    name: "the first rows are deleted and the others renumbered",
    does: (copy, log) => copy.store(log.rows.slice(5).map(({ body, hash }, seq) => ({ seq, body, hash }))),
    found: { code: "row-changed", seq: () => 0 },
  },
  {
    name: "the first rows are deleted, the others renumbered and linked anew",
    does: (copy, log) => void storeChained(copy, log.bodies.slice(5)),
    found: { code: "genesis", seq: () => 0 },
  },
  {
    name: "all rows are deleted",
    does: (copy) => copy.run("DELETE FROM entry"),
    found: { code: "genesis", seq: () => null },
  },
  {
    name: "the log gets another beginning with another key, and all of it is signed with that",
    does: (copy, log) => {
      const stranger = ed25519Signer(log.original.origin);
      const genesis = withFields(log.bodies[0] ?? "", { vkey: stranger.vkey });
      const rest = log.bodies.slice(1).filter((body) => !isOf(body, "key.rotated"));
      forge(copy, log, [genesis, ...rest], () => [stranger]);
    },
    found: { code: "wrong-key", seq: () => null },
  },
  {
    name: "the log gets another beginning, in front of itself",
    does: (copy, log) => void storeChained(copy, [log.bodies[0] ?? "", ...log.bodies]),
    found: { code: "genesis", seq: () => 1 },
  },
  {
    name: "the beginning becomes one of another format",
    does: (copy, log) =>
      void storeChained(copy, replaced(log.bodies, 0, withFields(log.bodies[0] ?? "", { format: 2 }))),
    found: { code: "genesis", seq: () => 0 },
  },
  {
    name: "the beginning gets the name of another log",
    does: (copy, log) =>
      forge(copy, log, replaced(log.bodies, 0, withFields(log.bodies[0] ?? "", { origin: newOrigin() }))),
    found: { code: "genesis", seq: () => 0 },
  },
  {
    name: "the beginning brings no key",
    does: (copy, log) => forge(copy, log, replaced(log.bodies, 0, withFields(log.bodies[0] ?? "", { vkey: "none" }))),
    found: { code: "genesis", seq: () => 0 },
  },
  {
    name: "the first body is emptied",
    does: (copy) => copy.run("UPDATE entry SET body = '' WHERE seq = 0"),
    found: { code: "row-emptied", seq: () => 0 },
  },
  {
    name: "the beginning becomes another row",
    does: (copy, log) => void storeChained(copy, replaced(log.bodies, 0, log.bodies[log.middle] ?? "")),
    found: { code: "genesis", seq: () => 0 },
  },
  {
    name: "the newest rows are deleted",
    does: (copy, log) => copy.run("DELETE FROM entry WHERE seq >= ?", log.size - 3),
    found: { code: "log-cut", seq: (log) => log.size - 3 },
  },
  {
    name: "the newest rows are deleted with the checkpoint that covers them",
    does: (copy, log) => copy.cutTo(log.size - 3, "without its checkpoint file"),
    found: { code: "rolled-back", seq: (log) => log.size - 3 },
  },
  {
    name: "the log is cut to exactly a checkpoint, newer ones dropped, and the checkpoint file left",
    does: (copy, log) => copy.cutTo(log.coveredBefore(log.size - 1), "without its checkpoint file"),
    found: { code: "rolled-back", seq: (log) => log.coveredBefore(log.size - 1) },
  },
  {
    name: "the log is cut to exactly a checkpoint, and so is its checkpoint file",
    does: (copy, log) => copy.cutTo(log.coveredBefore(log.size - 1), "with its checkpoint file"),
    found: { named: NO_OUTSIDE, outside: "rolled-back", seq: (log) => log.coveredBefore(log.size - 1) },
  },
  {
    name: "the log is cut to before its key was changed, and so is its checkpoint file",
    does: (copy) => copy.cutTo(2, "with its checkpoint file"),
    found: { named: NO_OUTSIDE, outside: "anchor-foreign", seq: () => null },
  },
  {
    name: "two rows change places",
    does: (copy, log) => swap(copy, log.middle),
    found: { code: "row-changed", seq: (log) => log.middle },
  },
  {
    name: "two rows change places and numbers, and all later hashes are recomputed",
    does: (copy, log) => {
      const { middle, bodies } = log;
      storeChained(copy, bodies.with(middle, bodies[middle + 1] ?? "").with(middle + 1, bodies[middle] ?? ""));
    },
    found: { code: "rows-unsigned", seq: (log) => log.lookedForFrom(log.middle, log.signedAfter(log.middle) + 1) },
  },
  {
    name: "two rows change places, keep their numbers, and all later hashes are recomputed",
    does: (copy, log) => {
      const { middle, bodies } = log;
      copy.store(
        chained(bodies.with(middle, bodies[middle + 1] ?? "").with(middle + 1, bodies[middle] ?? ""), log.size),
      );
    },
    found: { code: "row-moved", seq: (log) => log.middle },
  },
  {
    name: "a row is put in between",
    does: (copy, log) => {
      const { middle, rows } = log;
      const put = { body: otherByte(rows[middle]?.body ?? ""), hash: otherHash(rows[middle]?.hash ?? "") };
      copy.store(rows.toSpliced(middle, 0, { seq: 0, ...put }).map(({ body, hash }, seq) => ({ seq, body, hash })));
    },
    found: { code: "row-changed", seq: (log) => log.middle },
  },
  {
    name: "a row is put in between, and the rows after it are renumbered and linked anew",
    does: (copy, log) =>
      void storeChained(
        copy,
        log.bodies.toSpliced(
          log.signedAfter(log.middle) - 1,
          0,
          otherByte(log.bodies[log.signedAfter(log.middle) - 1] ?? ""),
        ),
      ),
    found: { code: "checkpoint-stray", seq: (log) => log.signedAfter(log.middle) },
  },
  {
    name: "rows are appended that do not follow",
    does: (copy, log) =>
      copy.run("INSERT INTO entry VALUES (?, ?, ?)", log.size, log.bodies[log.middle] ?? "", "ab".repeat(32)),
    found: { code: "row-changed", seq: (log) => log.size },
  },
  {
    name: "rows are appended that follow, and are newer than the newest checkpoint",
    does: (copy, log) => void storeChained(copy, [...log.bodies, ...log.bodies.slice(log.middle, log.middle + 1)]),
    found: { code: "time-backwards", seq: (log) => log.size },
  },
  {
    name: "rows are appended that follow and tell the time, and are newer than the newest checkpoint",
    does: (copy, log) => {
      const at = log.bodies.at(-1)?.slice(8, 32);
      const body = withFields(log.bodies[log.middle] ?? "", { $at: at });
      storeChained(copy, [...log.bodies, body]);
    },
    found: { never: NEWER_ROWS },
  },
  {
    name: "rows are appended that follow, with a checkpoint that another key signed",
    does: (copy, log) => {
      const at = log.bodies.at(-1)?.slice(8, 32);
      const rows = storeChained(copy, [...log.bodies, withFields(log.bodies.at(-1) ?? "", { $at: at })]);
      const notes = signedAnew(rows, log.original.origin, () => [ed25519Signer(log.original.origin)]);
      copy.storeNotes([...copy.notes(), ...notes.slice(-1)]);
    },
    found: { code: "checkpoint-forged", seq: (log) => log.size },
  },
  {
    name: "a piece of the log is repeated at its end, as it was",
    does: (copy, log) =>
      copy.store([
        ...log.rows,
        ...log.rows.slice(log.middle, log.middle + 4).map((row, at) => ({ ...row, seq: log.size + at })),
      ]),
    found: { code: "row-changed", seq: (log) => log.size },
  },
  {
    name: "a piece of the log is repeated at its end, renumbered and linked",
    does: (copy, log) => {
      const at = log.bodies.at(-1)?.slice(8, 32);
      const ended = log.row("message.delivered");
      storeChained(copy, [...log.bodies, withFields(log.bodies[ended] ?? "", { $at: at })]);
    },
    found: { code: "outcome", seq: (log) => log.size },
  },
  {
    name: "a body is emptied that no pruning names",
    does: (copy, log) => copy.run("UPDATE entry SET body = '' WHERE seq = ?", log.middle),
    found: { code: "row-emptied", seq: (log) => log.middle },
  },
  {
    name: "the newest row of a killed daemon is edited",
    of: "killed",
    does: (copy, log) =>
      copy.run("UPDATE entry SET body = ? WHERE seq = ?", otherByte(log.bodies.at(-1) ?? ""), log.size - 1),
    found: { code: "row-changed", seq: (log) => log.size - 1 },
  },
  {
    name: "rows of a killed daemon are edited and linked anew: no checkpoint covers them yet",
    of: "killed",
    does: (copy, log) => void storeChained(copy, editedAt(log, log.size - 2)),
    found: { never: NEWER_ROWS },
  },
  {
    name: "the newest rows of a killed daemon are deleted: no checkpoint covers them yet",
    of: "killed",
    does: (copy, log) => copy.cutTo(log.size - 2, "without its checkpoint file"),
    found: { never: NEWER_ROWS },
  },
];

function editBoth(copy: Copy, log: Known, seq: number): void {
  const edited = chained(editedAt(log, seq), log.size)[seq];
  copy.run("UPDATE entry SET body = ?, hash = ? WHERE seq = ?", edited?.body ?? "", edited?.hash ?? "", seq);
}

function swap(copy: Copy, seq: number): void {
  copy.run("UPDATE entry SET seq = -1 WHERE seq = ?", seq);
  copy.run("UPDATE entry SET seq = ? WHERE seq = ?", seq, seq + 1);
  copy.run("UPDATE entry SET seq = ? WHERE seq = -1", seq + 1);
}
