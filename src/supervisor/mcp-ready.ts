import type { McpServer } from "../config/schema.ts";
import type { AnswerTo } from "../ipc/operator.ts";
import type { InstalledPackage, McpInstaller } from "./mcp-install.ts";
import { packageOf, specificationOf } from "./mcp-package.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";

/** Packages that were installed and may be used next. */
const MOST = 8;
/** Where a server sees its package. */
const PACKAGE = "/package";

export interface ReadyPackage extends InstalledPackage {
  /** The words that named it, such as npx -y PACKAGE. */
  readonly from: readonly string[];
}

export interface McpReadyParts {
  readonly installer: Pick<McpInstaller, "install" | "sweep">;
  /** Where packages of a registry come from. */
  readonly host: (registry: "npm" | "pypi") => string;
  /** Digests that an entry names. */
  readonly named: () => readonly string[];
}

/** Packages that lie on this machine and that no entry names yet. */
export class McpReady {
  readonly #parts: McpReadyParts;
  readonly #ready = new Map<string, ReadyPackage>();

  constructor(parts: McpReadyParts) {
    this.#parts = parts;
  }

  /** Installs what the words name; what names no package is answered as it is. @throws {OperatorError}. */
  async install(words: readonly string[], who: By, signal: AbortSignal): Promise<AnswerTo<"mcp.install">> {
    const found = packageOf(words);
    if (found === null) return { command: [...words], installed: null };
    const { wish, args } = found;
    const installed = await this.#parts.installer.install(wish, who, signal);
    const { version, digest, packages } = installed;
    this.#ready.delete(digest);
    this.#ready.set(digest, { ...installed, from: words.slice(0, words.length - args.length) });
    for (const old of [...this.#ready.keys()].slice(0, -MOST)) this.#ready.delete(old);
    return {
      command: [...startOf(installed), ...args],
      installed: {
        package: specificationOf({ ...wish, range: null }),
        version,
        digest,
        host: this.#parts.host(wish.registry),
        packages,
      },
    };
  }

  /** As an entry names it. @throws {OperatorError} unless it was just installed. */
  entryOf(digest: string): NonNullable<McpServer["installed"]> {
    const { wish, version, from } = this.found(digest);
    return { registry: wish.registry, package: wish.name.replace(/\[.*$/, ""), version, digest, from: [...from] };
  }

  /** @throws {OperatorError} unless it was just installed. */
  found(digest: string): ReadyPackage {
    const ready = this.#ready.get(digest);
    if (ready === undefined)
      throw new OperatorError("not-found", "this is no package that was just installed", "run the command again");
    return ready;
  }

  /** It is in use, or nobody wants it. What no entry names is removed. */
  async settle(digest: string | null): Promise<void> {
    if (digest !== null) this.#ready.delete(digest);
    await this.#parts.installer.sweep(new Set([...this.#parts.named(), ...this.#ready.keys()]));
  }
}

/** The words that start a package. */
export function startOf({ runtime, program }: InstalledPackage): string[] {
  return [runtime, `${PACKAGE}/${program}`];
}
