import { isPlain } from "../src/ipc/platform-credentials.ts";
import { withoutSecret } from "../src/ipc/redaction.ts";

/** Words of a platform, which may quote the credential that it was shown. @param credentials by their names in the vault. */
export function withoutSecrets(words: string, credentials: Iterable<readonly [name: string, secret: string]>): string {
  let clean = words;
  for (const [name, secret] of credentials)
    if (!isPlain(name)) clean = withoutSecret(clean, secretIn(secret), "[token]");
  return clean;
}

/** A key file says whose it is, too: its secret is the key. */
function secretIn(value: string): string {
  if (!value.startsWith("{")) return value;
  try {
    const file: unknown = JSON.parse(value);
    const key = typeof file === "object" && file !== null && "private_key" in file ? file.private_key : value;
    return typeof key === "string" ? key : value;
  } catch {
    return value;
  }
}
