import type { Needs } from "./role.ts";

/** Loads what Node would read a file for later, when it may read none: the time zone, the resolver's servers. */
export function readAhead({ sockets }: Pick<Needs, "sockets">): void {
  new Date().getTimezoneOffset();
  if (sockets === "local") return;
  // `node:net` asks for it when it is loaded, and an unreadable resolv.conf is an error to it where an absent one is not.
  process.getBuiltinModule("node:dns").getServers();
}
