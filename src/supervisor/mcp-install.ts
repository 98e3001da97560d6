import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { AuditLog } from "../../audit/log.ts";
import type { RegistriesConfig } from "../config/schema.ts";
import { installPackage } from "../effect/install-package.ts";
import { MANAGERS } from "../effect/install-scripts.ts";
import type { Recorded } from "../../audit/recorded.ts";
import { mint } from "../ipc/ids.ts";
import { SandboxError } from "../sandbox/command.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import { LaneError, type LaneSource } from "./egress-lane.ts";
import { type PackageWish, registryOf, specificationOf } from "./mcp-package.ts";
import { digestOfTree, TreeError } from "./mcp-tree.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";

/** A package that lies on this machine, and is what it was when it was installed as long as its digest is. */
export interface InstalledPackage {
  readonly wish: PackageWish;
  readonly version: string;
  /** Of the whole tree, hex. */
  readonly digest: string;
  /** Of the lock file in it, hex. */
  readonly lock: string;
  /** What it is run with, and by what path in the tree. */
  readonly runtime: "node" | "python3";
  readonly program: string;
  /** How many packages it is made of. */
  readonly packages: number;
  /** It was there already, and was not what it had been any more: what was there is replaced. */
  readonly altered: boolean;
}

/** What was installed for a server is another thing now, or gone. */
export class AlteredError extends Error {
  override readonly name = "AlteredError";
  readonly code = "PACKAGE_ALTERED";
}

export interface McpInstallerParts {
  readonly log: AuditLog;
  /** Where packages lie. */
  readonly root: string;
  readonly sandbox: Pick<Sandbox, "run" | "state" | "probe">;
  readonly lanes: LaneSource;
  /** The executable whose role `relay` is the way out's other end; null: this build has none. */
  readonly executable: string | null;
  readonly registries: () => RegistriesConfig;
  /** A file with certificates that are trusted besides. */
  readonly certificates: () => string | null;
}

/** Where distributions keep the authorities that they trust. */
const AUTHORITIES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/** Of a digest, in the name of a folder. */
const SHORT = 16;
const TREE = "tree";
const CERTIFICATES = "authorities.pem";

/** Installs packages of MCP servers, once and whole: nothing of one runs while that is done, and nothing of it changes afterwards. */
export class McpInstaller {
  readonly #parts: McpInstallerParts;

  constructor(parts: McpInstallerParts) {
    this.#parts = parts;
  }

