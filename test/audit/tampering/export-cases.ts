import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod/mini";
import { entryHash, NO_PREVIOUS } from "../../../audit/entry.ts";
import { MANIFEST } from "../../../audit/export-folder.ts";
import { signCheckpoint } from "../../../audit/note.ts";
import type { VerifyOptions } from "../../../audit/verify.ts";
import { healthyLog } from "../../support/audit-fixture.ts";
import { ed25519Signer } from "../../support/audit-ports.ts";
import { exported, rewriteManifest } from "../../support/exported.ts";
import type { Case, Harm } from "./case.ts";
import { Copy, signedAnew, linkedFrom, type Row } from "./hand.ts";
import { wholeLog } from "./original.ts";
import { Known } from "./tampering.ts";

/** What may become of an export on its way, and what its maker may do who has the key of the log. */

type Line = Record<string, unknown>;

/** Changes the lines of a file, each one JSON object; null takes one out. */
function lines(name: string, change: (line: Line, at: number) => Line | string | null): Harm {
  return text(name, (before) =>
    before
      .trimEnd()
      .split("\n")
      .flatMap((line, at) => {
        const after = change(z.record(z.string(), z.unknown()).parse(JSON.parse(line)), at);
        return after === null ? [] : [`${typeof after === "string" ? after : JSON.stringify(after)}\n`];
      })
      .join(""),
  );
}

function text(name: string, change: (text: string) => string): Harm {
  return (at) => {
    const before = readFileSync(join(at, name), "utf8");
    const after = change(before);
    if (after === before) throw new Error(`this changed nothing of ${name}`);
    writeFileSync(join(at, name), after);
  };
}

/** Another byte in the middle of a file. */
function flipped(name: string, place = 0.5): Harm {
  return (at) => {
    const bytes = readFileSync(join(at, name));
    const middle = Math.floor(bytes.length * place);
    bytes[middle] = (bytes[middle] ?? 0) ^ 1;
    writeFileSync(join(at, name), bytes);
  };
}

/** What its reader kept. */
function kept(note: string): VerifyOptions {
  return { anchors: [{ name: "kept", note }] };
}

function nothing(): void {
  // It is as it was.
}

