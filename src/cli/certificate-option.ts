import { readBounded } from "./bounded-file.ts";
import { usage } from "./command-error.ts";

/** A root certificate is two KiB; a file of all that a system trusts is larger than this, and says nothing of whom one trusts for timestamps. */
const MAX_FILE = 64 * 1024;

/** What `--ca FILE` holds. @returns each certificate in DER. @throws {CommandError} usage. */
export async function readCertificates(path: string): Promise<Uint8Array[]> {
  const { certificatesIn } = await import("../../audit/certificate-file.ts");
  const file = readBounded("--ca", path, MAX_FILE, "name the file of a certificate");
  try {
    return certificatesIn(file);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw usage(`--ca ${path}: ${why}`, "it is the root certificate that the authority publishes, in PEM or DER");
  }
}
