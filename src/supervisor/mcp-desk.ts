import type { AnswerTo, OperatorCall } from "../ipc/operator.ts";
import type { McpAuthorizing } from "./mcp-authorizing.ts";
import { checkedEntry, type McpEntries, plainEntry } from "./mcp-entries.ts";
import type { McpReady } from "./mcp-ready.ts";
import type { McpServersControl, McpToolState } from "./mcp-servers.ts";
import type { McpUpdating } from "./mcp-updating.ts";
import { differenceOf, shownWords, toolText, toolView, trialView, wantsOf, whatOf } from "./mcp-words.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";

type McpCall = Extract<OperatorCall, { call: `mcp.${string}` }>;
type Call<C extends McpCall["call"]> = Extract<McpCall, { call: C }>;
type View = AnswerTo<"mcp.list">["servers"][number];

export interface McpDeskParts {
  readonly servers: McpServersControl;
  readonly entries: McpEntries;
  readonly ready: McpReady;
  readonly updating: McpUpdating;
  readonly authorizing: Pick<McpAuthorizing, "begin" | "wait" | "back">;
  /** Why a folder is none that a server may see; null: it may. */
  readonly refused: (path: string) => Promise<string | null>;
  /** Takes every grant for a server's tools back. @returns how many there were. */
  readonly revoke: (server: string, who: By) => Promise<number>;
  readonly hasCredential: (scope: string) => boolean;
  readonly dropCredential: (scope: string, who: By) => Promise<unknown>;
  /** Removes what a server kept in its own folder. */
  readonly dropFolder: (server: string) => Promise<void>;
}

/** What the owner asks about MCP servers. */
export class McpDesk {
  readonly #parts: McpDeskParts;

  constructor(parts: McpDeskParts) {
    this.#parts = parts;
  }

  /** @throws {OperatorError}. */
  async answer(call: McpCall, payload: Uint8Array, who: By, signal: AbortSignal): Promise<AnswerTo<McpCall["call"]>> {
    const { servers, entries, ready, updating, authorizing } = this.#parts;
    switch (call.call) {
      case "mcp.list":
        return { servers: servers.names.map((name) => this.#view(name)) };
      case "mcp.show":
        return this.#show(call.name);
      case "mcp.install":
        return await ready.install(call.words, who, signal);
      case "mcp.add":
        return await this.#add(call, who);
      case "mcp.remove":
        return await this.#remove(call.name, call.credentials, who);
      case "mcp.enable":
      case "mcp.disable":
        return await this.#switch(call.name, call.call === "mcp.enable", who);
      case "mcp.test":
        entries.get(call.name);
        return trialView(await servers.test(call.name, signal));
      case "mcp.tools":
        return this.#tools(call.name, call.tool);
      case "mcp.accept":
        return await this.#accept(call, who);
      case "mcp.update":
        return await updating.look(call.name, who, signal);
      case "mcp.update.take":
        await updating.take(call.name, call.digest, who, signal);
        return this.#view(call.name);
      case "mcp.update.leave":
        await updating.leave(call.name);
        return {};
      case "mcp.authorize":
        return await this.#authorize(call, who, signal);
      case "mcp.authorize.wait":
        return await authorizing.wait(call.id, signal);
      case "mcp.authorize.back":
        await authorizing.back(call.id, payload);
        return {};
    }
  }

  /** What a status says of servers, a sentence each. */
  notes(): string[] {
    return this.#parts.servers.names.flatMap((name) => {
      const { note } = this.#view(name);
      return note === null ? [] : [`mcp ${name}: ${note}`];
    });
  }

