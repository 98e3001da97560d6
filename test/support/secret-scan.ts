import { Buffer } from "node:buffer";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Which of these secrets stand in some bytes: either half of one, as it is, percent-encoded, in JSON, in base64 or in hex. */
export class SecretScan {
  readonly #pieces: readonly (readonly [secret: string, piece: Buffer])[];

  constructor(secrets: readonly string[]) {
    this.#pieces = secrets.flatMap((secret) =>
      formsOf(secret).flatMap((form) =>
        [form.slice(0, form.length / 2), form.slice(form.length / 2)].map(
          (half) => [secret, Buffer.from(half)] as const,
        ),
      ),
    );
  }

  /** @returns the secrets that were found. */
  in(bytes: Uint8Array | string): string[] {
    const all = Buffer.from(bytes);
    return [...new Set(this.#pieces.filter(([, piece]) => all.includes(piece)).map(([secret]) => secret))];
  }

  /** Every file below a folder that holds one, as `path: secret`. */
  below(folder: string): string[] {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .flatMap((entry) => {
        const path = join(entry.parentPath, entry.name);
        return this.in(readFileSync(path)).map((secret) => `${path}: ${secret}`);
      });
  }

  /** Every process whose arguments or first environment hold one, as far as it may be looked at. */
  inProcesses(): string[] {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .flatMap((pid) =>
        ["cmdline", "environ"].flatMap((what) => {
          try {
            return this.in(readFileSync(`/proc/${pid}/${what}`)).map((secret) => `${what} of ${pid}: ${secret}`);
          } catch {
            return []; // gone, or not ours to look at
          }
        }),
      );
  }
}

/** What base64 says depends on where the secret begins: the characters at its edges are left out. */
function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const base64 = ["", "x", "xx"].map((before) =>
    Buffer.from(before + secret)
      .toString("base64")
      .slice(4, -4),
  );
  return [
    secret,
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
    bytes.toString("hex"),
    bytes.toString("hex").toUpperCase(),
    ...base64,
    ...base64.map((form) => form.replaceAll("+", "-").replaceAll("/", "_")),
  ];
}
