/** Who may import whom. `ours`: rooms (folders) of this project, beside the room itself; `packages`: from npm; `network`: which of Node's
 *  modules that reach a network or a socket. What is not written here is refused. */
interface Room {
  readonly ours: readonly string[];
  readonly packages: readonly string[];
  readonly network: readonly string[];
}

const CHILD = ["src/ipc", "src/confine"];
/** A child that reaches a network does it through its tunnel. */
const NETWORKED = [...CHILD, "src/tunnel"];
const SDK_NETWORK = ["node:http", "node:https", "node:net", "node:dns", "node:tls"];

export const ROOMS: Readonly<Record<string, Room>> = {
  "src/ipc": { ours: [], packages: ["zod"], network: ["node:net", "node:http2"] },
  "src/confine": { ours: [], packages: [], network: [] },
  // What is spoken on the one lane of such a child, and what makes its libraries use it.
  "src/tunnel": {
    ours: ["src/ipc"],
    packages: [],
    network: ["node:net", "node:http", "node:https", "node:http2", "node:tls"],
  },
  "src/executable": { ours: ["src/config"], packages: [], network: [] },
  "src/main.ts": { ours: ["src/executable"], packages: [], network: [] },

  audit: { ours: [], packages: ["better-sqlite3"], network: [] },
  skills: { ours: [], packages: [], network: [] },
  vault: { ours: ["audit"], packages: ["better-sqlite3", "libsodium-wrappers"], network: [] },

  // Files that two adapters share: how a text is cut and marked up.
  adapters: { ours: ["src/ipc", "src/tunnel"], packages: [], network: [] },
  "adapters/telegram": { ours: [...NETWORKED, "adapters"], packages: ["grammy", "zod"], network: SDK_NETWORK },
  "adapters/slack": {
    ours: [...NETWORKED, "adapters"],
    packages: ["@slack/bolt", "@slack/socket-mode", "@slack/web-api", "undici", "zod"],
    network: SDK_NETWORK,
  },
  // Its WebSocket is handed to the SDK by the build.
  "adapters/discord": {
    ours: [...NETWORKED, "adapters"],
    packages: ["@discordjs/rest", "@discordjs/ws", "discord-api-types", "ws", "zod"],
    network: [],
  },
  // They ask with `fetch` alone.
  "adapters/matrix": {
    ours: [...NETWORKED, "adapters"],
    packages: ["@matrix-org/matrix-sdk-crypto-wasm", "fake-indexeddb", "matrix-js-sdk", "zod"],
    network: [],
  },
  "adapters/teams": { ours: [...NETWORKED, "adapters"], packages: ["zod"], network: [] },
  "adapters/whatsapp": { ours: [...NETWORKED, "adapters"], packages: ["zod"], network: [] },
  "adapters/google-chat": { ours: [...NETWORKED, "adapters"], packages: ["zod"], network: [] },
  "adapters/imessage": { ours: [...NETWORKED, "adapters"], packages: ["zod"], network: [] },
  // signal-cli speaks lines over TCP.
  "adapters/signal": { ours: [...NETWORKED, "adapters"], packages: ["zod"], network: ["node:net"] },
  "src/agent": { ours: CHILD, packages: ["zod"], network: [] },
  "src/model": {
    ours: NETWORKED,
    packages: ["@ai-sdk/amazon-bedrock", "@ai-sdk/anthropic", "@ai-sdk/google", "@ai-sdk/openai-compatible", "zod"],
    network: SDK_NETWORK,
  },
  "src/probe": { ours: CHILD, packages: [], network: [] },
  "src/keychain": { ours: CHILD, packages: ["keytar", "zod"], network: [] },
  // A timestamp is read with the same code that verifies it later.
  "src/anchor": { ours: [...NETWORKED, "audit"], packages: ["zod"], network: [] },
  // What is asked on a person's behalf: one request, read by a parser of pages.
  "src/fetch": { ours: NETWORKED, packages: ["htmlparser2", "zod"], network: SDK_NETWORK },
  // Archives, YAML, foreign signatures: whatever of a skill has a format of its own.
  "src/unpack": { ours: [...CHILD, "skills"], packages: ["@sigstore/core", "yaml", "yauzl", "zod"], network: [] },
  // What a server says is read by the protocol's own SDK: from a descriptor, or by `fetch` over its lane.
  "src/mcp": {
    ours: NETWORKED,
    packages: ["@modelcontextprotocol/sdk", "zod"],
    network: ["node:net"],
  },
  // Lanes are HTTP/2; TLS is for a proxy that wants it.
  "src/egress": { ours: CHILD, packages: [], network: ["node:net", "node:dns", "node:tls", "node:http2"] },
  // It becomes a command, with the walls of one.
  "src/launch": { ours: ["src/sandbox", "src/confine"], packages: ["zod"], network: [] },
  "src/relay": { ours: [...CHILD, "src/tunnel"], packages: [], network: ["node:http", "node:net"] },
  "src/ingress": { ours: CHILD, packages: ["zod"], network: ["node:http", "node:net"] },
  "src/web": { ours: CHILD, packages: ["zod"], network: ["node:http", "node:net"] },

  "src/session": { ours: ["src/ipc"], packages: ["zod"], network: [] },
  "src/config": { ours: ["src/ipc"], packages: ["zod", "jsonc-parser"], network: [] },
  // A socket object on a descriptor that is open already: what a command prints comes through one.
  "src/sandbox": { ours: ["src/confine"], packages: [], network: ["node:net"] },
  "src/effect": { ours: ["src/ipc", "src/session", "src/sandbox", "vault", "audit"], packages: ["zod"], network: [] },
  "src/broker": { ours: ["src/ipc", "src/session", "src/effect", "audit"], packages: ["croner", "zod"], network: [] },
  "src/supervisor": {
    ours: [
      "src/ipc",
      "src/session",
      "src/config",
      "src/sandbox",
      "src/effect",
      "src/broker",
      "src/confine",
      "vault",
      "audit",
      "skills",
    ],
    packages: ["better-sqlite3", "pino", "zod"],
    // A local socket for commands; the supervisor opens no network connection.
    network: ["node:net"],
  },
  // A witness of other machines' logs checks their notes and proofs with the same code as the verifier, and keeps what it signed in a database.
  "src/witness": { ours: ["audit", "src/confine"], packages: ["better-sqlite3"], network: ["node:http"] },
  "src/cli": {
    ours: [
      "src/witness",
      "src/executable",
      "src/confine",
      "src/supervisor",
      "src/broker",
      "src/config",
      "src/ipc",
      "vault",
      "audit",
      "skills",
    ],
    packages: ["commander", "zod"],
    // The same socket from the other side.
    network: ["node:net"],
  },
};

/** Node's modules that can open a socket or resolve a name. */
export const NETWORK = ["node:net", "node:http", "node:https", "node:http2", "node:tls", "node:dgram", "node:dns"];

/** The room that a path (from the top of the project, with `/`) lies in, or null. */
export function roomOf(path: string): string | null {
  const rooms = Object.keys(ROOMS).filter((room) => path === room || path.startsWith(`${room}/`));
  return rooms.toSorted((a, b) => b.length - a.length)[0] ?? null;
}
