import * as z from "zod/mini";
import { urlOf } from "../../effect/web-url.ts";
import { HeaderName, HeaderValue, HttpMethod, MAX_BODY, MAX_HEADERS, MAX_URL } from "../../ipc/fetch-frames.ts";
import { ArgumentsError, defineTool, type Look } from "./tool.ts";

/** Headers that say who asks: a secret stands in the vault, where no model reads it. */
const CREDENTIALS: ReadonlySet<string> = new Set(["authorization", "cookie", "proxy-authorization"]);
/** Headers that the connection is made with: they are not a request's to set. */
const OWN: ReadonlySet<string> = new Set([
  "host",
  "connection",
  "content-length",
  "transfer-encoding",
  "te",
  "trailer",
  "upgrade",
  "keep-alive",
  "expect",
  "accept-encoding",
]);

export const httpRequest = defineTool({
  name: "http_request",
  description:
    "Sends one request over https and shows the answer: text up to 60 KiB, a page as readable text with its links, anything else by type and size. At most 1 MiB is read, within 30 s. " +
    "Reading (GET, HEAD) is free; anything else, a credential, and a host that a redirect leads to may be asked for first. Hosts go by name: no IP addresses.",
  schema: z.strictObject({
    url: z
      .string()
      .check(z.minLength(1), z.maxLength(MAX_URL), z.describe("https://HOST/PATH, without user and password.")),
    method: z._default(HttpMethod, "GET").check(z.describe("What is asked of it.")),
    headers: z._default(z.record(z.string(), z.string()), {}).check(z.describe("Further headers, by name.")),
    body: z
      .optional(z.string().check(z.maxLength(MAX_BODY)))
      .check(z.describe("What is sent, with a content-type among the headers.")),
    credential: z
      .optional(
        z
          .string()
          .check(z.regex(/^(?:secret\/)?[a-z0-9][a-z0-9-]{0,63}$/, "a credential's name is made of a-z, 0-9 and -")),
      )
      .check(
        z.describe(
          "The name of a credential in the vault that the request is to carry, such as github-token. You never see it, and it goes to its own hosts only.",
        ),
      ),
  }),
  prepare: (given, _workspace, look) => {
    const url = urlOf(given.url);
    if (typeof url === "string") throw new ArgumentsError(url);
    const barred = look.barred(url.host, url.port);
    if (barred !== null) throw new ArgumentsError(barred);
    const { body } = given;
    if (body !== undefined && ["GET", "HEAD", "OPTIONS"].includes(given.method))
      throw new ArgumentsError(`a ${given.method} has no body: use another method, or put it into the URL`);
    if (body?.isWellFormed() === false) throw new ArgumentsError("the body holds half a character (a lone surrogate)");
    return {
      type: "http.request",
      method: given.method,
      ...url,
      written: given.url === url.url ? null : given.url,
      headers: headersOf(given.headers),
      body: body ?? null,
      credential:
        given.credential === undefined ? null : carried(given.credential.replace(/^secret\//, ""), url.host, look),
      from: null,
      hop: 0,
    };
  },
});

/** In the order of their names, which are in lower case. @throws {ArgumentsError} for what is not a request's to say. */
function headersOf(given: Readonly<Record<string, string>>): { name: string; value: string }[] {
  const headers = Object.entries(given).map(([name, value]) => ({ name: name.toLowerCase(), value: value.trim() }));
  if (headers.length > MAX_HEADERS) throw new ArgumentsError(`a request has at most ${MAX_HEADERS} headers of its own`);
  for (const { name, value } of headers) {
    if (!HeaderName.safeParse(name).success)
      throw new ArgumentsError(`${JSON.stringify(name)} is not the name of a header`);
    if (!HeaderValue.safeParse(value).success)
      throw new ArgumentsError(`the value of ${name} is empty, too long, or holds what no header may hold`);
    if (CREDENTIALS.has(name))
      throw new ArgumentsError(`${name} is not written: name a credential of the vault instead (credential)`);
    if (OWN.has(name)) throw new ArgumentsError(`${name} is set by the connection itself: leave it out`);
  }
  if (new Set(headers.map(({ name }) => name)).size < headers.length)
    throw new ArgumentsError("a header is named twice: write its values as one");
  return headers.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function carried(name: string, host: string, look: Look) {
  const credential = look.credential(name);
  if (typeof credential === "string") throw new ArgumentsError(credential);
  if (!credential.hosts.includes(host))
    throw new ArgumentsError(
      credential.hosts.length === 0
        ? `the credential ${name} names no host that it may go to: its owner says which with wirken vault rotate secret/${name} --host HOST`
        : `the credential ${name} does not go to ${host}: only to ${credential.hosts.join(", ")}`,
    );
  return { ...credential.place, name };
}
