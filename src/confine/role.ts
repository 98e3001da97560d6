/** What a child of the supervisor can be. */
export type Role = "adapter" | "model" | "agent" | "ingress" | "web" | "keychain" | "anchor" | "egress";

/** Which sockets a process may open. `internet`: TCP and UDP. `listening`: TCP, and it may not connect. `local`: the D-Bus socket. */
export type Sockets = "internet" | "listening" | "local" | "none";

/** The scopes of Node's permission model, all of them: `drop` ignores a name that it does not know. */
export const SCOPES = ["fs.read", "fs.write", "net", "child", "worker", "addon", "ffi", "wasi", "inspector"] as const;
export type Scope = (typeof SCOPES)[number];

export interface Needs {
  readonly keeps: readonly Scope[];
  readonly sockets: Sockets;
}

export const NEEDS: Readonly<Record<Role, Needs>> = {
  adapter: { keeps: ["net"], sockets: "internet" },
  model: { keeps: ["net"], sockets: "internet" },
  anchor: { keeps: ["net"], sockets: "internet" },
  // The one way out: whatever leaves this machine leaves here.
  egress: { keeps: ["net"], sockets: "internet" },
  agent: { keeps: [], sockets: "none" },
  // Its requests come over a lane from ingress.
  web: { keeps: [], sockets: "none" },
  // Until it listens: then it drops this one too.
  ingress: { keeps: ["net"], sockets: "listening" },
  // libsecret speaks D-Bus by itself: Node's scope has no part in it.
  keychain: { keeps: [], sockets: "local" },
};
