import { mkdirSync, realpathSync } from "node:fs";
import type { Duplex } from "node:stream";
import type { McpServer } from "../config/schema.ts";
import { SandboxError, type Service, type Shown } from "../sandbox/command.ts";
import { LIMITS } from "../sandbox/limits.ts";
import { PROGRAMS } from "../sandbox/seen.ts";

const MB = 1 << 20;
/** A server has no time of its own: of its calls each has. */
const FOR_EVER_SECONDS = 10 * 365 * 86_400;
/** Where a server sees its installed package. */
const PACKAGE = "/package";
/** What a server cannot be shown another thing at. */
const OURS = ["/proc", "/dev", "/run", "/var", "/etc", "/workspace", "/package", ...PROGRAMS];

export interface ServiceParts {
  readonly name: string;
  readonly entry: McpServer;
  /** The data directory, and the server's own below it. */
  readonly home: string;
  readonly own: string;
  /** Where its package lies; null: it has none. */
  readonly tree: string | null;
  /** One credential that was handed over, by its name in the vault: its bytes are wiped when the server was started. */
  readonly secret: (name: string) => Uint8Array;
  readonly spoken: Duplex;
  readonly errors: Duplex;
}

/** A server as the sandbox runs it, by its entry. @throws {SandboxError} in words why it cannot be run so. */
export function serviceOf({ name, entry, home, own, tree, secret, spoken, errors }: ServiceParts): Service {
  const argv = entry.command ?? [];
  mkdirSync(own, { recursive: true, mode: 0o700 });
  const [program = ""] = argv;
  const written = [
    ...entry.write.map((path) => ({ path, write: true })),
    ...entry.read.filter((path) => !entry.write.includes(path)).map((path) => ({ path, write: false })),
  ];
  // The program itself, where it is none that every command finds.
  const alone =
    program.startsWith("/") && ![...OURS, ...written.map(({ path }) => path)].some((top) => within(program, top));
  const shown = [...written, ...(alone ? [{ path: program, write: false }] : [])].map((one) =>
    shownOf(name, one, home),
  );
  const environment: [string, string][] = Object.entries(entry.env);
  const secrets: { name: string; bytes: Uint8Array }[] = [];
  const open: { descriptor: number; bytes: Uint8Array }[] = [];
  for (const { name: credential, file, descriptor, env } of entry.credentials) {
    if (file !== undefined) secrets.push({ name: file, bytes: secret(credential) });
    else if (descriptor !== undefined) open.push({ descriptor, bytes: secret(credential) });
    // The entry says so: it is a string from here on, in the memory of two processes and in no command line.
    else if (env !== undefined) environment.push([env, Buffer.from(secret(credential)).toString("utf8").trim()]);
  }
  return {
    workspace: realpathSync(own),
    argv,
    shown: [...(tree === null ? [] : [{ path: tree, at: PACKAGE, write: false }]), ...shown],
    environment,
    secrets,
    open,
    limits: {
      ...LIMITS,
      memory: entry.limits.memoryMb * MB,
      processes: entry.limits.processes,
      seconds: FOR_EVER_SECONDS,
    },
    spoken,
    errors,
  };
}

function shownOf(
  server: string,
  { path, write }: { readonly path: string; readonly write: boolean },
  home: string,
): Shown {
  let real: string;
  try {
    real = realpathSync(path);
  } catch {
    throw new SandboxError(`${path}, which mcp.${server} in config.json names, is not there`);
  }
  if (["/", "/tmp"].includes(real) || OURS.some((top) => within(path, top)))
    throw new SandboxError(
      `${path} cannot be shown to the MCP server ${server}: the sandbox has something of its own there`,
    );
  if (within(real, realpathSync(home)))
    throw new SandboxError(`${path} cannot be shown to the MCP server ${server}: it lies in the data directory`);
  return { path: real, at: path.replace(/\/+$/, ""), write };
}

function within(path: string, top: string): boolean {
  return path === top || path.startsWith(`${top}/`);
}
