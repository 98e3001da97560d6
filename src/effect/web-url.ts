import { HostName } from "../ipc/egress-frames.ts";
import { MAX_URL } from "../ipc/fetch-frames.ts";

/** An address that a request may go to. */
export interface WebUrl {
  /** In the one form that URLs have, without a fragment, which no server is sent. */
  readonly url: string;
  /** In lower case; names beyond ASCII as the resolver is asked for them. */
  readonly host: string;
  readonly port: number;
}

const HTTPS = 443;

/** Reads an address: https, by a name, with no user and no password in it.
 *  @returns in words what is wrong with it. */
export function urlOf(text: string): WebUrl | string {
  if (!text.isWellFormed()) return "the URL holds half a character (a lone surrogate)";
  const url = URL.parse(text);
  if (url === null) return "this is no URL: write https://HOST/PATH";
  if (url.protocol !== "https:") return "only https is spoken: write https://HOST/PATH";
  if (url.username !== "" || url.password !== "")
    return "no user and no password stand in a URL: name a credential of the vault instead";
  const host = url.hostname;
  // However an address was written, a URL has it as four numbers, or in brackets.
  if (/^\d+(?:\.\d+){3}$/.test(host) || host.startsWith("["))
    return "an address is not reached: write the name of the host";
  if (!HostName.safeParse(host).success) return "this is not the name of a host";
  url.hash = "";
  if (url.href.length > MAX_URL) return `a URL has at most ${MAX_URL} characters`;
  return { url: url.href, host, port: url.port === "" ? HTTPS : Number(url.port) };
}
