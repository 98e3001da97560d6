import { basename, dirname, join } from "node:path";

/** The files that lie beside a log: `audit.checkpoint` and `audit.reserve` beside `audit.db`. */
export function beside(path: string): { readonly checkpoint: string; readonly reserve: string } {
  const stem = join(dirname(path), basename(path, ".db"));
  return { checkpoint: `${stem}.checkpoint`, reserve: `${stem}.reserve` };
}
