import { type ClientOptions, WebSocket as Plain } from "ws";
import { tunnelAgents } from "../../src/tunnel/agents.ts";
import { ownTunnel } from "../../src/tunnel/own-tunnel.ts";

/** What @discordjs/ws gets where it asks for `ws`: the same, by this process's lane. The SDK opens its line by an option that it lets nobody set, and this
 *  process can open no socket; so the build hands it this class under that name. */

/** A server of thousands of channels tells of all of them in one message. */
const MAX_MESSAGE_BYTES = 16 * 1_048_576;
/** A line that is dead answers no goodbye: it is not waited for longer. */
const GOODBYE_MS = 3_000;

let agents: ReturnType<typeof tunnelAgents> | null = null;

export class WebSocket extends Plain {
  constructor(address: string | URL, protocols: string | string[], options: ClientOptions = {}) {
    const own = { closeTimeout: GOODBYE_MS, maxPayload: MAX_MESSAGE_BYTES, perMessageDeflate: false };
    super(address, protocols, { ...options, ...way(String(address)), ...own });
    // The SDK stops listening when it leaves a line: what still fails there then is nobody's, and would end the process.
    this.on("error", () => undefined);
  }
}

function way(address: string): ClientOptions {
  const own = ownTunnel();
  if (own === null) return {};
  agents ??= tunnelAgents(own.dialler);
  return { agent: address.startsWith("wss:") ? agents.https : agents.http };
}