  #view(name: string): View {
    const entry = this.#parts.entries.get(name);
    const status = this.#parts.servers.state(name);
    const tools = this.#parts.servers.tools(name);
    const count = (standing: McpToolState["standing"]): number =>
      tools.filter((tool) => tool.standing === standing).length;
    const [fresh, changed] = [count("new"), count("changed")];
    return {
      name,
      what: whatOf(entry),
      state: status?.state ?? "off",
      version: entry.installed?.version ?? null,
      accepted: count("accepted"),
      fresh,
      changed,
      note: noteOf(name, status?.why ?? null, fresh, changed),
    };
  }

  #show(name: string): AnswerTo<"mcp.show"> {
    const entry = this.#parts.entries.get(name);
    const status = this.#parts.servers.state(name);
    const { installed } = entry;
    return {
      ...this.#view(name),
      wants: wantsOf(entry),
      package:
        installed === undefined
          ? null
          : {
              name: installed.package,
              version: installed.version,
              digest: installed.digest,
              from: shownWords(installed.from),
            },
      agents: entry.agents ?? null,
      protocol: status?.protocol ?? null,
      since: status === null ? null : new Date(status.since).toISOString(),
      restarts: status?.restarts ?? 0,
      credentials: this.#aloneWith(name),
    };
  }

  /** Credentials of the vault that this server uses and no other one. */
  #aloneWith(name: string): string[] {
    const { entries, hasCredential } = this.#parts;
    const scopesOf = (one: string): string[] =>
      (entries.all[one]?.credentials ?? []).map(({ name: credential }) => `secret/${credential}`);
    const others = new Set(Object.keys(entries.all).flatMap((other) => (other === name ? [] : scopesOf(other))));
    return [...new Set([...scopesOf(name), `mcp/${name}`])].filter(
      (scope) => !others.has(scope) && hasCredential(scope),
    );
  }

  async #add(call: Call<"mcp.add">, who: By): Promise<AnswerTo<"mcp.add">> {
    const { name, installed } = call;
    const { entries, ready, refused, hasCredential } = this.#parts;
    if (entries.has(name))
      throw new OperatorError(
        "usage",
        `there is an MCP server ${name} already`,
        `take another name, or first: wirken mcp remove ${name}`,
      );
    const entry = checkedEntry(name, {
      ...call.entry,
      ...(installed === null ? {} : { installed: ready.entryOf(installed) }),
    });
    for (const path of [...entry.read, ...entry.write]) {
      const why = await refused(path);
      if (why !== null) throw new OperatorError("refused", `${path} is not shown to a server: ${why}`);
    }
    for (const { name: credential } of entry.credentials)
      if (!hasCredential(`secret/${credential}`))
        throw new OperatorError(
          "not-found",
          `there is no credential ${credential}`,
          `enrol it: wirken vault add secret/${credential}`,
        );
    await entries.write(name, entry, "added", who);
    await ready.settle(installed);
    return { name, wants: wantsOf(entry) };
  }

  async #remove(name: string, credentials: boolean, who: By): Promise<AnswerTo<"mcp.remove">> {
    const { servers, entries, updating, revoke, dropCredential, dropFolder } = this.#parts;
    entries.get(name);
    const alone = credentials ? this.#aloneWith(name) : [];
    // Whatever is called like it one day begins with nothing accepted.
    await servers.accept(name, [], who);
    const grants = await revoke(name, who);
    await entries.remove(name, who);
    for (const scope of alone) await dropCredential(scope, who);
    await updating.leave(name);
    await dropFolder(name);
    return { name, grants, credentials: alone };
  }

  async #switch(name: string, enabled: boolean, who: By): Promise<View> {
    const { entries, servers } = this.#parts;
    const entry = entries.get(name);
    if (entry.enabled !== enabled)
      await entries.write(name, { ...entry, enabled }, enabled ? "enabled" : "disabled", who);
    else if (enabled) servers.start(name);
    return this.#view(name);
  }

  #tools(name: string, tool: string | null): AnswerTo<"mcp.tools"> {
    this.#parts.entries.get(name);
    const tools = this.#parts.servers.tools(name);
    if (tool === null) return { tools: tools.map((each) => toolView(each)), text: null, difference: null };
    const one = tools.find(({ now, accepted }) => (now ?? accepted)?.name === tool);
    if (one === undefined)
      throw new OperatorError(
        "not-found",
        `${name} has no tool ${tool}`,
        `wirken mcp tools ${name} shows those it has`,
      );
    const shown = one.now ?? one.accepted;
    const isOther = one.accepted !== null && one.standing !== "accepted";
    return {
      tools: [toolView(one)],
      text: shown === null ? null : toolText(shown),
      difference: isOther ? differenceOf(one.accepted, one.now) : null,
    };
  }

  async #accept({ name, tools: shown, only }: Call<"mcp.accept">, who: By): Promise<{ accepted: number }> {
    const { servers, entries } = this.#parts;
    entries.get(name);
    const named = new Set(shown.map(({ name: tool }) => tool));
    const kept = servers.tools(name).flatMap(({ standing, accepted, acceptedDigest: digest }) => {
      if (only || standing !== "accepted" || accepted === null || digest === null) return [];
      return named.has(accepted.name) ? [] : [{ name: accepted.name, digest }];
    });
    const tools = [...kept, ...shown];
    await servers.accept(name, tools, who);
    return { accepted: tools.length };
  }

  async #authorize(call: Call<"mcp.authorize">, who: By, signal: AbortSignal): Promise<AnswerTo<"mcp.authorize">> {
    const { entries, authorizing } = this.#parts;
    const { name, host, scope } = call;
    const entry = entries.get(name);
    if (entry.url === undefined)
      throw new OperatorError(
        "usage",
        `${name} is started here: there is nobody to authorize it with`,
        "authorize is for servers with --url",
      );
    if (host !== null && !entry.hosts.includes(host)) {
      const more = checkedEntry(name, { ...plainEntry(entry), hosts: [...entry.hosts, host] });
      await entries.write(name, more, "updated", who);
    }
    return await authorizing.begin(name, scope, who, signal);
  }
}

function noteOf(name: string, why: string | null, fresh: number, changed: number): string | null {
  if (why !== null) return why;
  if (changed > 0)
    return `${changed === 1 ? "a tool" : `${changed} tools`} became another thing than was accepted, and nobody has ${changed === 1 ? "it" : "them"}: wirken mcp tools ${name}`;
  if (fresh > 0)
    return `${fresh === 1 ? "a tool waits" : `${fresh} tools wait`} to be accepted: wirken mcp accept ${name}`;
  return null;
}
