/** A verifier that uses the npm package @sigstore/verify. It is brought along by every export. */
export const SIGSTORE_VERIFIER =
  String.raw`// Verifies an export of a Wirken audit log with the npm package @sigstore/verify, in a folder of its own:
//   npm install @sigstore/verify@4.1.3
//   node FOLDER/verify-sigstore.mjs FOLDER VKEY
// It checks the checkpoint's signature and the proof of every row that has one.
import { createPublicKey } from "node:crypto";
import { createReadStream, existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

const require = createRequire(join(process.cwd(), "here.js"));
const { verifyCheckpoint } = require("@sigstore/verify/dist/tlog/checkpoint.js");
const { verifyMerkleInclusion } = require("@sigstore/verify/dist/tlog/merkle.js");

const [folder, vkey] = process.argv.slice(2);
if (vkey === undefined) {
  console.log("usage: node verify-sigstore.mjs FOLDER VKEY (the log's key as it was given to you)");
  process.exit(2);
}
const [, name, id, key64] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(vkey) ?? [];
const spki = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), Buffer.from(key64 ?? "", "base64").subarray(1)]);
const log = {
  logID: Buffer.from(id ?? "", "hex"),
  publicKey: createPublicKey({ key: spki, format: "der", type: "spki" }),
  baseURL: name,
};

let rows = 0;
let proofs = 0;
let size = -1;
try {
  const newest = readFileSync(join(folder, "checkpoint"), "utf8");
  const lines = createInterface({ input: createReadStream(join(folder, "entries.jsonl")), crlfDelay: 0 });
  for await (const line of lines) {
    rows += 1;
    const { $seq: seq } = JSON.parse(line);
    const path = join(folder, "proof", ` +
  "`${seq}.tlog-proof`" +
  String.raw`);
    if (!existsSync(path)) continue;
    const proof = readFileSync(path, "utf8");
    const end = proof.indexOf("\n\n");
    const [first, index, ...path64] = proof.slice(0, end).split("\n");
    const envelope = proof.slice(end + 2);
    if (first !== "c2sp.org/tlog-proof@v1" || index !== ` +
  "`index ${seq}`" +
  String.raw` || envelope !== newest) throw new Error(path + " is no proof of its row");
    const entry = {
      canonicalizedBody: Buffer.from(line, "utf8"),
      inclusionProof: {
        logIndex: String(seq),
        hashes: path64.map((hash) => Buffer.from(hash, "base64")),
        checkpoint: { envelope },
      },
    };
    const checkpoint = verifyCheckpoint(entry, [log]);
    if (checkpoint.origin !== name) throw new Error("the checkpoint is of another log");
    verifyMerkleInclusion(entry, checkpoint);
    size = Number(checkpoint.logSize);
    proofs += 1;
  }
  const { rows: said, size: of } = JSON.parse(readFileSync(join(folder, "bundle.json"), "utf8"));
  if (rows !== said || proofs === 0 || size !== of || (said !== of && proofs !== rows)) throw new Error("a row or a proof is missing");
  console.log("GOOD: " + proofs + " of " + rows + " rows were proved to be in the log of " + size + " rows that was signed");
} catch (error) {
  console.log("REFUSED: " + error.message);
  process.exitCode = 1;
}
`;