  /** Where a package with this digest lies. */
  folder(digest: string): string {
    return join(this.#parts.root, digest.slice(0, SHORT));
  }

  /** @throws {OperatorError} in words why it is not installed. */
  async install(wish: PackageWish, who: By, signal: AbortSignal): Promise<InstalledPackage> {
    const { log, root } = this.#parts;
    await this.#ready();
    await mkdir(root, { recursive: true, mode: 0o700 });
    await using recorded = await log.record(
      { kind: "mcp.installing", registry: wish.registry, ...who },
      { cause: null, content: { package: specificationOf(wish) } },
    );
    const draft = await mkdtemp(join(root, ".draft-"));
    try {
      const installed = await this.#fetch(recorded, wish, draft, signal);
      const place = this.folder(installed.digest);
      // The same digest is the same files: those that are there may be in use. What was altered is replaced.
      const wasThere = existsSync(place);
      const altered = (await differenceFrom(place, installed.digest)) !== null;
      if (altered) {
        await rm(place, { recursive: true, force: true });
        await rename(join(draft, TREE), place);
      }
      const { version, digest, lock } = installed;
      await recorded.finish({ kind: "mcp.installed", version, digest, lock });
      return { ...installed, altered: altered && wasThere };
    } catch (error) {
      await recorded.fail(error);
      throw error;
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
  }

  async #ready(): Promise<void> {
    const { sandbox, executable } = this.#parts;
    const state = sandbox.state.state === "works" ? sandbox.state : await sandbox.probe();
    if (state.state !== "works")
      throw new OperatorError(
        "not-ready",
        "a package is installed in bubblewrap only, which does not work here",
        state.hint,
      );
    if (executable === null)
      throw new OperatorError("not-ready", "only the executable has a relay for the sandbox", "build it, and run that");
  }

  async #fetch(
    recorded: Recorded<"mcp.installing">,
    wish: PackageWish,
    draft: string,
    signal: AbortSignal,
  ): Promise<InstalledPackage> {
    const { lanes, executable, sandbox, registries } = this.#parts;
    const { url, host, reach } = registryOf(wish.registry, registries());
    const certificates = await this.#authorities(draft);
    const over = Promise.withResolvers<void>();
    const lane = await lanes
      .lane({ role: "relay", subject: null, reach: () => reach, lost: () => undefined })
      .catch((cause: unknown) => {
        if (!(cause instanceof LaneError)) throw cause;
        throw new OperatorError("not-ready", "there is no way out for the installation now", null, { cause });
      });
    try {
      const said = await installPackage(
        recorded,
        {
          registry: wish.registry,
          name: wish.name.replace(/\[.*$/, ""),
          specification: specificationOf(wish),
          program: wish.program,
          url,
          certificates,
        },
        draft,
        {
          get lane() {
            const end = lane.take();
            lane.held({ id: mint("process"), seq: recorded.seq, ended: over.promise });
            return end;
          },
          executable: executable ?? "",
        },
        sandbox,
        signal,
      );
      return await this.#installed(wish, said, draft, host);
    } catch (cause) {
      if (!(cause instanceof SandboxError)) throw cause;
      throw new OperatorError("not-ready", `the sandbox did not start: ${cause.message}`, null, { cause });
    } finally {
      over.resolve();
      lane.end();
    }
  }

  async #installed(
    wish: PackageWish,
    said: Awaited<ReturnType<typeof installPackage>>,
    draft: string,
    host: string,
  ): Promise<InstalledPackage> {
    const { missing, hint, lock: lockFile } = MANAGERS[wish.registry];
    const asked = specificationOf(wish);
    if (typeof said === "string") throw new OperatorError("not-ready", `${asked}: ${said}`);
    if (said.state === "missing") throw new OperatorError("not-ready", missing, hint);
    if (said.state === "failed")
      throw new OperatorError(
        "not-ready",
        `${asked} cannot be installed from ${host}: ${said.why}`,
        "wirken egress log --refused says whether something was kept from it",
      );
    const tree = join(draft, TREE);
    try {
      const [digest, lock] = await Promise.all([digestOfTree(tree), readFile(join(tree, lockFile))]);
      return {
        wish,
        version: said.version,
        digest,
        lock: createHash("sha256").update(lock).digest("hex"),
        runtime: wish.registry === "npm" ? "node" : "python3",
        program: said.program,
        packages: said.packages,
        altered: false,
      };
    } catch (cause) {
      if (!(cause instanceof TreeError)) throw cause;
      throw new OperatorError("refused", `${asked} is not installed: ${cause.message}`, null, { cause });
    }
  }

  /** The authorities of this system with those that the operator added, in one file of the draft: package managers take one. */
  async #authorities(draft: string): Promise<string | null> {
    const own = this.#parts.certificates();
    const system = AUTHORITIES.find((path) => existsSync(path));
    const paths = [system, own].filter((path) => path !== undefined && path !== null);
    if (paths.length === 0) return null;
    const read = await Promise.all(paths.map(async (path) => await readFile(path).catch(() => Buffer.alloc(0))));
    await writeFile(join(draft, CERTIFICATES), Buffer.concat(read.flatMap((bytes) => [bytes, Buffer.from("\n")])), {
      mode: 0o644,
    });
    return CERTIFICATES;
  }

  /** Where the package of a server lies, compared with what it was just now.
   *  @throws {AlteredError} if it is another: that is on the record then. */
  async open(server: string, digest: string): Promise<string> {
    const folder = this.folder(digest);
    const why = await differenceFrom(folder, digest);
    if (why === null) return folder;
    await this.#parts.log.append({ kind: "mcp.altered", server, digest }, { cause: null, content: { why } });
    throw new AlteredError(`${why}; nothing of it is started. To have it installed anew: wirken mcp update ${server}`);
  }

  /** Removes what is in use no more, and drafts that a crash left. @param kept digests that are. */
  async sweep(kept: ReadonlySet<string>): Promise<void> {
    const names = await readdir(this.#parts.root).catch(() => []);
    const stay = new Set([...kept].map((digest) => digest.slice(0, SHORT)));
    for (const name of names)
      if (/^\.draft-[A-Za-z0-9]+$|^[0-9a-f]{16}$/.test(name) && !stay.has(name))
        await rm(join(this.#parts.root, name), { recursive: true, force: true });
  }
}

/** @returns in words why a folder does not have this digest; null: it has. */
async function differenceFrom(folder: string, digest: string): Promise<string | null> {
  try {
    return (await digestOfTree(folder)) === digest ? null : "its files are not those that were installed";
  } catch (cause) {
    if (cause instanceof TreeError) return `its files are not those that were installed: ${cause.message}`;
    throw cause;
  }
}
