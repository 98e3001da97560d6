import { createHash, randomBytes } from "node:crypto";

/** A browser sends its cookies to every port of 127.0.0.1, and so to whatever else listens on this machine. So a session's secret is cut in two:
 *  the cookie (which scripts cannot read) and a key in the storage of the page's own origin, port included. Either alone is 32 random bytes. */

const HALF = /^[A-Za-z0-9_-]{43}$/;

/** @param secret 32 bytes as base64url. @returns null if it is not that. */
export function cut(secret: string): { cookie: string; key: string } | null {
  const whole = decode(secret);
  if (whole === null) return null;
  const key = randomBytes(32);
  return { cookie: encode(xor(whole, key)), key: encode(key) };
}

/** @returns SHA-256, hex, of the secret that the halves make: it names a session to the supervisor. null if one is not a half. */
export function digestOfHalves(cookie: string, key: string): string | null {
  const a = decode(cookie);
  const b = decode(key);
  if (a === null || b === null) return null;
  return createHash("sha256")
    .update(encode(xor(a, b)))
    .digest("hex");
}

function decode(text: string): Buffer | null {
  if (!HALF.test(text)) return null;
  const bytes = Buffer.from(text, "base64url");
  return bytes.length === 32 && encode(bytes) === text ? bytes : null;
}

function encode(bytes: Buffer): string {
  return bytes.toString("base64url");
}

function xor(a: Buffer, b: Buffer): Buffer {
  return Buffer.from(a.map((byte, i) => byte ^ (b[i] ?? 0)));
}
