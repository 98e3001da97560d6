import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import type { AuditLog } from "../../audit/log.ts";
import { copyOf } from "../../vault/secret.ts";
import type { Vault } from "../../vault/vault.ts";
import type { Config, McpServer } from "../config/schema.ts";
import { startMcpServer } from "../effect/mcp.ts";
import type { McpTool } from "../effect/mcp-port.ts";
import { handSecrets } from "../effect/secret.ts";
import type { WayPort } from "../effect/way-port.ts";
import { mint } from "../ipc/ids.ts";
import type { ListKind, OfferedTool } from "../ipc/mcp-frames.ts";
import { SandboxError, type ServiceEnd } from "../sandbox/command.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import { listDigest, type McpAccepted } from "./mcp-accepted.ts";
import { acceptedTools, standingsOf } from "./mcp-offers.ts";
import { type Connection, type Listed, McpProcess, McpServerError, type StartedServer } from "./mcp-process.ts";
import {
  HostNeededError,
  type McpAuthorization,
  type McpServersControl,
  type McpServerStatus,
  type McpToolState,
  type McpTrial,
} from "./mcp-servers.ts";
import { serviceOf } from "./mcp-service.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";
import type { Processes, SecretOf } from "./processes.ts";
import { mcpReach, type Reach } from "./reach-list.ts";

/** A call waits so long for a server that is being started. */
const UP_MS = 30_000;
/** A trial waits so long: some servers load for a while. */
const TRIAL_MS = 70_000;

export interface McpRunningParts {
  readonly log: AuditLog;
  readonly processes: Processes;
  readonly sandbox: Sandbox;
  readonly ways: WayPort;
  readonly vault: () => Vault;
  readonly config: () => Config;
  /** The data directory, and where servers have their own directories. */
  readonly home: string;
  readonly accepted: McpAccepted;
  /** Where the package of a server lies. @throws {AlteredError} in words why it is not to be run. */
  readonly tree: (server: string, digest: string) => Promise<string>;
  /** Why a credential cannot be had; null: it can. */
  readonly withheld: (scope: string) => string | null;
  readonly secretOf: (scope: string) => SecretOf | null;
  readonly saveTokens: (server: string, bytes: Uint8Array) => Promise<void>;
  readonly line: (role: string, line: string) => void;
  /** Agents have other tools now. */
  readonly changed: () => Promise<void>;
  readonly cause: number;
}

interface Running {
  readonly written: string;
  readonly process: McpProcess;
  offered: Listed<OfferedTool> | null;
  listing: Promise<void>;
}

/** The MCP servers of the configuration, each as a compartment of its own. */
export class McpRunning implements McpServersControl {
  readonly #parts: McpRunningParts;
  readonly #running = new Map<string, Running>();
  readonly #stopped = new Set<string>();
  #serving = false;
  #told = "";

  constructor(parts: McpRunningParts) {
    this.#parts = parts;
    parts.log.follow(parts.log.size - 1, ({ action }) => {
      if (action.kind === "credential.added" || action.kind === "credential.removed") this.#credential(action.scope);
    });
  }

