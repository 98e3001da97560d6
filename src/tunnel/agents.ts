import { Agent as HttpAgent, type ClientRequestArgs } from "node:http";
import { Agent as HttpsAgent, type RequestOptions } from "node:https";
import type { Duplex } from "node:stream";
import type { Dialler } from "./dialler.ts";

type Created = (error: Error | null, stream: Duplex) => void;

/** The agents of node:http and node:https, for libraries that use those and for `ws`: given as their option `agent`, or put in the place of
 *  `http.globalAgent` and `https.globalAgent`. */
export function tunnelAgents(dialler: Dialler): { readonly http: HttpAgent; readonly https: HttpsAgent } {
  return { http: new TunnelHttpAgent(dialler), https: new TunnelHttpsAgent(dialler) };
}

class TunnelHttpAgent extends HttpAgent {
  readonly #dialler: Dialler;

  constructor(dialler: Dialler) {
    super({ keepAlive: true });
    this.#dialler = dialler;
  }

  override createConnection({ host, port }: ClientRequestArgs, created?: Created): undefined {
    this.#dialler.dial({ host: host ?? "localhost", port: Number(port ?? 80), tls: null }, told(created));
  }
}

class TunnelHttpsAgent extends HttpsAgent {
  readonly #dialler: Dialler;

  constructor(dialler: Dialler) {
    super({ keepAlive: true });
    this.#dialler = dialler;
  }

  override createConnection(options: RequestOptions, created?: Created): undefined {
    const { host, port, servername, ca, cert, key, rejectUnauthorized, checkServerIdentity } = options;
    const given = { ca, cert, key, rejectUnauthorized, checkServerIdentity };
    const tls = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
    this.#dialler.dial({ host: host ?? "localhost", port: Number(port ?? 443), tls, servername }, told(created));
  }
}

/** Node calls it with no stream where there is an error, whatever the type says. */
function told(created: Created | undefined): (error: Error | null, socket: Duplex | null) => void {
  return (error, socket) => {
    if (socket !== null) created?.(null, socket);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    else created?.(error, null as unknown as Duplex);
  };
}
