import { mkdirSync, mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** linux/magic.h: file systems in memory, where a sync costs nothing. */
const IN_MEMORY: ReadonlySet<number> = new Set([0x0102_1994, 0x8584_58f6]);

/** A new folder on a disk, which ends with its block: the temporary folder is in memory on some systems, and the project's is not. */
export class DiskFolder implements Disposable {
  readonly path: string;

  constructor() {
    const temporary = tmpdir();
    const built = join(import.meta.dirname, "../../dist");
    mkdirSync(built, { recursive: true });
    this.path = mkdtempSync(join(IN_MEMORY.has(statfsSync(temporary).type) ? built : temporary, "wirken-bench-"));
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
