import { pemOf } from "./certificate-file.ts";
import { readProof } from "./anchor-proof.ts";
import type { ExportSource } from "./export.ts";
import type { ExportFolder } from "./export-folder.ts";
import { broken } from "./export-lines.ts";

/** Writes every checkpoint of at most so many rows, and each answer of an anchor beside the checkpoint that it is about, in the form that the tools for it read. */
export function writeHistory(source: ExportSource, folder: ExportFolder, size: number): void {
  folder.file("checkpoint", source.checkpoint.note);
  const checkpoints = folder.growing("checkpoints.jsonl");
  const stored = source.database
    .prepare<[number]>("SELECT size, note FROM checkpoint NOT INDEXED WHERE size <= ? ORDER BY size")
    .raw();
  for (const row of stored.iterate(size)) {
    const [of, note]: unknown[] = Array.isArray(row) ? row : [];
    checkpoints.write(`${JSON.stringify({ size: of, note })}\n`);
  }
  checkpoints.end();
  writeAnchors(source, folder, size);
}

function writeAnchors({ database }: ExportSource, folder: ExportFolder, atMost: number): void {
  const anchors = folder.growing("anchors.jsonl");
  const noteOf = database.prepare("SELECT note FROM checkpoint NOT INDEXED WHERE size = ?").pluck();
  const stored = database
    .prepare<[number]>("SELECT id, size, name, proof FROM anchor NOT INDEXED WHERE size <= ? ORDER BY id")
    .raw();
  for (const row of stored.iterate(atMost)) {
    const [id, size, name, proof]: unknown[] = Array.isArray(row) ? row : [];
    const read = proof instanceof Uint8Array ? readProof(proof) : null;
    const note: unknown = typeof size === "number" && read?.type !== "certificate" ? noteOf.get(size) : "";
    if (typeof id !== "number" || typeof note !== "string" || read === null || !(proof instanceof Uint8Array))
      throw broken(`the answer number ${String(id)} of its anchors is damaged`);
    const about = { id, size, name, type: read.type, proof: Buffer.from(proof).toString("base64") };
    anchors.write(`${JSON.stringify(about)}\n`);
    if (read.type === "certificate") {
      folder.file(`anchor/${id}.pem`, pemOf(read.der));
      continue;
    }
    folder.file(`anchor/${id}.note`, read.type === "witness" ? `${note}${read.line}` : note);
    if (read.type === "timestamp") folder.file(`anchor/${id}.tsr`, read.response);
  }
  anchors.end();
}
