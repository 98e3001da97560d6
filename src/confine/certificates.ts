import { readFileSync } from "node:fs";

/** Where a child finds the file with the certificates that are trusted besides Node's own. Not under Node's own name for it: Node reads that file in a
 *  thread, which may end in the moment in which the walls are built around every thread. */
export const CERTIFICATES = "WIRKEN_CERTIFICATES";
const NAMES = [CERTIFICATES, "SSL_CERT_FILE"] as const;

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Takes the operator's own authorities among those that are trusted, while a file can still be read. Node's own lie in the executable. It costs
 *  some milliseconds where there are some, and nothing where there are none.
 *  @returns what is wrong with a file that was named. Connections that need it fail by their certificate. */
export function trustCertificates(env: NodeJS.ProcessEnv): readonly string[] {
  const files = NAMES.flatMap((name) => ((env[name] ?? "") === "" ? [] : [env[name] ?? ""]));
  if (files.length === 0) return [];
  const tls = process.getBuiltinModule("node:tls");
  const trusted = [...tls.getCACertificates("default")];
  const wrong: string[] = [];
  for (const file of new Set(files)) {
    try {
      const found = readFileSync(file, "utf8").match(CERTIFICATE) ?? [];
      if (found.length === 0) throw new Error("there are none in it");
      tls.setDefaultCACertificates([...trusted, ...found]);
      trusted.push(...found);
    } catch (error) {
      wrong.push(`the certificates in ${file} are not trusted: ${reasonOf(error)}`);
    }
  }
  // The store is made once, and kept.
  tls.createSecureContext();
  return wrong;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error ? String(error.code) : error.message;
}
