import { basename, dirname, join } from "node:path";

/** The files that lie beside a log: `audit.checkpoint`, `audit.reserve` and, while something is wrong with it, `audit.alarm` beside `audit.db`. */
export function beside(path: string): {
  readonly checkpoint: string;
  readonly reserve: string;
  readonly alarm: string;
} {
  const stem = join(dirname(path), basename(path, ".db"));
  return { checkpoint: `${stem}.checkpoint`, reserve: `${stem}.reserve`, alarm: `${stem}.alarm` };
}
