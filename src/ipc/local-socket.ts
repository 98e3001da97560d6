/** A server that listens on a Unix socket of this machine, as an operator writes it down: `unix:/run/ollama.sock`, or `unix:/run/ollama.sock:/v1` where
 *  what is asked for lies below a path. */

/** The name under which a process asks for the socket on its list, on port 80: a lane leads to one at the most. */
export const LOCAL_SOCKET_HOST = "local-socket.internal";

/** The kernel takes no longer path. */
const ADDRESS = /^unix:(?<path>\/[^\0:]{1,106})(?<below>:\/[!-~]{0,200})?$/;

/** @returns the socket's path, and the address that it has for a process; null for what is no such address. */
export function readLocalSocket(address: string): { readonly path: string; readonly url: string } | null {
  const { path, below = ":" } = ADDRESS.exec(address)?.groups ?? {};
  return path === undefined ? null : { path, url: `http://${LOCAL_SOCKET_HOST}${below.slice(1)}` };
}

/** An address as a process is told it: what it asks for by the name that its lane knows, where that is a socket. */
export function addressOnLane(address: string): string {
  return readLocalSocket(address)?.url ?? address;
}
