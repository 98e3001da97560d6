import { hash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { type Exported, type ExportRequest, exportSteps } from "../../audit/export.ts";
import { ExportFolder, MANIFEST } from "../../audit/export-folder.ts";
import type { Sealer } from "../../audit/ports.ts";
import { anId } from "./audit-fixture.ts";

/** Exports the log at `path` up to its newest checkpoint. */
export function exported(
  path: string,
  out: string,
  request: Partial<ExportRequest> = {},
  sealer: Sealer | null = null,
): Exported {
  const database = new Database(path, { readonly: true });
  try {
    const newest: unknown = database
      .prepare("SELECT size, note FROM checkpoint ORDER BY size DESC LIMIT 1")
      .raw()
      .get();
    const [size, note]: unknown[] = Array.isArray(newest) ? newest : [];
    const checkpoint = { size: Number(size), note: String(note) };
    const id = anId("e");
    const steps = exportSteps(
      { database, checkpoint, sealer, version: "0.1.0", at: "2026-11-24T00:00:00.000Z" },
      { id, from: 0, to: checkpoint.size, session: null, content: "commitments", ...request },
      ExportFolder.begin(out, id, []),
    );
    for (let step = steps.next(); ; step = steps.next()) if (step.done === true) return step.value;
  } finally {
    database.close();
  }
}

/** Every file below a folder, by its path from there. */
export function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .toSorted();
}

/** Lists the files of an export as they are now, as whoever changed them would. */
export function rewriteManifest(folder: string): void {
  const lines = filesIn(folder)
    .filter((name) => name !== MANIFEST)
    .map((name) => `${hash("sha256", readFileSync(join(folder, name)), "hex")}  ${name}\n`);
  writeFileSync(join(folder, MANIFEST), lines.join(""));
}
