import { canonical } from "../../../audit/canonical.ts";
import { signCheckpoint } from "../../../audit/note.ts";
import type { Signer } from "../../../audit/ports.ts";
import { anId } from "../../support/audit-fixture.ts";
import { ed25519Signer, newOrigin } from "../../support/audit-ports.ts";
import {
  chained,
  type Copy,
  isOf,
  fieldsOf,
  isSigned,
  otherByte,
  signedAnew,
  type StoredNote,
  withFields,
} from "./hand.ts";
import { forge } from "./rows.ts";
import type { Known, Tampering } from "./tampering.ts";

/** The checkpoint that is tampered with: in the middle, of one key. */
const seq = (log: Known): number => log.signedAfter(log.middle);
const size = (log: Known): number => seq(log) + 1;

function noteChange(copy: Copy, log: Known, change: (note: string) => string): void {
  copy.storeNotes(
    copy.notes().map((stored) => (stored.size === size(log) ? { ...stored, note: change(stored.note) } : stored)),
  );
}

function rootOf(note: string): string {
  return Buffer.from(note.split("\n")[2] ?? "", "base64").toString("hex");
}

/** The same checkpoint under other names, numbers or keys. */
function resigned(log: Known, given: { origin?: string; size?: number; root?: string }, signer?: Signer) {
  return (note: string): string =>
    signCheckpoint({ origin: log.original.origin, size: size(log), root: rootOf(note), ...given }, [
      signer ?? own(log),
    ]);
}

const own = (log: Known): Signer => log.keys(size(log))[0] ?? stranger(log);
const stranger = (log: Known): Signer => ed25519Signer(log.original.origin);

const rotation = (log: Known): number => log.row("key.rotated");

/** Signs the notes from a size on with another key. */
function signedFrom(copy: Copy, log: Known, from: number, signer: (log: Known) => readonly Signer[]): void {
  const signers = signer(log);
  const notes: StoredNote[] = signedAnew(copy.rows(), log.original.origin, (at) =>
    at >= from ? signers : log.keys(at),
  );
  copy.storeNotes(notes);
  copy.file = notes.at(-1)?.note ?? "";
}

/** The log, had its owner added a file on another disk. */
function promisesADisk(log: Known): string[] {
  const at = seq(log) - 1;
  const kept = Object.fromEntries(
    Object.entries(fieldsOf(log.bodies[at] ?? "")).filter(([key]) => key.startsWith("$") || key === "nonce"),
  );
  const added = {
    ...kept,
    $kind: "anchor.added",
    anchor: "disk",
    type: "file",
    vkey: null,
    by: anId("p"),
    via: "terminal",
  };
  return log.bodies.with(at, canonical(added));
}

const first = (log: Known): Signer => log.original.signers[0] ?? stranger(log);
const second = (log: Known): Signer => log.original.signers[1] ?? stranger(log);

