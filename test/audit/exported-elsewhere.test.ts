import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { leafHash } from "../../audit/merkle.ts";
import { type FindingCode, verifySync } from "../../audit/verify.ts";
import { bodiesOf } from "../support/claims-log.ts";
import { anId, beginLog, bulkLog, recordTurn } from "../support/audit-fixture.ts";
import { ed25519Signer } from "../support/audit-ports.ts";
import { exported, filesIn, rewriteManifest } from "../support/exported.ts";
import { type Verifiers, verifiersOf } from "../support/verifiers.ts";

/** Exports of a real log, checked by programs that are not ours; and exports that somebody changed, which each of them refuses. */

const folder = mkdtempSync(join(tmpdir(), "wirken-exports-"));
const whole = join(folder, "whole");
const part = join(folder, "part");
const ofSession = join(folder, "session");
const session = anId("s");
let vkeys: { first: string; second: string; stranger: string };
let verifiers: Verifiers;
let path: string;
/** Rows of the tree, and those of the part. */
let size: number;
const [FROM, TO] = [250, 270];

beforeAll(async () => {
  const log = await beginLog(folder);
  for (let turn = 0; turn < 40; turn++) {
    if (turn % 10 === 5) await log.log.checkpoint("demand");
    if (turn === 20) await log.log.rotate(ed25519Signer(log.origin), { protector: "keychain", cause: null });
    await recordTurn(log, turn % 8 === 0 ? session : anId("s"));
  }
  const second = log.log.vkey;
  await log.log.close();
  path = log.path;
  vkeys = { first: log.signer.vkey, second, stranger: ed25519Signer(log.origin).vkey };
  ({ size } = exported(path, whole, { content: "full" }, log.sealer));
  exported(path, part, { from: FROM, to: TO });
  exported(path, ofSession, { session, content: "full" }, log.sealer);
  verifiers = verifiersOf(whole);
}, 60_000);
afterAll(() => {
  verifiers[Symbol.dispose]();
  rmSync(folder, { recursive: true, force: true });
});

const read = (at: string, name: string): string => readFileSync(join(at, name), "utf8");
const nonceOf = (body: string): string => /"nonce":"([0-9a-f]{32})"/.exec(body)?.[1] ?? "";
const lines = (at: string, name: string): string[] => read(at, name).split("\n").slice(0, -1);

describe("a whole export", () => {
  test("is accepted by our own verifier", () => {
    for (const vkey of [vkeys.first, vkeys.second]) {
      const verdict = verifySync(whole, { vkey, deep: true });
      expect(verdict.findings).toEqual([]);
      expect(verdict).toMatchObject({ state: "good", size, epochs: 2, checkpoints: 8, content: { checked: 200 } });
    }
  });
  test("is accepted by Go's note and tlog, with any of the log's keys", () => {
    for (const vkey of [vkeys.first, vkeys.second])
      expect(verifiers.go(whole, vkey).text).toContain(
        `GOOD: ${size} of ${size} rows, 8 checkpoints, 2 keys, 200 parts`,
      );
  });
  test("is accepted by @sigstore/verify", () => {
    expect(verifiers.sigstore(whole, vkeys.second).text).toContain(`GOOD: 2 of ${size} rows`);
  });
  test("is accepted by openssl and sha256sum", () => {
    const said = verifiers.shell(whole, vkeys.second, "0", String(size - 1));
    expect(said.text).toContain(`row ${size - 1} is in the log that was signed`);
  });
  test("holds the lines that are hashed, and content that opens its commitments", () => {
    const prefix = '{"#prev":"",'.length + 64;
    expect(lines(whole, "entries.jsonl").map((line) => `{${line.slice(prefix)}`)).toEqual(bodiesOf(path));
    expect(read(whole, "content.jsonl")).toContain('"text":"how much disk is free?"');
  });
});

