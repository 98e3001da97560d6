import { lstatSync, realpathSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { isSea } from "node:sea";
import type { AuditLog } from "../../audit/log.ts";
import type { Grants } from "../broker/grants.ts";
import type { Config } from "../config/schema.ts";
import { ownPlaces, refusalOf, refusalOfFile } from "../sandbox/refusal.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { LaneSource } from "./egress-lane.ts";
import { McpAuthorizing } from "./mcp-authorizing.ts";
import { McpDesk } from "./mcp-desk.ts";
import { McpEntries } from "./mcp-entries.ts";
import { McpInstaller } from "./mcp-install.ts";
import { registryOf } from "./mcp-package.ts";
import { McpReady } from "./mcp-ready.ts";
import type { McpServersControl } from "./mcp-servers.ts";
import { McpUpdating } from "./mcp-updating.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";

interface InstallerGiven {
  readonly log: AuditLog;
  readonly home: { readonly packages: string };
  readonly sandbox: Sandbox;
  readonly lanes: LaneSource;
  readonly config: () => Config;
  readonly certificates: () => string | null;
}

/** What installs packages of servers, and says whether they are what they were. */
export function mcpInstaller({ log, home, sandbox, lanes, config, certificates }: InstallerGiven): McpInstaller {
  return new McpInstaller({
    log,
    root: home.packages,
    sandbox,
    lanes,
    executable: isSea() ? process.execPath : null,
    registries: () => config().registries,
    certificates,
  });
}

interface Given {
  readonly log: AuditLog;
  readonly home: { readonly root: string };
  readonly config: () => Config;
  readonly set: (path: readonly string[], value: unknown) => Promise<void>;
  readonly servers: McpServersControl;
  readonly installer: McpInstaller;
  readonly grants: Pick<Grants, "list" | "revoke">;
  readonly hasCredential: (scope: string) => boolean;
  readonly dropCredential: (scope: string, who: By) => Promise<unknown>;
  /** Where the page is served; null: nowhere. */
  readonly origin: () => string | null;
}

/** What the owner manages servers with, put together. */
export function mcpDesk({
  log,
  home,
  config,
  set,
  servers,
  installer,
  grants,
  hasCredential,
  dropCredential,
  origin,
}: Given): { readonly desk: McpDesk; readonly authorizing: McpAuthorizing } {
  const entries = new McpEntries({ log, config, set });
  const ready = new McpReady({
    installer,
    host: (registry) => registryOf(registry, config().registries).host,
    named: () => Object.values(config().mcp).flatMap(({ installed }) => installed?.digest ?? []),
  });
  const authorizing = new McpAuthorizing({
    log,
    servers,
    redirect: (id) => {
      const served = origin();
      if (served === null)
        throw new OperatorError(
          "not-ready",
          "no page is served, and a browser comes back to that",
          "start the daemon: wirken start",
        );
      return `${served}/authorized/${id}`;
    },
  });
  // Whatever wrote there has ended with its entry.
  const dropFolder = async (server: string): Promise<void> =>
    await rm(join(home.root, "mcp", server), { recursive: true, force: true });
  const places = ownPlaces(home.root);
  const desk = new McpDesk({
    servers,
    entries,
    ready,
    updating: new McpUpdating({ servers, ready, entries, dropFolder }),
    dropFolder,
    authorizing,
    refused: async (path) => {
      try {
        const real = realpathSync(path);
        return lstatSync(real).isDirectory() ? await refusalOf(real, places) : refusalOfFile(real, places);
      } catch (error) {
        return `it cannot be looked at (${error instanceof Error && "code" in error ? String(error.code) : "error"})`;
      }
    },
    revoke: async (server, who) => {
      const held = grants.list().filter(({ key }) => key.startsWith(`mcp:${server}/`));
      for (const { grant } of held) await grants.revoke(grant, who, null);
      return held.length;
    },
    hasCredential,
    dropCredential,
  });
  return { desk, authorizing };
}
