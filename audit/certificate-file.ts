import { readCertificate } from "./certificate.ts";
import { DerError } from "./der.ts";

/** Certificates as they lie in a file: PEM, one or several, or one in DER. */

const MAX_CERTIFICATES = 16;
const BLOCK = /-----BEGIN CERTIFICATE-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END CERTIFICATE-----/g;

/** @returns each in DER, in their order. @throws {DerError} unless there is one at least, and all can be read. */
export function certificatesIn(file: Uint8Array): Uint8Array[] {
  const text = Buffer.from(file).toString("latin1");
  const found = text.includes("-----BEGIN ")
    ? [...text.matchAll(BLOCK)].map(([, base64 = ""]) => new Uint8Array(Buffer.from(base64, "base64")))
    : [Uint8Array.from(file)];
  if (found.length === 0) throw new DerError("there is no certificate in it");
  if (found.length > MAX_CERTIFICATES) throw new DerError(`there are more than ${MAX_CERTIFICATES} certificates in it`);
  for (const der of found) check(der);
  return found;
}

function check(der: Uint8Array): void {
  try {
    readCertificate(der);
  } catch (cause) {
    if (!(cause instanceof DerError)) throw cause;
    throw new DerError(`there is no certificate in it that can be read (${cause.message})`, { cause });
  }
}

export function pemOf(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}
