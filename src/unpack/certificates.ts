import { X509Certificate } from "node:crypto";
import { X509Certificate as Parsed } from "@sigstore/core";
import { SkillError } from "../../skills/skill-error.ts";

/** Certificates of a chain, without the root. */
export const MAX_CHAIN = 8;
/** Bytes of one. */
export const MAX_CERTIFICATE = 16 * 1024;

/** Extensions that may be critical, because they are looked at here or bind nobody but others (RFC 5280, 4.2). */
const UNDERSTOOD = new Set([
  "2.5.29.14", // subject key identifier
  "2.5.29.15", // key usage
  "2.5.29.17", // subject alternative name
  "2.5.29.19", // basic constraints
  "2.5.29.35", // authority key identifier
  "2.5.29.37", // extended key usage
]);
const CODE_SIGNING = "1.3.6.1.5.5.7.3.3";

/** A certificate, by two readers: OpenSSL checks it, and what that does not show is read beside it. */
export interface Certificate {
  readonly x509: X509Certificate;
  /** SHA-256 of it. */
  readonly fingerprint: string;
  /** When it is good, in milliseconds since 1970. */
  readonly from: number;
  readonly until: number;
  /** May it sign files? */
  readonly signs: boolean;
  /** May it sign certificates? */
  readonly authority: boolean;
  /** Certificates that may be between it and whoever signs files; null: any number. */
  readonly depth: bigint | null;
}

/** @throws {SkillError}. */
export function readCertificate(der: Uint8Array): Certificate {
  if (der.length > MAX_CERTIFICATE) throw refusedCertificate("it is too long");
  try {
    const x509 = new X509Certificate(der);
    // What is judged is the certificate and nothing behind it.
    if (!x509.raw.equals(der)) throw refusedCertificate("there is more than one in its place");
    const parsed = Parsed.parse(Buffer.from(der));
    const unknown = parsed.extensions.find((one) => isCritical(parsed, one) && !UNDERSTOOD.has(oidOf(one)));
    if (unknown !== undefined)
      throw refusedCertificate(`it has a critical extension that is not known here (${oidOf(unknown)})`);
    const [from, until] = [x509.validFromDate.getTime(), x509.validToDate.getTime() + 1000];
    if (!Number.isSafeInteger(from) || !Number.isSafeInteger(until)) throw refusedCertificate("its times are none");
    return {
      x509,
      fingerprint: x509.fingerprint256.replaceAll(":", "").toLowerCase(),
      from,
      until,
      signs: maySign(x509, parsed),
      authority: x509.ca && parsed.isCA,
      depth: parsed.extBasicConstraints?.pathLenConstraint ?? null,
    };
  } catch (cause) {
    if (cause instanceof SkillError) throw cause;
    throw refusedCertificate("it cannot be read", { cause });
  }
}

type Extension = Parsed["extensions"][number];

function oidOf(extension: Extension): string {
  return extension.subs[0]?.toOID() ?? "";
}

function isCritical(parsed: Parsed, extension: Extension): boolean {
  return parsed.extension(oidOf(extension))?.critical === true;
}

/** The one certificate of a PEM file, which is to be a root. @throws {SkillError}. */
export function readRoot(pem: string): Certificate {
  const found = [...pem.matchAll(/-----BEGIN CERTIFICATE-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END CERTIFICATE-----/g)];
  const [one] = found;
  if (one?.[1] === undefined || found.length !== 1)
    throw refusedCertificate(
      `the file holds ${found.length === 0 ? "none in PEM form" : `${found.length}, and one is to be trusted`}`,
    );
  const root = readCertificate(Buffer.from(one[1], "base64"));
  if (!root.authority) throw refusedCertificate("it is not one that signs others");
  return root;
}

/** Whom a certificate names: its subject on one line, its common name, its addresses. */
export function identitiesOf({ x509 }: Certificate): string[] {
  const lines = x509.subject.split("\n");
  const common = lines.find((line) => line.startsWith("CN="))?.slice(3);
  const others = (x509.subjectAltName ?? "")
    .split(", ")
    .flatMap((one) => /^(?:email|URI|DNS):([\x21-\x7e]+)$/.exec(one)?.[1] ?? []);
  return [...(common === undefined ? [] : [common]), lines.join(", "), ...others]
    .filter((one) => one !== "")
    .slice(0, 16);
}

export interface Chain {
  readonly leaf: Certificate;
  readonly roots: readonly string[];
  readonly from: number;
  readonly until: number;
}

/** Follows a chain from whoever signed to those roots that vouch for it. Each certificate is signed by the next; the last, or any before it, by a root.
 *  @param chain the first is whoever signed. @returns no root at all where it leads to none. @throws {SkillError}. */
export function followChain(chain: readonly Certificate[], roots: readonly Certificate[]): Chain {
  const [leaf] = chain;
  if (leaf === undefined || chain.length > MAX_CHAIN)
    throw refusedCertificate(`a chain has one to ${MAX_CHAIN} certificates`);
  if (!leaf.signs) throw refusedCertificate("it is not one that signs files");
  const found = new Set<string>();
  let [from, until] = [leaf.from, leaf.until];
  for (const [at, one] of chain.entries()) {
    for (const root of roots)
      if (isIssued(one, root, at)) {
        found.add(root.fingerprint);
        [from, until] = [Math.max(from, root.from), Math.min(until, root.until)];
      }
    const next = chain[at + 1];
    if (next === undefined || found.size > 0) break;
    if (!isIssued(one, next, at)) throw refusedCertificate("its chain does not hold together");
    [from, until] = [Math.max(from, next.from), Math.min(until, next.until)];
  }
  return { leaf, roots: [...found], from, until };
}

function maySign(x509: X509Certificate, parsed: Parsed): boolean {
  const usage = parsed.extKeyUsage;
  const extended: readonly string[] | undefined = x509.keyUsage; // by Node's name: it is the extended one
  if (usage === undefined && extended === undefined) return false;
  return (usage === undefined || usage.digitalSignature) && (extended === undefined || extended.includes(CODE_SIGNING));
}

/** Did the one sign the other? @param below how many certificates the other has between itself and whoever signed the files. */
function isIssued({ x509 }: Certificate, by: Certificate, below: number): boolean {
  if (!by.authority || (by.depth !== null && by.depth < BigInt(below))) return false;
  return x509.checkIssued(by.x509) && x509.verify(by.x509.publicKey);
}

export function refusedCertificate(why: string, options?: ErrorOptions): SkillError {
  return new SkillError(
    "malformed",
    `the certificate is refused: ${why}`,
    "get it again from whoever it belongs to",
    options,
  );
}
