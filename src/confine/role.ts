/** What a child of the supervisor can be. */
export type Role =
  | "adapter"
  | "model"
  | "agent"
  | "ingress"
  | "web"
  | "keychain"
  | "anchor"
  | "egress"
  | "relay"
  | "fetch"
  | "unpack"
  | "mcp";

/** Which sockets a process may open. `internet`: TCP and UDP, and it may not listen. `internet and paths`: local sockets that have a path, too.
 *  `listening`: TCP, and it may not connect. `local`: the D-Bus socket. */
export type Sockets = "internet" | "internet and paths" | "listening" | "local" | "none";

/** Which files native code in it may read; none writes any. `names`: what the C library resolves names with. `keychain`: what libsecret loads. */
export type Files = "none" | "names" | "keychain";

/** The scopes of Node's permission model, all of them: `drop` ignores a name that it does not know. */
export const SCOPES = ["fs.read", "fs.write", "net", "child", "worker", "addon", "ffi", "wasi", "inspector"] as const;
export type Scope = (typeof SCOPES)[number];

export interface Needs {
  readonly keeps: readonly Scope[];
  readonly sockets: Sockets;
  readonly files: Files;
}

/** The word behind `egress` where the operator has written down a Unix socket's path: without it, it opens no local socket. */
export const LOCAL_SOCKETS = "local-sockets";

export const NEEDS: Readonly<Record<Role, Needs>> = {
  // What they say leaves over their one lane, which is open before the walls stand.
  adapter: { keeps: [], sockets: "none", files: "none" },
  model: { keeps: [], sockets: "none", files: "none" },
  anchor: { keeps: [], sockets: "none", files: "none" },
  fetch: { keeps: [], sockets: "none", files: "none" },
  // The one way out: whatever leaves this machine leaves here.
  egress: { keeps: ["net"], sockets: "internet", files: "names" },
  agent: { keeps: [], sockets: "none", files: "none" },
  // It parses what a server says: over a descriptor that it has open, or over its lane.
  mcp: { keeps: [], sockets: "none", files: "none" },
  // It parses what strangers packed, and has nothing at all.
  unpack: { keeps: [], sockets: "none", files: "none" },
  // Its requests come over a lane from ingress.
  web: { keeps: [], sockets: "none", files: "none" },
  // Until it listens: then it drops this one too.
  ingress: { keeps: ["net"], sockets: "listening", files: "none" },
  // The same, for the programs in its sandbox.
  relay: { keeps: ["net"], sockets: "listening", files: "none" },
  // libsecret speaks D-Bus by itself: Node's scope has no part in it.
  keychain: { keeps: [], sockets: "local", files: "keychain" },
};

/** Whether a word names a role. */
export function isRole(word: string): word is Role {
  return Object.hasOwn(NEEDS, word);
}
