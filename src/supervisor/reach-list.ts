import { isIPv4, isIPv6 } from "node:net";
import { type AdapterChannel, type Platform, platformOf } from "../ipc/channel.ts";
import { HostName, LaneEntry } from "../ipc/egress-frames.ts";
import { bedrockControlUrl } from "../ipc/provider.ts";
import { LOCAL_SOCKET_HOST, readLocalSocket } from "../ipc/local-socket.ts";
import type { ProviderSettings } from "./model-choice.ts";

/** Where an entry comes from. `channel` and `provider`: it is shipped with them. `config`: the operator wrote it into config.json. `credential`: the
 *  operator gave it with a channel's credentials. `anchor`: it is where an anchor is asked. `action`: an action that was decided
 *  names it. */
export type ReachSource = "channel" | "provider" | "config" | "credential" | "anchor" | "action";

/** One thing that a process may reach, and why. */
export interface ReachEntry {
  readonly entry: LaneEntry;
  readonly source: ReachSource;
  /** In words, such as `channels.telegram.apiRoot in config.json`. */
  readonly from: string;
}

/** All that one process may reach: its lane's list. */
export type Reach = readonly ReachEntry[];

/** What each platform is reached by, over TLS on port 443. It is as much as our adapters use: those that only check credentials ask one place. */
const PLATFORM_HOSTS: Readonly<Record<Platform, readonly string[]>> = {
  telegram: ["api.telegram.org"],
  // The host of a Socket Mode connection is named by the answer to each apps.connections.open.
  slack: ["slack.com", "*.slack.com"],
  // A session goes on at the host that the line named when it began; files lie with a host of their own.
  discord: ["discord.com", "*.discord.gg", "cdn.discordapp.com"],
  matrix: [],
  teams: ["login.microsoftonline.com"],
  whatsapp: ["graph.facebook.com"],
  signal: [],
  "google-chat": ["oauth2.googleapis.com", "chat.googleapis.com", "pubsub.googleapis.com"],
  imessage: [],
};

/** Platforms that everybody runs for themselves: the name of the credential that says where. */
const OWN_SERVER: Readonly<Partial<Record<Platform, string>>> = {
  matrix: "homeserver",
  signal: "daemon",
  imessage: "server",
};

/** What an adapter may reach.
 *  @param apiRoot takes the place of everything that is shipped.
 *  @param said the plain text of one of the channel's credentials; null if there is none. */
export function channelReach(
  channel: AdapterChannel,
  apiRoot: string | null,
  said: (name: string) => string | null,
): Reach {
  const platform = platformOf(channel);
  if (apiRoot !== null) return ownEntry(apiRoot, "config", `channels.${channel}.apiRoot in config.json`);
  const name = OWN_SERVER[platform];
  if (name !== undefined) {
    const place = said(name)?.trim() ?? "";
    const url = platform === "signal" && readLocalSocket(place) === null ? `tcp://${place}` : place;
    return ownEntry(url, "credential", `${name} among the credentials of channel ${channel}`);
  }
  return PLATFORM_HOSTS[platform].map((host) => ({
    entry: { to: "host", host, port: HTTPS, tls: true, private: false },
    source: "channel",
    from: `shipped with channel ${platform}`,
  }));
}

/** What a model process may reach: its provider's endpoint, and nothing where the provider is built in. */
export function providerReach({ provider, api, baseUrl, written }: ProviderSettings): Reach {
  if (baseUrl === null) return [];
  const named = `providers.${provider}.baseUrl in config.json`;
  if (written !== null && readLocalSocket(written) !== null) return ownEntry(written, "config", named);
  const urls = api === "bedrock" ? [...new Set([baseUrl, bedrockControlUrl(baseUrl)])] : [baseUrl];
  if (written !== null) return urls.flatMap((url) => ownEntry(url, "config", named));
  const from = `shipped with provider ${provider}`;
  return urls
    .flatMap((url) => ownEntry(url, "provider", from))
    .map((one) => ({
      ...one,
      entry: one.entry.to === "host" ? { ...one.entry, private: false } : one.entry,
    }));
}

/** What an MCP server may reach: where it is, if it has a URL, and the hosts that its operator wrote beside it.
 *  @param local hosts that the operator allows to lie in a network of their own. */
export function mcpReach(
  name: string,
  { url, hosts }: { readonly url?: string | undefined; readonly hosts: readonly string[] },
  local: readonly string[],
): Reach {
  const ports = url === undefined ? [HTTPS, HTTP] : [HTTPS];
  return [
    ...(url === undefined ? [] : ownEntry(url, "config", `mcp.${name}.url in config.json`)),
    ...hosts.flatMap((host) =>
      ports.map((port) => ({
        entry: { to: "host" as const, host, port, tls: port === HTTPS, private: local.includes(host) },
        source: "config" as const,
        from: `mcp.${name}.hosts in config.json`,
      })),
    ),
  ];
}