  /** What a server is given at its start is another now: it is started again with that, also where it was given up without it. */
  #credential(scope: string): void {
    const again = async (name: string): Promise<void> => {
      await this.#end(name);
      if (this.#serving && this.#entryOf(name)?.enabled === true && !this.#stopped.has(name)) this.#begin(name);
    };
    for (const name of this.#running.keys())
      if (this.#entryOf(name)?.credentials.some((one) => `secret/${one.name}` === scope) === true)
        void again(name).catch((error: unknown) =>
          this.#parts.line(`mcp ${name}`, error instanceof Error ? error.message : "error"),
        );
  }

  get #entries(): Readonly<Record<string, McpServer>> {
    return this.#parts.config().mcp;
  }

  get names(): readonly string[] {
    return Object.keys(this.#entries).toSorted();
  }

  /** Starts what the configuration names and enables, and ends what it does not, or names otherwise. */
  async align(): Promise<void> {
    this.#serving = true;
    for (const [name, { written }] of this.#running) {
      const entry = this.#entryOf(name);
      if (entry === null || !entry.enabled || JSON.stringify(entry) !== written) await this.#end(name);
    }
    for (const name of this.names)
      if (this.#entryOf(name)?.enabled === true && !this.#stopped.has(name)) this.#begin(name);
    this.#changed();
  }

  async close(): Promise<void> {
    this.#serving = false;
    await Promise.all([...this.#running.keys()].map((name) => this.#end(name)));
  }

  /** The vault is about to be locked: what holds a credential ends. */
  async lock(): Promise<void> {
    for (const name of this.#running.keys()) {
      const tokens = this.#parts.secretOf(`mcp/${name}`) !== null;
      if (tokens || (this.#entryOf(name)?.credentials.length ?? 0) > 0) await this.#end(name);
    }
  }

  #entryOf(name: string): McpServer | null {
    return Object.hasOwn(this.#entries, name) ? (this.#entries[name] ?? null) : null;
  }

  #begin(name: string): Running {
    const known = this.#running.get(name);
    if (known !== undefined) return known;
    const entry = this.#entryOf(name);
    if (entry === null) throw noServer(name);
    const running: Running = {
      written: JSON.stringify(entry),
      process: this.#process(name, entry, {
        connected: (connection) => this.#connected(name, connection),
        changed: (what) => {
          if (what === "tools") this.#relist(name);
        },
      }),
      offered: null,
      listing: Promise.resolve(),
    };
    this.#running.set(name, running);
    return running;
  }

  #process(
    name: string,
    entry: McpServer,
    on: { readonly connected: (connection: Connection) => void; readonly changed: (what: ListKind) => void },
    authorizing = false,
  ): McpProcess {
    const { processes, line, secretOf, saveTokens, cause } = this.#parts;
    return new McpProcess({
      name,
      entry,
      processes,
      cause,
      line: (text) => line(`mcp ${name}`, text),
      secrets: () => {
        if (entry.url === undefined || authorizing) return [];
        const scopes = [`mcp/${name}`, ...entry.credentials.map((one) => `secret/${one.name}`)];
        return scopes.flatMap((scope) => secretOf(scope) ?? []);
      },
      reach: () => this.reachOf(name),
      run: (spoken, errors) => this.#run(name, entry, spoken, errors),
      saveTokens: (bytes) => saveTokens(name, bytes),
      authorizing,
      ...on,
    });
  }

  /** What a server may reach, whether or not it runs. */
  reachOf(name: string): Reach {
    const entry = this.#entryOf(name);
    return entry === null ? [] : mcpReach(name, entry, this.#parts.config().network.local);
  }

  /** Records the start of a server's program, hands its credentials over, and starts it. */
  async #run(name: string, entry: McpServer, spoken: Duplex, errors: Duplex): Promise<StartedServer> {
    const { log, sandbox, ways, home, tree, cause } = this.#parts;
    if (sandbox.state.state !== "works") {
      const found = await sandbox.probe();
      if (found.state !== "works")
        throw new SandboxError("MCP servers are run in bubblewrap only, and that does not work here");
    }
    const place = entry.installed === undefined ? null : await tree(name, entry.installed.digest);
    const process = mint("process");
    const digest = createHash("sha256").update(JSON.stringify(entry)).digest("hex");
    const recorded = await log.record(
      { kind: "mcp.started", server: name, process, way: "command", digest },
      { cause },
    );
    try {
      const secrets = await this.#secrets(name, entry, process, recorded.seq);
      const service = serviceOf({
        name,
        entry,
        home,
        own: join(home, "mcp", name),
        tree: place,
        secret: (credential) => secrets.get(credential) ?? new Uint8Array(),
        spoken,
        errors,
      });
      const way = entry.hosts.length === 0 ? null : await ways.open(entry.hosts, { call: process, seq: recorded.seq });
      const stopping = new AbortController();
      const ended = startMcpServer(
        recorded,
        {
          ...service,
          ...(way === null
            ? {}
            : {
                get way() {
                  return way.way;
                },
              }),
        },
        sandbox,
        stopping.signal,
      );
      const over = this.#ended(name, process, recorded.seq, ended).finally(() => way?.end());
      await recorded.finish({ kind: "mcp.running" });
      return { over, end: () => stopping.abort() };
    } catch (error) {
      await recorded.fail(error);
      throw error;
    }
  }

  async #secrets(name: string, entry: McpServer, process: string, cause: number): Promise<Map<string, Uint8Array>> {
    const { log, vault, secretOf, withheld } = this.#parts;
    const held = new Map<string, Uint8Array>();
    for (const { name: credential } of entry.credentials) {
      const scope = `secret/${credential}`;
      const secret = secretOf(scope);
      const why = withheld(scope) ?? (secret === null ? `the vault has no ${scope}: wirken vault add ${scope}` : null);
      if (why !== null || secret === null)
        throw new SandboxError(`the MCP server ${name} is not started: ${why ?? ""}`);
      const { version, names } = secret;
      const recorded = await log.record({ kind: "secret.used", scope, version, process }, { cause });
      await handSecrets(recorded, vault(), names, (_, bytes) => {
        held.set(credential, copyOf(bytes));
        bytes.fill(0);
        return Promise.resolve();
      });
    }
    return held;
  }

  /** @returns in words why it ended. */
  async #ended(
    name: string,
    process: string,
    cause: number,
    ended: ReturnType<typeof startMcpServer>,
  ): Promise<string> {
    const { log } = this.#parts;
    const end = await ended.catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))));
    const why = end instanceof Error ? end.message : endSentence(end.reason, end.status);
    await log
      .append(
        {
          kind: "mcp.ended",
          server: name,
          process,
          reason: end instanceof Error ? "protocol" : end.reason === "exited" ? "exit" : end.reason,
          status: end instanceof Error ? null : end.status,
        },
        { cause, content: { detail: why } },
      )
      .catch(() => undefined);
    return why;
  }

  #connected(name: string, connection: Connection): void {
    this.#parts.line(
      `mcp ${name}`,
      `connected to ${connection.info.name} ${connection.info.version} (protocol ${connection.protocol})`,
    );
    this.#relist(name);
  }

  #relist(name: string): void {
    const running = this.#running.get(name);
    if (running === undefined) return;
    running.listing = running.listing
      .then(async () => await this.#list(name, running))
      .catch((error: unknown) => {
        this.#parts.line(
          `mcp ${name}`,
          `its tools could not be listed: ${error instanceof Error ? error.message : "error"}`,
        );
      });
  }

  async #list(name: string, running: Running): Promise<void> {
    const { log, accepted, cause } = this.#parts;
    const { connection } = running.process;
    if (connection === null) return;
    const before = running.offered;
    running.offered = connection.tools ? await running.process.tools() : { items: [], left: 0 };
    const { items, left } = running.offered;
    const digest = listDigest(items);
    const states = standingsOf(name, items, accepted.of(name));
    const changed = states.filter(({ standing }) => standing === "changed");
    if (before === null || listDigest(before.items) !== digest)
      await log.append(
        {
          kind: "mcp.listed",
          server: name,
          protocol: connection.protocol,
          tools: items.length,
          accepted: states.filter(({ standing }) => standing === "accepted").length,
          changed: changed.length,
          left,
          digest,
        },
        {
          cause,
          content: {
            info: JSON.stringify(connection.info),
            ...(changed.length === 0 ? {} : { changed: changed.map(({ now }) => now?.name ?? "").join(", ") }),
          },
        },
      );
    if (changed.length > 0)
      this.#parts.line(
        `mcp ${name}`,
        `${changed.length} of its tools are described in another way than was accepted, and no agent has them: wirken mcp tools ${name}`,
      );
    this.#changed();
  }

  /** Whoever offers tools to models is told, where those are others now. */
  #changed(): void {
    const now = JSON.stringify(
      this.names.map((name) => this.usable(name).map(({ offeredAs, digest }) => [offeredAs, digest])),
    );
    if (now === this.#told) return;
    this.#told = now;
    void this.#parts
      .changed()
      .catch((error: unknown) => this.#parts.line("mcp", error instanceof Error ? error.message : "error"));
  }

  async #end(name: string): Promise<void> {
    const running = this.#running.get(name);
    this.#running.delete(name);
    await running?.process.stop();
  }

  // What commands ask.

  state(name: string): McpServerStatus | null {
    const entry = this.#entryOf(name);
    if (entry === null) return null;
    const process = this.#running.get(name)?.process ?? null;
    return {
      name,
      state: entry.enabled ? (process?.state ?? "stopped") : "off",
      since: process?.since ?? Date.now(),
      restarts: Math.max(0, process?.restarts ?? 0),
      why: process?.why ?? null,
      protocol: process?.connection?.protocol ?? null,
      info: process?.connection?.info ?? null,
    };
  }

  start(name: string): void {
    const entry = this.#entryOf(name);
    if (entry === null) throw noServer(name);
    if (!entry.enabled)
      throw new OperatorError("not-ready", `the MCP server ${name} is off`, `wirken mcp enable ${name}`);
    this.#stopped.delete(name);
    if (this.#running.get(name)?.process.state === "given-up") this.#running.delete(name);
    this.#begin(name);
  }

  async stop(name: string): Promise<void> {
    this.#stopped.add(name);
    await this.#end(name);
  }

  async restart(name: string): Promise<void> {
    await this.#end(name);
    this.start(name);
  }

  tools(name: string): readonly McpToolState[] {
    return standingsOf(name, this.#running.get(name)?.offered?.items ?? null, this.#parts.accepted.of(name));
  }

  async test(name: string, signal: AbortSignal): Promise<McpTrial> {
    const entry = this.#entryOf(name);
    if (entry === null) throw noServer(name);
    const began = performance.now();
    // One that is off, or was stopped, runs for the trial alone.
    const alone = !entry.enabled || this.#stopped.has(name) || !this.#serving;
    if (this.#running.get(name)?.process.state === "given-up") await this.#end(name);
    const running = this.#begin(name);
    const { process } = running;
    try {
      if (!(await process.whenUp(TRIAL_MS, signal)) || process.connection === null)
        return {
          state: "failed",
          reason: process.reason ?? "unreachable",
          sentence: process.why ?? "it did not come up in time",
        };
      await running.listing;
      const { connection } = process;
      const resources = connection.resources ? (await process.resources()).items : [];
      const prompts = connection.prompts ? (await process.prompts()).items : [];
      const { protocol, info } = connection;
      const left = running.offered?.left ?? 0;
      const ms = Math.round(performance.now() - began);
      return { state: "works", protocol, info, tools: this.tools(name), left, resources, prompts, ms };
    } catch (error) {
      if (error instanceof McpServerError) return { state: "failed", reason: error.code, sentence: error.message };
      throw error;
    } finally {
      if (alone) await this.#end(name);
    }
  }

  async accept(
    name: string,
    tools: readonly { readonly name: string; readonly digest: string }[],
    who: By,
  ): Promise<void> {
    const states = new Map(
      this.tools(name).flatMap((state) => (state.now === null ? [] : [[state.now.name, state] as const])),
    );
    const taken = tools.map(({ name: tool, digest }) => {
      const found = states.get(tool);
      if (found?.now === undefined || found.now === null || found.digest !== digest)
        throw new OperatorError(
          "refused",
          `the tool ${tool} of ${name} is another by now`,
          `look at it again: wirken mcp tools ${name}`,
        );
      return found.now;
    });
    await this.#parts.accepted.accept(name, taken, who);
    this.#changed();
  }

  async authorize(
    name: string,
    redirect: string,
    scope: string | null,
    signal: AbortSignal,
  ): Promise<McpAuthorization> {
    const entry = this.#entryOf(name);
    if (entry?.url === undefined)
      throw new OperatorError(
        "usage",
        `${name} is no MCP server with a URL`,
        "one that is a command is given its credentials by its entry",
      );
    await this.#end(name);
    const process = this.#process(name, entry, { connected: () => undefined, changed: () => undefined }, true);
    const cancel = async (): Promise<void> => {
      await process.stop();
      if (this.#serving && this.#entryOf(name)?.enabled === true && !this.#stopped.has(name)) this.#begin(name);
    };
    try {
      if (!(await process.whenUp(TRIAL_MS, signal)))
        throw new OperatorError("not-ready", `the process for ${name} did not start: ${process.why ?? "in time"}`);
      const url = await process.authorize(redirect, scope);
      return {
        url,
        finish: async (query) => {
          try {
            await process.finishAuthorization(query);
            return null;
          } catch (error) {
            if (!(error instanceof McpServerError)) throw error;
            return authorizationSentence(error);
          } finally {
            await cancel();
          }
        },
        cancel,
      };
    } catch (error) {
      await cancel();
      if (!(error instanceof McpServerError)) throw error;
      if (error.code === "host-needed") throw new HostNeededError(name, error.message);
      throw new OperatorError("bad-answer", error.message);
    }
  }

  // What agents use.

  /** The tools of a server that agents have. */
  usable(name: string): McpTool[] {
    if (this.#entryOf(name)?.enabled !== true || this.#stopped.has(name)) return [];
    return acceptedTools(name, this.tools(name));
  }

  /** May an agent use a server? */
  has(agent: string, name: string): boolean {
    const entry = this.#entryOf(name);
    return entry?.enabled === true && !this.#stopped.has(name) && (entry.agents?.includes(agent) ?? true);
  }

  /** The process of a server, once it is up. @returns in words why it is not. */
  async up(name: string, signal: AbortSignal): Promise<McpProcess | string> {
    const running = this.#running.get(name);
    if (running === undefined) return `the MCP server ${name} does not run`;
    if (await running.process.whenUp(UP_MS, signal)) return running.process;
    return `the MCP server ${name} is not up${running.process.why === null ? "" : `: ${running.process.why}`}`;
  }
}

function noServer(name: string): OperatorError {
  return new OperatorError("not-found", `there is no MCP server ${name}`, "wirken mcp list shows those there are");
}

function endSentence(reason: ServiceEnd["reason"], status: number | null): string {
  switch (reason) {
    case "exited":
      return `its program ended with status ${status ?? "unknown"}`;
    case "stopped":
      return "it was stopped";
    case "memory":
      return "it took more memory than its limit (limits.memoryMb), and was ended";
    case "processes":
      return "it had more processes than its limit (limits.processes), and was ended";
    case "disk":
      return "it filled the disk, and was ended";
  }
}

function authorizationSentence({ code, message }: McpServerError): string {
  return code === "host-needed" ? `it is authorized by ${message}, which it may not reach yet` : message;
}
