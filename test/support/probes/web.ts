import type { IncomingMessage, ServerResponse } from "node:http";
import { createHash } from "node:crypto";
import * as z from "zod/mini";
import { OperatorCall } from "../../../src/ipc/operator.ts";
import type { Calls } from "../../../src/web/calls.ts";
import type { serve } from "../../../src/web/server.ts";
import { attack, Targets } from "./attempts.ts";

/** A page's server that has been taken over: a request for `/try?…` makes it try what it cannot do, and is answered with how that went. */
export function takenOver(honest: typeof serve): typeof serve {
  return (site) => {
    const server = honest(site);
    const [answer] = server.listeners("request");
    server.removeAllListeners("request");
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      const [, asked] = /^\/owner\?(.*)$/.exec(request.url ?? "") ?? [];
      if (asked !== undefined) {
        void asOwner(site.calls, decodeURIComponent(asked)).then((outcome) => response.end(JSON.stringify(outcome)));
        return;
      }
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

const Asked = z.object({ token: z.string(), call: OperatorCall, text: z.optional(z.string()) });

/** Logs in by a link and asks for whatever it was told to, past everything that the honest server looks at. */
async function asOwner(calls: Calls, json: string): Promise<object> {
  const { token, call, text } = Asked.parse(JSON.parse(json));
  const login = await calls.login(token);
  if (login.state !== "done") return login;
  const session = createHash("sha256").update(login.secret).digest("hex");
  const outcome = await calls.call(session, call, text === undefined ? undefined : Buffer.from(text)).outcome;
  return outcome.state === "answer" ? { state: "answer" } : outcome;
}
