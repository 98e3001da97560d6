import { realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** What names are resolved with. */
const FILES = ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/gai.conf"];
const LOOK_MS = 2_000;

/** Egress may read the very files that lay there when its walls were built. Whoever replaces one, as a change of the network does, makes another
 *  file, which it may not read: then a new egress process is to take its place. One that is rewritten stays the same file. */
export class ResolverWatch implements Disposable {
  readonly #files: readonly string[];
  readonly #timer: NodeJS.Timeout;
  #seen: readonly string[];

  /** @param replaced is told once for each look that found another file. */
  constructor(replaced: () => void, { files = FILES, everyMs = LOOK_MS } = {}) {
    this.#files = files;
    this.#seen = files.map((file) => identityOf(file));
    this.#timer = setInterval(() => {
      const now = this.#files.map((file) => identityOf(file));
      const changed = now.some((identity, at) => identity !== this.#seen[at]);
      this.#seen = now;
      if (changed) replaced();
    }, everyMs);
    this.#timer.unref();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** Where it lies and which it is; of one in a folder of its own, which may be read whole, only where. */
function identityOf(file: string): string {
  try {
    const path = realpathSync(file);
    if (path.startsWith("/run/") && dirname(path) !== "/run/NetworkManager") return path;
    const { dev, ino } = statSync(path);
    return `${path} ${dev}:${ino}`;
  } catch {
    return "none";
  }
}
