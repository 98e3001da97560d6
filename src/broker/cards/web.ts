import type { ActionOfType } from "../../effect/action.ts";
import { block, line, lines } from "./lines.ts";

export function renderRequest(action: ActionOfType<"http.request">): string {
  const { method, url, written, host, port, headers, body, credential, from, hop } = action;
  return lines(
    `send a request to ${host}${credential === null ? "" : " WITH A CREDENTIAL"}`,
    line("method", method),
    line("URL", url),
    ...(written === null ? [] : [line("as the model wrote it", written)]),
    line("host", host),
    line("port", String(port)),
    ...headers.map(({ name, value }) => line(`header ${name}`, value)),
    body === null ? "  body: none" : block("body", body),
    ...(credential === null
      ? ["  credential: none"]
      : [
          line("credential", `secret/${credential.name}`),
          line("in the header", credential.header),
          line("behind the word", credential.prefix),
        ]),
    ...(from === null ? [] : [line("the answer leads here of", from), line("redirects so far", String(hop))]),
    "  reach: this host alone, over TLS; the answer (at most 1 MiB) is shown to the agent",
  );
}

export function renderWebSearch({ service, host, query, limit }: ActionOfType<"web.search">): string {
  return lines(
    "search the web",
    line("service", service),
    line("host", host),
    line("query", query),
    line("results", `${limit} at the most`),
    "  reach: this host alone, over TLS",
  );
}
