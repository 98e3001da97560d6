import { CERTIFICATES } from "../confine/certificates.ts";
import type { Role } from "../confine/role.ts";

/** How times and texts are shown. Nothing else of the operator's environment reaches a child. */
const EVERYWHERE = ["LANG", "TZ"];
/** Node cannot open a socket or find random bytes without it. */
const WINDOWS = ["SystemRoot"];

const BY_ROLE: Readonly<Record<Role, readonly string[]>> = {
  adapter: [CERTIFICATES, "SSL_CERT_FILE"],
  model: [CERTIFICATES, "SSL_CERT_FILE"],
  anchor: [CERTIFICATES, "SSL_CERT_FILE"],
  unpack: [],
  fetch: [CERTIFICATES, "SSL_CERT_FILE"],
  mcp: [CERTIFICATES, "SSL_CERT_FILE"],
  // For a proxy that is spoken to over TLS.
  egress: [CERTIFICATES, "SSL_CERT_FILE"],
  // It is started in a sandbox, with nothing.
  relay: [],
  agent: [],
  web: [],
  ingress: [],
  // Where the session's D-Bus is, and where a prompt to unlock may be shown.
  keychain: ["DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "HOME", "DISPLAY", "WAYLAND_DISPLAY", "WIRKEN_HOME"],
};

/** The environment of a child. Node adds `NODE_OPTIONS` with this process's permission flags to it, which does nothing: the executable does
 *  not read it (`execArgvExtension: "none"`), and without an executable the same flags are on the command line, where Node adds nothing.
 *  @param certificates a file with further certificates, for a role that speaks TLS: it goes before the one that `from` names. */
export function environmentFor(
  role: Role,
  from: NodeJS.ProcessEnv,
  certificates: string | null = null,
): Record<string, string> {
  const names = [...EVERYWHERE, ...(process.platform === "win32" ? WINDOWS : []), ...BY_ROLE[role]];
  const env: Record<string, string> = {};
  for (const name of names) {
    const value = from[name];
    if (value !== undefined) env[name] = value;
  }
  const trusted = certificates ?? from["NODE_EXTRA_CA_CERTS"];
  if (trusted !== undefined && names.includes(CERTIFICATES)) env[CERTIFICATES] = trusted;
  return env;
}
