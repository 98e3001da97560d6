import type { Recorded } from "../../audit/recorded.ts";
import type { CommandEnd, Way } from "../sandbox/command.ts";
import { LIMITS } from "../sandbox/limits.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import { installCommand, MAX_SAID, type Said, readSaid } from "./install-scripts.ts";

const MB = 1 << 20;

/** Packages are unpacked in memory and on the disk: more of both than a command needs. */
const INSTALLING = { ...LIMITS, memory: 1024 * MB, seconds: 300, output: MAX_SAID } as const;

/** One package to be installed, from a registry. */
export interface PackageOrder {
  readonly registry: "npm" | "pypi";
  readonly name: string;
  /** The name with its range, as the package manager takes it. */
  readonly specification: string;
  /** Which of its programs; null: the one that is called like it. */
  readonly program: string | null;
  /** The address that the package manager is given. */
  readonly url: string;
  /** A file of certificates, from the folder on; null: those that the package manager trusts by itself. */
  readonly certificates: string | null;
}

/** Installs a package below `tree` of a folder of its own, in the sandbox: no script of it runs.
 *  @param folder is there, and empty but for the certificates.
 *  @param way leads to that registry and nowhere else.
 *  @returns what came of it; a sentence where the command itself was ended.
 *  @throws {SandboxError} if nothing of it ran. */
export async function installPackage(
  recorded: Recorded<"mcp.installing">,
  order: PackageOrder,
  folder: string,
  way: Way,
  sandbox: Pick<Sandbox, "run">,
  signal: AbortSignal,
): Promise<Said | string> {
  recorded.redeem();
  const { registry, specification, name, program, url, certificates } = order;
  const end = await sandbox.run(
    {
      workspace: folder,
      argv: installCommand(registry, [specification, name, program ?? "", url, certificates ?? ""]),
      write: true,
      unprotected: true,
      stdin: null,
      limits: INSTALLING,
      sandbox: "works",
      way,
    },
    signal,
  );
  if (end.reason !== "exited") return endedBy(end);
  return readSaid(end.stdout) ?? `the installation ended without saying how (status ${end.status ?? "none"})`;
}

function endedBy({ reason }: CommandEnd): string {
  switch (reason) {
    case "time":
      return `the installation took longer than ${INSTALLING.seconds} s and was ended`;
    case "memory":
      return `the installation took more than ${INSTALLING.memory / MB} MB of memory and was ended`;
    case "disk":
      return `the installation left less than ${INSTALLING.diskReserve / MB} MB free on the disk and was ended`;
    default:
      return `the installation was ended (${reason})`;
  }
}