export const CHECKPOINTS: readonly Tampering[] = [
  {
    name: "all checkpoints are deleted",
    does: (copy) => copy.run("DELETE FROM checkpoint"),
    found: { code: "checkpoint-missing", seq: () => 1 },
  },
  {
    name: "the table of checkpoints is deleted",
    does: (copy) => copy.edit((database) => database.exec("DROP TABLE checkpoint")),
    found: { code: "schema", seq: () => null },
  },
  {
    name: "a checkpoint in the middle is deleted",
    does: (copy, log) => copy.run("DELETE FROM checkpoint WHERE size = ?", size(log)),
    found: { code: "checkpoint-missing", seq },
  },
  {
    name: "the newest checkpoint is deleted",
    does: (copy, log) => copy.run("DELETE FROM checkpoint WHERE size = ?", log.size),
    found: { code: "checkpoint-missing", seq: (log) => log.size - 1 },
  },
  {
    name: "a checkpoint is stored under another size",
    does: (copy, log) => copy.run("UPDATE checkpoint SET size = size - 1 WHERE size = ?", size(log)),
    found: { code: "checkpoint-stray", seq: (log) => seq(log) - 1 },
  },
  {
    name: "a checkpoint of no rows is there",
    does: (copy) => copy.run("INSERT INTO checkpoint VALUES (0, '', '')"),
    found: { code: "checkpoint-stray", seq: () => null },
  },
  {
    name: "a checkpoint of more rows than there are is there",
    does: (copy) => copy.run("INSERT INTO checkpoint VALUES (9007199254740993, '', '')"),
    found: { code: "log-cut", seq: (log) => log.size },
  },
  {
    name: "the size in a checkpoint is edited",
    does: (copy, log) => noteChange(copy, log, (note) => note.replace(`\n${size(log)}\n`, `\n${size(log) + 1}\n`)),
    found: { code: "checkpoint-changed", seq },
  },
  {
    name: "the root in a checkpoint is edited",
    does: (copy, log) =>
      noteChange(copy, log, (note) => {
        const root = Buffer.from(note.split("\n")[2] ?? "", "base64");
        root[0] = (root[0] ?? 0) ^ 1;
        return note.replace(note.split("\n")[2] ?? "", root.toString("base64"));
      }),
    found: { code: "checkpoint-forged", seq },
  },
  {
    name: "the signature of a checkpoint is edited",
    does: (copy, log) =>
      noteChange(copy, log, (note) =>
        note.replace(/(.)(.{20}\n)$/, (_, one: string, rest: string) => (one === "A" ? "B" : "A") + rest),
      ),
    found: { code: "checkpoint-forged", seq },
  },
  {
    name: "a checkpoint is signed for another tree with the log's own key",
    does: (copy, log) => noteChange(copy, log, resigned(log, { root: "ab".repeat(32) })),
    found: { code: "rows-unsigned", seq: (log) => log.coveredBefore(seq(log)) },
  },
  {
    name: "a checkpoint is signed for another size with the log's own key",
    does: (copy, log) => noteChange(copy, log, resigned(log, { size: size(log) - 1 })),
    found: { code: "checkpoint-changed", seq },
  },
  {
    name: "a checkpoint is one of another log, signed with its own key",
    does: (copy, log) => {
      const origin = newOrigin();
      noteChange(copy, log, resigned(log, { origin }, ed25519Signer(origin)));
    },
    found: { code: "checkpoint-changed", seq },
  },
  {
    name: "a checkpoint has another log's name and is signed with this log's key",
    does: (copy, log) => noteChange(copy, log, resigned(log, { origin: newOrigin() })),
    found: { code: "checkpoint-changed", seq },
  },
  {
    name: "a checkpoint is signed with another key of the same name",
    does: (copy, log) => noteChange(copy, log, resigned(log, {}, stranger(log))),
    found: { code: "checkpoint-forged", seq },
  },
  {
    name: "a checkpoint is signed with the log's key and another one",
    does: (copy, log) =>
      noteChange(copy, log, (note) =>
        signCheckpoint({ origin: log.original.origin, size: size(log), root: rootOf(note) }, [own(log), stranger(log)]),
      ),
    found: { code: "checkpoint-forged", seq },
  },
  {
    name: "a checkpoint has its signature twice",
    does: (copy, log) => noteChange(copy, log, (note) => `${note}${note.split("\n\n")[1] ?? ""}`),
    found: { code: "checkpoint-forged", seq },
  },
  {
    name: "two checkpoints change places",
    does: (copy, log) => {
      const notes = copy.notes();
      const at = notes.findIndex((note) => note.size === size(log));
      const [one, other] = [notes[at], notes[at + 1]];
      copy.storeNotes(
        notes.map((note) =>
          note === one
            ? { ...note, note: other?.note ?? "", frontier: other?.frontier ?? "" }
            : note === other
              ? { ...note, note: one?.note ?? "", frontier: one?.frontier ?? "" }
              : note,
        ),
      );
    },
    found: { code: "checkpoint-changed", seq },
  },
  {
    name: "the tree stored with a checkpoint is another one",
    does: (copy, log) =>
      copy.run(
        "UPDATE checkpoint SET frontier = replace(frontier, substr(frontier, 1, 8), '00000000') WHERE size = ?",
        size(log),
      ),
    found: { code: "checkpoint-frontier", seq },
  },
  {
    name: "the tree stored with a checkpoint is in upper case",
    does: (copy, log) => copy.run("UPDATE checkpoint SET frontier = upper(frontier) WHERE size = ?", size(log)),
    found: { code: "checkpoint-frontier", seq },
  },
  {
    name: "the tree stored with a checkpoint is cut, and a row is missing besides",
    does: (copy, log) => {
      copy.run("UPDATE checkpoint SET frontier = substr(frontier, 65) WHERE size = ?", size(log));
      copy.run("DELETE FROM entry WHERE seq = ?", log.middle);
    },
    found: { code: "row-missing", seq: (log) => log.middle },
  },
  ...(
    [
      ["carriage returns", (note) => note.replaceAll("\n", "\r\n")],
      ["a blank line more", (note) => note.replace("\n\n", "\n\n\n")],
      ["a blank line at its end", (note) => `${note}\n`],
      ["no last newline", (note) => note.slice(0, -1)],
      ["a leading zero in its size", (note) => note.replace(/\n(\d+)\n/, "\n0$1\n")],
      ["its base64 without padding", (note) => note.replace("=\n\n", "\n\n")],
      [
        "its base64 with bits that say nothing",
        (note) => note.replace(/(.)=\n\n/, (_, last: string) => `${String.fromCharCode(last.charCodeAt(0) + 1)}=\n\n`),
      ],
      ["a line more", (note) => note.replace("\n\n", "\nmore\n\n")],
      ["a space before its end", (note) => note.replace(/\n$/, " \n")],
      ["nothing in it", () => ""],
      ["a NUL in it", (note) => note.replace("/", "\0")],
    ] satisfies [string, (note: string) => string][]
  ).map(
    ([what, change]): Tampering => ({
      name: `a checkpoint has ${what}`,
      does: (copy, log) => noteChange(copy, log, change),
      found: { code: "checkpoint-changed", seq },
    }),
  ),
  {
    name: "everything is signed anew with another key, and the beginning names the old one",
    does: (copy, log) => signedFrom(copy, log, 0, (of) => [stranger(of)]),
    found: { code: "checkpoint-forged", seq: () => 1 },
  },
  {
    name: "everything is signed anew with another key, and the beginning names it",
    does: (copy, log) => {
      const signer = stranger(log);
      const genesis = withFields(log.bodies[0] ?? "", { vkey: signer.vkey });
      const bodies = log.bodies.map((body, at) =>
        at === 0 ? genesis : isOf(body, "key.rotated") ? otherByte(body) : body,
      );
      forge(copy, log, bodies, (at) =>
        at > (log.rotations[0] ?? 0) ? log.keys(at) : at === log.rotations[0] ? [signer, second(log)] : [signer],
      );
      copy.file = log.original.outside;
    },
    // The second key is the log's own: its thief rewrites what the first one signed.
    found: { code: "wrong-key", seq: () => null },
  },
  {
    name: "rows of the first key's time are signed with the second",
    does: (copy, log) => {
      const rows = chained(log.bodies.with(log.middle, otherByte(log.bodies[log.middle] ?? "")));
      copy.store(rows);
      signedFrom(copy, log, log.coveredBefore(log.middle) + 1, (of) => [second(of)]);
    },
    found: { code: "checkpoint-forged", seq: (log) => log.signedAfter(log.middle) },
  },
  {
    name: "rows of the second key's time are signed with the first",
    does: (copy, log) => signedFrom(copy, log, rotation(log) + 2, (of) => [first(of)]),
    found: { code: "checkpoint-forged", seq: (log) => log.signedAfter(rotation(log)) },
  },
  {
    name: "the change of the key is signed by the new key only",
    does: (copy, log) =>
      copy.storeNotes(
        signedAnew(log.rows, log.original.origin, (at) => (at === rotation(log) + 1 ? [second(log)] : log.keys(at))),
      ),
    found: { code: "checkpoint-forged", seq: rotation },
  },
  {
    name: "the change of the key is signed by the old key only",
    does: (copy, log) =>
      copy.storeNotes(
        signedAnew(log.rows, log.original.origin, (at) => (at === rotation(log) + 1 ? [first(log)] : log.keys(at))),
      ),
    found: { code: "checkpoint-forged", seq: rotation },
  },
  {
    name: "the change of the key is left out",
    does: (copy, log) => {
      const bodies = log.bodies.toSpliced(rotation(log), 1);
      forge(copy, log, bodies, (at) => (at > rotation(log) ? [second(log)] : [first(log)]));
    },
    found: { code: "checkpoint-forged", seq: (log) => log.signedAfter(rotation(log)) - 1 },
  },
  {
    name: "the change of the key names another key, which then signs",
    does: (copy, log) => {
      const thief = stranger(log);
      const body = withFields(log.bodies[rotation(log)] ?? "", { vkey: thief.vkey });
      forge(copy, log, log.bodies.with(rotation(log), body), (at) => (at > rotation(log) ? [thief] : [first(log)]));
    },
    found: { code: "checkpoint-forged", seq: rotation },
  },
  {
    name: "a change of the key is made up at the end, and signed with the key that it brings",
    does: (copy, log) => {
      const thief = stranger(log);
      const at = log.bodies.at(-1)?.slice(8, 32);
      const more = withFields(log.bodies[rotation(log)] ?? "", { $at: at, vkey: thief.vkey, epoch: 3 });
      copy.store(chained([...log.bodies, more]));
      signedFrom(copy, log, log.size + 1, () => [thief]);
    },
    found: { code: "checkpoint-forged", seq: (log) => log.size },
  },
  ...(
    [
      ["is numbered as one that was", () => ({ epoch: 1 })],
      ["brings the key that there is", (log) => ({ vkey: first(log).vkey })],
      ["brings a key of another log", () => ({ vkey: ed25519Signer(newOrigin()).vkey })],
      ["brings no key", () => ({ vkey: "none" })],
      ["is no row that changes a key", () => ({ epoch: "two" })],
    ] satisfies [string, (log: Known) => Readonly<Record<string, unknown>>][]
  ).map(
    ([what, fields]): Tampering => ({
      name: `the change of the key ${what}`,
      does: (copy, log) => {
        const body = withFields(log.bodies[rotation(log)] ?? "", fields(log));
        forge(copy, log, log.bodies.with(rotation(log), body));
      },
      found: { code: "rotation", seq: rotation },
    }),
  ),
  {
    name: "the log is another one, whole and signed, and the reader was given a key",
    does: (copy, log) => {
      const origin = newOrigin();
      const thief = ed25519Signer(origin);
      const genesis = withFields(log.bodies[0] ?? "", { vkey: thief.vkey, origin });
      const bodies = [genesis, ...log.bodies.slice(1).filter((body) => !isOf(body, "key.rotated"))];
      const rows = chained(bodies);
      copy.store(rows);
      const notes = signedAnew(rows, origin, () => [thief]);
      copy.storeNotes(notes);
      copy.file = notes.at(-1)?.note ?? "";
    },
    found: { code: "wrong-key", seq: () => null },
  },
  {
    name: "a checkpoint's row calls for none any more, signed with the log's own keys, and its checkpoint is left",
    does: (copy, log) => {
      const was = copy.notes();
      const body = (log.bodies[seq(log)] ?? "").replace(/"\$kind":"[^"]+"/, '"$kind":"log.verified"');
      if (!isSigned(log.bodies[seq(log)] ?? "")) throw new Error("this is no checkpoint's row");
      forge(copy, log, log.bodies.with(seq(log), body));
      copy.storeNotes([...copy.notes(), ...was.filter((note) => note.size === size(log))]);
    },
    found: { code: "checkpoint-stray", seq },
  },
  {
    name: "the checkpoint file is overwritten",
    does: (copy) => {
      copy.file = "nothing\n";
    },
    found: { code: "anchor-foreign", seq: () => null },
  },
  {
    name: "the checkpoint file is one of another log",
    does: (copy) => {
      const origin = newOrigin();
      copy.file = signCheckpoint({ origin, size: 2, root: "ab".repeat(32) }, [ed25519Signer(origin)]);
    },
    found: { code: "anchor-foreign", seq: () => null },
  },
  {
    name: "the checkpoint file is signed with another key",
    does: (copy, log) => {
      const root = rootOf(log.original.outside);
      copy.file = signCheckpoint({ origin: log.original.origin, size: log.size, root }, [stranger(log)]);
    },
    found: { code: "anchor-foreign", seq: () => null },
  },
  {
    name: "the pin is of another history",
    does: (copy, log) => forge(copy, log, log.bodies.with(log.middle, otherByte(log.bodies[log.middle] ?? ""))),
    given: (log) => ({ pin: { state: "found", note: log.original.outside } }),
    found: { code: "forked", seq: () => null },
  },
  {
    name: "the log promises an anchor from its beginning on, and there is none",
    does: (copy, log) => forge(copy, log, log.bodies.with(0, withFields(log.bodies[0] ?? "", { anchors: 1 }))),
    found: { code: "anchor-missing", seq: () => null },
  },
  {
    name: "the file of an anchor is gone from its disk",
    does: (copy, log) => forge(copy, log, promisesADisk(log)),
    given: () => ({ disks: [{ state: "absent", name: "disk" }] }),
    found: { code: "anchor-missing", seq: (log) => seq(log) - 1 },
  },
  {
    name: "the pin is gone from the keychain that holds the key",
    does: (copy) => {
      copy.file = copy.notes().at(-2)?.note ?? "";
    },
    given: () => ({ pin: { state: "absent" } }),
    found: { code: "anchor-missing", seq: () => null },
  },
];