/** What the process of an anchor may reach. */
export function anchorReach(name: string, url: string): Reach {
  return ownEntry(url, "anchor", `the address of anchor ${name}`);
}

/** What one command may reach.
 *  @param local hosts that the operator allows to lie in a network of their own.
 *  @param row of the command. */
export function commandReach(hosts: readonly string[], local: readonly string[], row: number): Reach {
  return hosts.flatMap((host) =>
    [HTTPS, HTTP].map((port) => ({
      entry: { to: "host" as const, host, port, tls: port === HTTPS, private: local.includes(host) },
      source: "action" as const,
      from: `decided for a command (row ${row})`,
    })),
  );
}

/** What installing a package may reach: the registry that the operator wrote down, which may lie on a private network, or the public one, and the hosts
 *  of its files. */
export function registryReach(name: string, url: string, files: readonly string[], own: boolean): Reach {
  const [source, from] = own
    ? (["config", `registries.${name} in config.json`] as const)
    : (["action", `the public registry of ${name}`] as const);
  const hosts = files.map((host) => `https://${host}`);
  return [url, ...hosts]
    .flatMap((address) => ownEntry(address, source, from))
    .map((one) => ({ ...one, entry: one.entry.to === "host" ? { ...one.entry, private: own } : one.entry }));
}

/** What the process of one request may reach: its host, and nothing else.
 *  @param inside the operator wrote this host down: it may lie on a private network. */
export function requestReach(host: string, port: number, inside: boolean): Reach {
  const from = "the request that was decided";
  return [{ entry: { to: "host", host, port, tls: true, private: inside }, source: "action", from }];
}

const HTTPS = 443;
const HTTP = 80;

/** The one entry for an address that the operator wrote down, which may lead anywhere; none for what names no host and port. */
function ownEntry(address: string, source: ReachSource, from: string): Reach {
  const socket = readLocalSocket(address);
  if (socket !== null) return [{ entry: { to: "socket", name: LOCAL_SOCKET_HOST, path: socket.path }, source, from }];
  const url = URL.parse(address);
  if (url === null) return [];
  const tls = url.protocol === "https:" || url.protocol === "wss:";
  const port = url.port === "" ? (tls ? HTTPS : HTTP) : Number(url.port);
  const host = url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
  const isAddress = isIPv4(host) || isIPv6(host);
  const entry = LaneEntry.safeParse(
    isAddress ? { to: "address", address: host, port, tls } : { to: "host", host, port, tls, private: true },
  );
  return entry.success ? [{ entry: entry.data, source, from }] : [];
}

/** An entry as it is shown: `host:port`, `[address]:port` or a socket's path. */
export function shownEntry(entry: LaneEntry): string {
  switch (entry.to) {
    case "host":
      return `${entry.host}:${entry.port}`;
    case "address":
      return shownPlace(entry.address, entry.port);
    case "socket":
      return `${entry.path} (as ${entry.name}:${HTTP})`;
  }
}

export function shownPlace(host: string, port: number | null): string {
  const name = host.includes(":") ? `[${host}]` : host;
  return port === null ? name : `${name}:${port}`;
}

/** The entry that a host on a port is reached by; null if none is: egress reached it by a list that has changed since. */
export function entryFor(reach: Reach, host: string, port: number): ReachEntry | null {
  const name = host.toLowerCase().replace(/\.$/, "");
  return (
    reach.find(({ entry }) => {
      switch (entry.to) {
        case "host":
          return entry.port === port && covers(entry.host, name);
        case "address":
          return entry.port === port && sameAddress(entry.address, name);
        case "socket":
          return port === HTTP && entry.name === name;
      }
    }) ?? null
  );
}

function covers(pattern: string, name: string): boolean {
  return pattern.startsWith("*.")
    ? name.endsWith(pattern.slice(1)) && HostName.safeParse(name).success
    : pattern === name;
}

/** However the two are written: `::1` and `0:0:0:0:0:0:0:1` are one. */
function sameAddress(one: string, other: string): boolean {
  const bare = other.replace(/^\[|\]$/g, "");
  if (one === bare) return true;
  return (
    isIPv6(one) && isIPv6(bare) && URL.parse(`http://[${one}]`)?.hostname === URL.parse(`http://[${bare}]`)?.hostname
  );
}