describe("a partial export", () => {
  test("is accepted by our own verifier", () => {
    const verdict = verifySync(part, { vkey: vkeys.first, deep: true });
    expect(verdict.findings).toEqual([]);
    expect(verdict).toMatchObject({ state: "good", size, bundle: { rows: TO - FROM, proofs: TO - FROM } });
    expect(verifySync(ofSession, { vkey: vkeys.second }).state).toBe("good");
  });
  test("is accepted by each of the three", () => {
    expect(verifiers.go(part, vkeys.first).text).toContain(`GOOD: ${TO - FROM} of ${size} rows`);
    expect(verifiers.sigstore(part, vkeys.second).text).toContain(`GOOD: ${TO - FROM} of ${TO - FROM} rows`);
    expect(verifiers.shell(part, vkeys.second, String(FROM), String(TO - 1)).accepts).toBe(true);
  });
  test("reveals nothing of the other rows but hashes", () => {
    const files = filesIn(part).filter((name) => !name.startsWith("tile/"));
    const told = files.map((name) => read(part, name)).join("\n");
    const bodies = bodiesOf(path);
    const shown = bodies.filter((body) => told.includes(nonceOf(body)));
    expect(shown).toEqual(bodies.slice(FROM, TO));
    expect(filesIn(part).filter((name) => name.startsWith("tile/entries/"))).toEqual([]);
    // What is left are tiles: hashes, and as many as the tree has.
    const leaves = filesIn(part).filter((name) => name.startsWith("tile/0/"));
    const bytes = leaves.reduce((sum, name) => sum + readFileSync(join(part, name)).length, 0);
    expect(bytes).toBe(size * 32);
    expect(told).not.toContain("how much disk is free?");
  });
  test("of a session holds its rows with the outcomes of its actions, and no other session's", () => {
    const rows = lines(ofSession, "entries.jsonl");
    expect(rows).toHaveLength(5 * 7);
    expect(new Set(rows.flatMap((row) => /"session":"(s_[^"]+)"/.exec(row)?.[1] ?? []))).toEqual(new Set([session]));
    expect(verifiers.go(ofSession, vkeys.second).text).toContain("25 parts of content");
  });
});

/** A change somebody makes to a whole export (`at`), and who refuses it. Each repairs the manifest, which anybody can. */
interface Harm {
  readonly name: string;
  /** Our own verifier's first finding about a row. */
  readonly finds: readonly [FindingCode, number];
  readonly of: "whole" | "part";
  readonly by: readonly (keyof Omit<Verifiers, typeof Symbol.dispose>)[];
  readonly harm: (at: string) => void;
}

const edit = (at: string, name: string, change: (text: string) => string): void => {
  const before = read(at, name);
  const after = change(before);
  if (after === before) throw new Error(`${name} was not changed`);
  writeFileSync(join(at, name), after);
};
/** Another digit in place of the first one behind a mark. */
const otherDigit = (text: string, mark: string): string => {
  const at = text.indexOf(mark) + mark.length;
  return `${text.slice(0, at)}${text.charAt(at) === "0" ? "1" : "0"}${text.slice(at + 1)}`;
};
const ALL = ["go", "sigstore", "shell"] as const;
const HARMS: readonly Harm[] = [
  {
    name: "a row is edited",
    finds: ["row-changed", FROM],
    of: "part",
    by: ALL,
    harm: (at) => edit(at, "entries.jsonl", (text) => otherDigit(text, '"nonce":"')),
  },
  {
    name: "a proof is edited",
    finds: ["proof", FROM],
    of: "part",
    by: ALL,
    harm: (at) =>
      edit(at, `proof/${FROM}.tlog-proof`, (text) =>
        text.replace(/\n([A-Za-z0-9+/])/, (_, a: string) => `\n${a === "A" ? "B" : "A"}`),
      ),
  },
  {
    name: "a proof is cut",
    finds: ["proof", FROM],
    of: "part",
    by: ALL,
    harm: (at) => edit(at, `proof/${FROM}.tlog-proof`, (text) => text.replace(/\n[A-Za-z0-9+/]{43}=\n\n/, "\n\n")),
  },
  {
    name: "a proof has one hash more",
    finds: ["proof", FROM],
    of: "part",
    by: ALL,
    harm: (at) => edit(at, `proof/${FROM}.tlog-proof`, (text) => text.replace("\n\n", `\n${"A".repeat(43)}=\n\n`)),
  },
  {
    name: "a proof is that of another row",
    finds: ["proof", FROM],
    of: "part",
    by: ALL,
    harm: (at) => cpSync(join(at, `proof/${FROM + 1}.tlog-proof`), join(at, `proof/${FROM}.tlog-proof`)),
  },
  {
    name: "the checkpoint covers one row less, in the proofs too",
    finds: ["proof", FROM],
    of: "part",
    by: ALL,
    harm: (at) => {
      for (const name of ["checkpoint", ...filesIn(at).filter((file) => file.startsWith("proof/"))])
        edit(at, name, (text) => text.replace(`\n${size}\n`, `\n${size - 1}\n`));
    },
  },
  {
    name: "the checkpoint has another root",
    finds: ["proof", 0],
    of: "whole",
    by: ALL,
    harm: (at) => {
      for (const name of ["checkpoint", ...filesIn(at).filter((file) => file.startsWith("proof/"))])
        edit(at, name, (text) =>
          text.replace(
            /(\n\d+\n)(.)([A-Za-z0-9+/]{42}=\n\n\u2014)/,
            (_, a: string, b: string, c: string) => `${a}${b === "A" ? "B" : "A"}${c}`,
          ),
        );
    },
  },
  {
    name: "everything is signed anew with another key",
    finds: ["proof", 0],
    of: "whole",
    by: ALL,
    harm: (at) => {
      const stranger = ed25519Signer(vkeys.first.split("+")[0] ?? "");
      edit(at, "checkpoint", (text) => {
        const signed = text.slice(0, text.indexOf("\n\n") + 1);
        const id = Buffer.from(stranger.vkey.split("+")[1] ?? "", "hex");
        const blob = Buffer.concat([id, stranger.sign(Buffer.from(signed))]).toString("base64");
        return `${signed}\n\u2014 ${stranger.vkey.split("+")[0]} ${blob}\n`;
      });
      for (const name of filesIn(at).filter((file) => file.startsWith("proof/")))
        edit(at, name, (text) => text.slice(0, text.indexOf("\n\n") + 2) + read(at, "checkpoint"));
    },
  },
  {
    name: "the last row is cut off, and counted out",
    finds: ["proof", 1],
    of: "whole",
    by: ["go", "sigstore"],
    harm: (at) => {
      edit(at, "entries.jsonl", (text) => text.slice(0, text.lastIndexOf("\n", text.length - 2) + 1));
      edit(at, "bundle.json", (text) => text.replace(`"rows": ${size}`, `"rows": ${size - 1}`));
    },
  },
  {
    name: "a row in the middle is left out, and counted out",
    finds: ["proof", 1],
    of: "whole",
    by: ["go", "sigstore"],
    harm: (at) => {
      edit(at, "entries.jsonl", (text) => text.split("\n").toSpliced(100, 1).join("\n"));
      edit(at, "bundle.json", (text) => text.replace(`"rows": ${size}`, `"rows": ${size - 1}`));
    },
  },
  {
    name: "two rows change places",
    finds: ["row-missing", 100],
    of: "whole",
    by: ["go"],
    harm: (at) =>
      edit(at, "entries.jsonl", (text) => {
        const all = text.split("\n");
        return all.toSpliced(100, 2, all[101] ?? "", all[100] ?? "").join("\n");
      }),
  },
  {
    name: "a row is edited and its hash in the tile with it",
    finds: ["proof", 0],
    of: "whole",
    by: ["go"],
    harm: (at) => {
      edit(at, "entries.jsonl", (text) => otherDigit(text, '"nonce":"'));
      const tile = readFileSync(join(at, "tile/0/000"));
      tile.set(Buffer.from(leafHash(Buffer.from(lines(at, "entries.jsonl")[0] ?? "")), "hex"));
      writeFileSync(join(at, "tile/0/000"), tile);
    },
  },
  {
    name: "an older checkpoint is of another tree",
    finds: ["checkpoint-missing", 1],
    of: "whole",
    by: ["go"],
    harm: (at) =>
      edit(at, "checkpoints.jsonl", (text) =>
        text.split("\n").toSpliced(1, 1).join("\n").replace('"size":2,', '"size":3,'),
      ),
  },
  {
    name: "the key is said to be another from the beginning on",
    finds: ["genesis", 0],
    of: "whole",
    by: ["go"],
    harm: (at) => edit(at, "keys.jsonl", (text) => text.replaceAll(vkeys.first, vkeys.stranger)),
  },
  {
    name: "content is edited",
    finds: ["content-changed", 2],
    of: "whole",
    by: ["go"],
    harm: (at) => edit(at, "content.jsonl", (text) => text.replace("how much disk is free?", "how much disk is full?")),
  },
  {
    name: "the entries in tiles are not those in lines",
    finds: ["tile", 0],
    of: "whole",
    by: ["go"],
    harm: (at) => edit(at, "tile/entries/000", (text) => otherDigit(text, '"nonce":"')),
  },
];

describe.for(HARMS)("where $name", ({ of, by, harm, finds }) => {
  test(`it is refused by ${by.join(", ")}, and our own verifier names ${finds.join(" ")}`, () => {
    const at = join(mkdtempSync(join(folder, "harmed-")), "export");
    cpSync(of === "whole" ? whole : part, at, { recursive: true });
    harm(at);
    // Without this the manifest alone would tell.
    rewriteManifest(at);
    const rows = of === "whole" ? ["0", String(size - 1)] : [String(FROM)];
    for (const who of by) {
      const said = who === "shell" ? verifiers.shell(at, vkeys.second, ...rows) : verifiers[who](at, vkeys.second);
      expect(said.accepts, `${who}: ${said.text}`).toBe(false);
    }
    const { state, findings } = verifySync(at, { vkey: vkeys.second });
    expect(state).toBe("broken");
    const first = findings.find(({ seq }) => seq !== null);
    expect([first?.code, first?.seq], JSON.stringify(findings.slice(0, 4))).toEqual(finds);
  });
});

test("an export is refused by each of them with a key that is not the log's", () => {
  expect(verifiers.go(whole, vkeys.stranger).accepts).toBe(false);
  expect(verifiers.sigstore(whole, vkeys.stranger).accepts).toBe(false);
  expect(verifiers.shell(whole, vkeys.stranger).accepts).toBe(false);
});

test("a changed file is not the one in the manifest", () => {
  const at = join(mkdtempSync(join(folder, "harmed-")), "export");
  cpSync(part, at, { recursive: true });
  edit(at, "keys.jsonl", (text) => text.replace("keychain", "none"));
  expect(verifiers.shell(at, vkeys.second).text).toContain("a file is not the one that the manifest lists");
});

const AROUND = [4, 8, 16, 32, 64, 128, 256, 512, 1_024].flatMap((k) => [k - 1, k, k + 1]);

test.for([2, ...AROUND])("Go verifies tiles, proofs and growth of a log of %i rows", (rows) => {
  const at = mkdtempSync(join(folder, "sized-"));
  const { path: own, vkey } = bulkLog(at, rows);
  // All rows but the last of a small log, and those at the right edge of a larger one: each then has a proof.
  const from = rows > 70 ? rows - 5 : 0;
  const { proofs } = exported(own, join(at, "out"), { from, to: rows - 1 });
  expect(proofs).toBe(rows - 1 - from);
  const older = new Set([2, rows, ...Array.from({ length: Math.floor(rows / 1_000) }, (_, k) => (k + 1) * 1_000)]);
  expect(verifiers.go(join(at, "out"), vkey).text).toContain(
    `GOOD: ${proofs} of ${rows} rows, ${older.size} checkpoints`,
  );
  expect(verifySync(join(at, "out"), { vkey }).state).toBe("good");
});
