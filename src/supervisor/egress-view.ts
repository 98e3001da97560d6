import type { Config } from "../config/schema.ts";
import { AdapterChannel } from "../ipc/channel.ts";
import type { AnswerTo } from "../ipc/operator.ts";
import type { RunningCommand } from "../effect/running-commands.ts";
import { KNOWN_PROVIDERS, splitModelRef } from "../ipc/provider.ts";
import type { AnchorSpec } from "./anchor-history.ts";
import type { Holder } from "./egress-lane.ts";
import { OperatorError } from "./operator-error.ts";
import { anchorReach, commandReach, type Reach, shownEntry, shownPlace } from "./reach-list.ts";

type Answer = AnswerTo<"egress.show">;

export interface EgressViewParts {
  readonly config: () => Config;
  /** Scopes of the credentials that are there. */
  readonly scopes: () => readonly string[];
  /** The provider that an agent uses, where that is decided. */
  readonly provider: (agent: string) => string | null;
  readonly anchors: () => readonly Pick<AnchorSpec, "name" | "type" | "place">[];
  readonly channelReach: (channel: AdapterChannel) => Reach;
  readonly providerReach: (provider: string) => Reach;
  /** What an MCP server may reach, and whether it runs. */
  readonly mcp: (server: string) => { readonly reach: Reach; readonly running: boolean };
  /** Who has a lane. */
  readonly holders: () => readonly Pick<Holder, "role" | "subject">[];
  /** Commands that run. */
  readonly commands: () => readonly Pick<RunningCommand, "call" | "hosts" | "seq">[];
  /** Where searches go; null: nowhere. */
  readonly search: () => { readonly host: string; readonly port: number; readonly own: boolean } | null;
  readonly proxy: () => Answer["proxy"];
}

/** The processes of single requests, which have no name of their own. */
const FETCH = "fetch";
/** Commands are named by their call. */
const COMMAND = "command:";
const MCP = "mcp:";

/** What each process may reach, whether or not it runs, and where each entry comes from. */
export class EgressView {
  readonly #parts: EgressViewParts;

  constructor(parts: EgressViewParts) {
    this.#parts = parts;
  }

  /** @param process null: each that may reach something. @throws {OperatorError} for one that there is not. */
  show(process: string | null): Answer {
    const names = process === null ? this.#names() : [process];
    const running = new Set([
      ...this.#parts.holders().map(({ role, subject }) => (subject === null ? role : `${role}:${subject}`)),
      ...this.#reaching().map(({ call }) => `${COMMAND}${call}`),
      ...this.#servers().flatMap((name) => (this.#parts.mcp(name).running ? [`${MCP}${name}`] : [])),
    ]);
    const processes = names.map((name) => ({
      process: name,
      running: running.has(name),
      entries:
        name === FETCH
          ? this.#requests()
          : this.#reach(name).map(({ entry, from }) => ({
              to: shownEntry(entry),
              tls: entry.to !== "socket" && entry.tls,
              private: entry.to !== "host" || entry.private,
              from,
            })),
    }));
    return { proxy: this.#parts.proxy(), processes };
  }

  #names(): string[] {
    const { channels, providers, agents } = this.#parts.config();
    const enrolled = (kind: string): string[] =>
      this.#parts.scopes().flatMap((scope) => (scope.startsWith(`${kind}/`) ? [scope.slice(kind.length + 1)] : []));
    const used = ["default", ...Object.keys(agents)].flatMap((agent) => this.#parts.provider(agent) ?? []);
    const chosen = Object.values(agents).flatMap(({ model }) =>
      model === undefined ? [] : [splitModelRef(model).provider],
    );
    const models = new Set([...enrolled("provider"), ...Object.keys(providers), ...used, ...chosen]);
    return [
      ...[...new Set([...Object.keys(channels), ...enrolled("channel")])].toSorted().map((name) => `adapter:${name}`),
      ...[...models]
        .toSorted()
        .filter((name) => this.#parts.providerReach(name).length > 0)
        .map((name) => `model:${name}`),
      ...this.#remoteAnchors().map(({ name }) => `anchor:${name}`),
      ...this.#servers().map((name) => `${MCP}${name}`),
      FETCH,
      ...this.#reaching().map(({ call }) => `${COMMAND}${call}`),
    ];
  }

  /** MCP servers that may reach something. */
  #servers(): string[] {
    const names = Object.keys(this.#parts.config().mcp).toSorted();
    return names.filter((name) => this.#parts.mcp(name).reach.length > 0);
  }

  /** Commands that run with a lane of their own. */
  #reaching(): ReturnType<EgressViewParts["commands"]> {
    return this.#parts.commands().filter(({ hosts }) => hosts.length > 0);
  }

  /** What any of them may reach: each reaches the one host that was decided for its own request. */
  #requests(): Answer["processes"][number]["entries"] {
    const search = this.#parts.search();
    const inside = this.#parts.config().network.local;
    return [
      { to: "the host of its one request", tls: true, private: false, from: "http_request, once it is decided" },
      ...inside.map((host) => ({ to: host, tls: true, private: true, from: "network.local in config.json" })),
      ...(search === null
        ? []
        : [{ to: shownPlace(search.host, search.port), tls: true, private: search.own, from: "web_search" }]),
    ];
  }

  #remoteAnchors(): Pick<AnchorSpec, "name" | "place">[] {
    return this.#parts.anchors().filter(({ type }) => type === "witness" || type === "timestamp");
  }

  #reach(process: string): Reach {
    const at = process.indexOf(":");
    const [role, subject] = [process.slice(0, at), process.slice(at + 1)];
    if (role === "adapter") {
      const channel = AdapterChannel.safeParse(subject);
      if (channel.success) return this.#parts.channelReach(channel.data);
    }
    if (
      role === "model" &&
      (Object.hasOwn(KNOWN_PROVIDERS, subject) || Object.hasOwn(this.#parts.config().providers, subject))
    )
      return this.#parts.providerReach(subject);
    if (`${role}:` === MCP && Object.hasOwn(this.#parts.config().mcp, subject)) return this.#parts.mcp(subject).reach;
    const command = `${role}:` === COMMAND ? this.#reaching().find(({ call }) => call === subject) : undefined;
    if (command !== undefined) return commandReach(command.hosts, this.#parts.config().network.local, command.seq);
    const anchor = role === "anchor" ? this.#remoteAnchors().find(({ name }) => name === subject) : undefined;
    if (anchor !== undefined) return anchorReach(anchor.name, anchor.place ?? "");
    throw new OperatorError(
      "not-found",
      `there is no process ${process} that reaches anything`,
      "see: wirken egress show",
    );
  }
}
