import { readFileSync } from "node:fs";

/** Reads the certificates that this process trusts beyond Node's own, while it can still open files: those of the operator's environment
 *  (`NODE_EXTRA_CA_CERTS`, which Node reads by itself and late; `SSL_CERT_FILE`, which it reads never), for a company's own authority. Node's own lie in
 *  the executable. It costs 2 to 5 ms where one of them is set, and nothing where none is.
 *  @returns why a file that was named could not be used, or null. Its connections then fail by their certificate, and say so. */
export function trustCertificates(env: NodeJS.ProcessEnv): string | null {
  const { NODE_EXTRA_CA_CERTS: extra = "", SSL_CERT_FILE: file = "" } = env;
  if (extra === "" && file === "") return null;
  const tls = process.getBuiltinModule("node:tls");
  let trouble: string | null = null;
  if (file !== "") {
    try {
      const found = readFileSync(file, "utf8").match(CERTIFICATE) ?? [];
      if (found.length === 0) trouble = "no certificates in it";
      else tls.setDefaultCACertificates([...tls.getCACertificates("default"), ...found]);
    } catch (error) {
      trouble = error instanceof Error && "code" in error ? String(error.code) : "no certificates in it";
    }
  }
  // The store is made once and kept: from here on no file is read.
  tls.createSecureContext();
  return trouble === null ? null : `the certificates that SSL_CERT_FILE names cannot be used: ${trouble}`;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