/** Makes the cases in a folder. */
export async function exportCases(folder: string): Promise<Case[]> {
  const original = await wholeLog(mkdtempSync(join(folder, "exported-")));
  const known = new Known(original);
  const { sealer, signers, origin } = original;
  const options: VerifyOptions = { vkey: signers[0]?.vkey ?? "", now: original.now + 60_000, deep: true };
  const out = (path: string, request: Parameters<typeof exported>[2] = {}): string => {
    const at = join(mkdtempSync(join(folder, "out-")), "out");
    exported(path, at, request, sealer);
    return at;
  };
  const log = join(original.folder, "audit.db");
  const whole = out(log, { content: "full" });
  const part = out(log, { from: 10, to: 30 });
  const many = await healthyLog(mkdtempSync(join(folder, "many-")), 44);
  const large = out(many.path);
  const changed = (
    from: string,
    name: string,
    codes: readonly string[],
    harm: Harm,
    more: VerifyOptions = {},
  ): Case => {
    const path = join(mkdtempSync(join(folder, "case-")), "out");
    cpSync(from, path, { recursive: true });
    harm(path);
    if (!name.includes("manifest")) rewriteManifest(path);
    return { name: `export: ${name}`, path, options: { ...options, ...more }, codes };
  };
  /** A log that its key's holder made with a mistake in it, handed over. @param broken a row that does not follow from the one before it. */
  const signed = (
    name: string,
    codes: readonly string[],
    change: (row: Row) => string,
    given: { whole?: true } = {},
  ): Case => {
    const at = mkdtempSync(join(folder, "signed-"));
    cpSync(original.folder, at, { recursive: true });
    const copy = new Copy(at);
    const rewritten = known.rows.map((row) => ({ ...row, body: change(row) }));
    const rows = linkedFrom(rewritten, 0);
    copy.store(rows);
    copy.storeNotes(signedAnew(rows, origin, known.keys));
    const path = out(copy.path, given.whole === true ? {} : { from: 10, to: 30 });
    return { name: `export: ${name}`, path, options, codes };
  };
  const size = known.size;
  const rotation = known.rotations[0] ?? 0;
  const row = known.middle;
  const [first] = signers;
  if (first === undefined) throw new Error("this log has no key");
  const noteOf = (of: number, root: string, by = signers.at(-1) ?? first): string =>
    signCheckpoint({ origin, size: of, root }, [by]);
  const other = "ab".repeat(32);
  return [
    changed(whole, "nothing", [], nothing),
    changed(part, "nothing of a part", [], nothing),
    changed(large, "nothing of a large one", [], nothing, { vkey: many.signer.vkey }),
    // Files and the manifest
    changed(whole, "a file is a link", ["content-stray", "link", "row-missing", "tile"], (at) => {
      rmSync(join(at, "entries.jsonl"));
      symlinkSync(join(whole, "entries.jsonl"), join(at, "entries.jsonl"));
    }),
    changed(whole, "the folder is a link (manifest)", ["link"], (at) => {
      rmSync(at, { recursive: true });
      symlinkSync(whole, at);
    }),
    changed(whole, "folders in folders", ["bundle-file"], (at) => {
      mkdirSync(join(at, ...Array.from({ length: 40 }, () => "deep")), { recursive: true });
    }),
    changed(
      whole,
      "the manifest is damaged",
      ["bundle-file"],
      text(MANIFEST, (all) => all.replace("  ", " ")),
    ),
    changed(
      whole,
      "the manifest lists what is not here",
      ["bundle-file"],
      text(MANIFEST, (all) => `${all}${other}  more\n`),
    ),
    changed(whole, "a file is not the one of the manifest", ["bundle-file"], flipped("VERIFY.md")),
    changed(whole, "the manifest is missing", ["bundle-file"], (at) => rmSync(join(at, MANIFEST))),
    changed(whole, "a file that the manifest lacks", ["bundle-file"], (at) => writeFileSync(join(at, "letter"), "")),
    // What it says of itself
    changed(
      whole,
      "nothing says what it is",
      ["bundle-form"],
      text("bundle.json", () => "{}"),
    ),
    changed(
      whole,
      "a key does not follow",
      ["checkpoint-forged", "proof", "rotation"],
      lines("keys.jsonl", (line, at) => (at === 1 ? { ...line, epoch: 3 } : line)),
    ),
    changed(
      whole,
      "the keys end too early",
      ["checkpoint-forged", "proof", "rotation"],
      lines("keys.jsonl", (line, at) => (at === 1 ? { ...line, last: size - 1 } : line)),
    ),
    changed(
      whole,
      "it lists another key than the rows have",
      ["checkpoint-forged", "genesis", "wrong-key"],
      lines("keys.jsonl", (line, at) => (at === 0 ? { ...line, vkey: ed25519Signer(origin).vkey } : line)),
    ),
    changed(
      whole,
      "it lists another second key than the rows have",
      ["checkpoint-forged", "proof", "rotation"],
      lines("keys.jsonl", (line, at) => (at === 1 ? { ...line, vkey: ed25519Signer(origin).vkey } : line)),
    ),
    // Rows
    changed(
      whole,
      "a row is changed",
      ["row-changed", "tile"],
      lines("entries.jsonl", (line, at) => (at === row ? { ...line, nonce: "00".repeat(16) } : line)),
    ),
    changed(
      whole,
      "a row is written otherwise",
      ["row-changed", "tile"],
      text("entries.jsonl", (all) => all.replace('\n{"#prev"', '\n{"#prex"')),
    ),
    changed(
      whole,
      "a row is missing",
      ["row-missing", "tile"],
      lines("entries.jsonl", (line, at) => (at === row ? null : line)),
    ),
    changed(
      part,
      "a row of a part is missing",
      ["content-changed", "content-stray", "row-missing"],
      lines("entries.jsonl", (line, at) => (at === 3 ? null : line)),
    ),
    changed(
      whole,
      "a row is there twice",
      ["content-stray", "row-missing", "row-moved", "tile"],
      text("entries.jsonl", (all) => all.replace(/^(.*\n)/, "$1$1")),
    ),
    changed(
      whole,
      "a row stands behind the end",
      ["row-moved"],
      text("entries.jsonl", (all) => `${all}${all.split("\n")[0] ?? ""}\n`),
    ),
    changed(
      whole,
      "a row behind the end that says so",
      ["row-moved"],
      text("entries.jsonl", (all) => `${all}${(all.split("\n")[0] ?? "").replace('"$seq":0', `"$seq":${size}`)}\n`),
    ),
    changed(part, "a row of a part names another before it", ["row-changed"], (at) => {
      text("entries.jsonl", (all) => all.replace(/"#prev":"../, '"#prev":"zz'))(at);
    }),
    signed("a row is earlier than one before it", ["time-backwards"], ({ seq, body }) =>
      seq === 20 ? body.replace(/"\$at":"\d{4}/, '"$at":"2020') : body,
    ),
    signed("a row has a later one as its cause", ["cause"], ({ seq, body }) =>
      seq === 21 ? body.replace(/"\$cause":[^,]+/, '"$cause":22') : body,
    ),
    signed("a row is not in its one form", ["row-form"], ({ seq, body }) =>
      seq === 22 ? body.replace(/}$/, " }") : body,
    ),
    signed(
      "it promises an anchor from its first row on, and has none",
      ["anchor-missing"],
      ({ seq, body }) => (seq === 0 ? body.replace('"anchors":0', '"anchors":1') : body),
      { whole: true },
    ),
    changed(
      part,
      "a row does not follow from the one before it",
      ["content-changed", "content-stray", "row-changed"],
      (at) => {
        const body = known.rows[20]?.body ?? "";
        text("entries.jsonl", (all) => all.replace(known.rows[19]?.hash ?? "", NO_PREVIOUS))(at);
        const tile = join(at, `tile/0/000.p/${size}`);
        const leaves = readFileSync(tile);
        leaves.write(entryHash(NO_PREVIOUS, body), 20 * 32, "hex");
        writeFileSync(tile, leaves);
      },
    ),
    // The tree
    changed(
      large,
      "a tile is missing",
      ["content-stray", "row-missing", "tile"],
      (at) => rmSync(join(at, "tile/0/000")),
      { vkey: many.signer.vkey },
    ),
    changed(large, "a tile above others is changed", ["tile"], (at) => flipped("tile/1/000.p/1")(at), {
      vkey: many.signer.vkey,
    }),
    changed(large, "a tile of rows is changed", ["tile"], flipped("tile/entries/000"), { vkey: many.signer.vkey }),
    changed(whole, "a proof is missing", ["proof"], (at) => rmSync(join(at, "proof/0.tlog-proof"))),
    changed(whole, "a proof is of another row", ["proof"], (at) =>
      cpSync(join(at, `proof/${size - 1}.tlog-proof`), join(at, "proof/0.tlog-proof")),
    ),
    changed(
      whole,
      "a proof is damaged",
      ["proof"],
      text("proof/0.tlog-proof", (all) => all.replace("index", "indx")),
    ),
    changed(
      part,
      "a proof has another hash",
      ["proof"],
      text("proof/12.tlog-proof", (all) => all.replace(/^[A-Za-z0-9+/]{43}=$/m, `${"A".repeat(43)}=`)),
    ),
    changed(
      whole,
      "a proof says that it is of another row",
      ["proof"],
      text("proof/0.tlog-proof", (all) => all.replace("index 0", "index 1")),
    ),
    changed(
      whole,
      "a proof ends in another checkpoint",
      ["proof"],
      text("proof/0.tlog-proof", (all) => all.replace(/\n\n[\s\S]*/, `\n\n${noteOf(size, other)}`)),
    ),
    // Checkpoints
    changed(
      whole,
      "a checkpoint is missing",
      ["checkpoint-missing"],
      lines("checkpoints.jsonl", (line, at) => (at === 1 ? null : line)),
    ),
    changed(
      whole,
      "the newest checkpoint is missing from the list",
      ["checkpoint-missing"],
      lines("checkpoints.jsonl", (line) => (line["size"] === size ? null : line)),
    ),
    changed(
      part,
      "the newest checkpoint is missing from the list of a part",
      ["checkpoint-missing"],
      lines("checkpoints.jsonl", (line) => (line["size"] === size ? null : line)),
    ),
    changed(
      whole,
      "a checkpoint is none",
      ["checkpoint-changed", "checkpoint-missing"],
      lines("checkpoints.jsonl", (line, at) => (at === 1 ? "{}" : line)),
    ),
    changed(
      whole,
      "a checkpoint is of other rows",
      ["checkpoint-changed"],
      lines("checkpoints.jsonl", (line, at) => (at === 1 ? { ...line, note: noteOf(1, other, first) } : line)),
    ),
    changed(
      whole,
      "a checkpoint is forged",
      ["checkpoint-forged"],
      lines("checkpoints.jsonl", (line, at) =>
        at === 1 ? { ...line, note: noteOf(Number(line["size"]), other, ed25519Signer(origin)) } : line,
      ),
    ),
    changed(
      whole,
      "a checkpoint is damaged",
      ["checkpoint-forged"],
      lines("checkpoints.jsonl", (line, at) => (at === 1 ? { ...line, note: "none" } : line)),
    ),
    changed(
      whole,
      "a checkpoint is of another tree, which the log's key signed",
      ["rows-unsigned"],
      lines("checkpoints.jsonl", (line, at) =>
        at === 1 ? { ...line, note: noteOf(Number(line["size"]), other, first) } : line,
      ),
    ),
    changed(
      whole,
      "the newest checkpoint is of another tree, which the log's key signed",
      ["proof"],
      text("checkpoint", () => noteOf(size, other)),
    ),
    changed(
      part,
      "it says another root than was signed",
      ["forked"],
      text("bundle.json", (all) => all.replace(/"root": ".../, '"root": "abc')),
    ),
    changed(whole, "it is of another key than was given", ["wrong-key"], nothing, { vkey: ed25519Signer(origin).vkey }),
    changed(
      whole,
      "the checkpoint that a key hands over with is signed by one of them only",
      ["checkpoint-forged"],
      lines("checkpoints.jsonl", (line) =>
        line["size"] === rotation ? { ...line, note: String(line["note"]).replace(/\u2014 [^\n]+\n$/, "") } : line,
      ),
    ),
    changed(
      whole,
      "a checkpoint is signed by a stranger too",
      ["checkpoint-forged"],
      lines("checkpoints.jsonl", (line, at) =>
        at === 1
          ? {
              ...line,
              note: `${String(line["note"])}${signCheckpoint({ origin: "stranger.test/log", size: 1, root: other }, [ed25519Signer("stranger.test/log")]).split("\n\n")[1] ?? ""}`,
            }
          : line,
      ),
    ),
    // What its reader kept
    changed(
      whole,
      "a kept checkpoint is of another log",
      ["anchor-foreign"],
      nothing,
      kept(noteOf(2, other, ed25519Signer(origin))),
    ),
    changed(whole, "a kept checkpoint is no checkpoint", ["anchor-foreign"], nothing, kept("none")),
    changed(whole, "a kept checkpoint is of more rows", ["rolled-back"], nothing, kept(noteOf(size + 5, other))),
    changed(whole, "a kept checkpoint is of another tree", ["forked"], nothing, kept(noteOf(size, other))),
    // Content
    changed(
      whole,
      "content is changed",
      ["content-changed"],
      lines("content.jsonl", (line, at) => (at === 1 ? { ...line, text: "something else" } : line)),
    ),
    changed(
      whole,
      "content is left out",
      ["content-changed"],
      lines("content.jsonl", (line, at) => (at === 1 ? null : line)),
    ),
    changed(
      whole,
      "content of no row is there",
      ["content-stray"],
      text("content.jsonl", (all) => `${all}${all.split("\n")[0] ?? ""}\n`),
    ),
  ];
}
