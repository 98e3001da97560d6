import type { IncomingMessage, ServerResponse } from "node:http";
import type { serve } from "../../../src/web/server.ts";
import { attack, Targets } from "./attempts.ts";

/** A page's server that has been taken over: a request for `/try?…` makes it try what it cannot do, and is answered with how that went. */
export function takenOver(honest: typeof serve): typeof serve {
  return (site) => {
    const server = honest(site);
    const [answer] = server.listeners("request");
    server.removeAllListeners("request");
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      const [, json] = /^\/try\?(.*)$/.exec(request.url ?? "") ?? [];
      if (json === undefined) {
        if (answer !== undefined) Reflect.apply(answer, server, [request, response]);
        return;
      }
      void attack(Targets.parse(JSON.parse(decodeURIComponent(json))), true).then((report) =>
        response.end(JSON.stringify(report)),
      );
    });
    return server;
  };
}
