import { readFileSync, statSync } from "node:fs";
import { isIPv4, isIPv6 } from "node:net";
import type { Config } from "../config/schema.ts";
import { HostName, type UpstreamProxy } from "../ipc/egress-frames.ts";
import { shownPlace } from "./reach-list.ts";

/** The vault's scope for what opens the proxy: no skill can name it, and only the egress process is given it. */
export const PROXY_SCOPE = "network/proxy";
/** Its one name there, and in the frame that carries it. */
export const PROXY_CREDENTIAL = "proxy-credential";

/** A file of certificates is a few hundred kilobytes. */
const MAX_CERTIFICATES = 4_194_304;

/** The proxy in force, and who said so. */
export interface ChosenProxy {
  readonly proxy: UpstreamProxy;
  /** `host:port`. */
  readonly place: string;
  readonly from: string;
}

/** How this machine's network is reached, by the configuration first and the environment second. */
export interface Network {
  readonly proxy: ChosenProxy | null;
  /** A file with certificates that are trusted besides, for each process that speaks TLS. */
  readonly certificates: string | null;
  /** What is wrong with it, or not as one might think; a sentence each. */
  readonly notes: readonly string[];
}

/** @param environment of `wirken start`. */
export function networkOf({ network }: Pick<Config, "network">, environment: NodeJS.ProcessEnv): Network {
  const notes: string[] = [];
  const certificates = network.ca ?? environment["NODE_EXTRA_CA_CERTS"] ?? null;
  if (certificates !== null && certificates !== "") {
    const wrong = troubleWith(certificates);
    const where = network.ca === undefined ? "NODE_EXTRA_CA_CERTS" : "network.ca in config.json";
    if (wrong !== null) notes.push(`${where}: ${wrong}; until then connections that need it fail`);
  }
  return {
    proxy: network.proxy === undefined ? proxyOfEnvironment(environment, notes) : ownProxy(network.proxy),
    certificates: certificates === "" ? null : certificates,
    notes,
  };
}

function ownProxy(address: string): ChosenProxy | null {
  const proxy = proxyOf(address);
  return proxy === null ? null : { proxy, place: placeOf(proxy), from: "network.proxy in config.json" };
}

function proxyOfEnvironment(environment: NodeJS.ProcessEnv, notes: string[]): ChosenProxy | null {
  const name = ["HTTPS_PROXY", "https_proxy"].find((one) => (environment[one] ?? "") !== "");
  if (name === undefined) return null;
  // As others read it: without a scheme it is HTTP.
  const text = environment[name] ?? "";
  const address = /^[a-z0-9+.-]+:\/\//i.test(text) ? text : `http://${text}`;
  const proxy = proxyOf(address);
  if (proxy === null) {
    notes.push(`${name} in the environment names no proxy that can be used: say it in config.json as network.proxy`);
    return null;
  }
  const url = URL.parse(address);
  if (url !== null && (url.username !== "" || url.password !== ""))
    notes.push(`the credential in ${name} is not used, for everybody reads it there: run wirken vault add proxy`);
  return { proxy, place: placeOf(proxy), from: `${name} in the environment of wirken start` };
}

function placeOf({ host, port, tls }: UpstreamProxy): string {
  return `${tls ? "https://" : ""}${shownPlace(host, port)}`;
}

/** @returns null for what names no host, or another protocol than HTTP. */
function proxyOf(address: string): UpstreamProxy | null {
  const url = URL.parse(address);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) return null;
  const tls = url.protocol === "https:";
  const host = url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
  if (!isIPv4(host) && !isIPv6(host) && !HostName.safeParse(host).success) return null;
  const port = url.port === "" ? (tls ? 443 : 80) : Number(url.port);
  return port === 0 ? null : { host, port, tls };
}

/** @returns why a file gives no certificates, or null. */
function troubleWith(path: string): string | null {
  try {
    const { size } = statSync(path);
    if (size > MAX_CERTIFICATES) return `${path} has ${size} bytes, and a file of certificates has fewer`;
    const text = readFileSync(path, "latin1");
    return text.includes("-----BEGIN CERTIFICATE-----")
      ? null
      : `there is no certificate in ${path}: it holds them as PEM, between BEGIN CERTIFICATE and END CERTIFICATE`;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    return `${path} cannot be read (${code})`;
  }
}
