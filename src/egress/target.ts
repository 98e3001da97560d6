import { isIPv4, isIPv6 } from "node:net";
import { HostName } from "../ipc/egress-frames.ts";
import { bytesOf } from "./address.ts";

/** What a CONNECT asks for. `host`: a name, in lower case and without a dot at its end. `address`: an address in its usual spelling, IPv6 without
 *  brackets. `odd`: what some resolver somewhere takes for an address although it is not spelled like one: it is on no list. */
export type Target =
  | { readonly kind: "host"; readonly host: string; readonly port: number }
  | { readonly kind: "address"; readonly address: string; readonly port: number }
  | { readonly kind: "odd"; readonly host: string; readonly port: number };

/** `[2001:db8::1]:443`, `127.0.0.1:80` or `name.example:443`; the port is always there. */
const AUTHORITY = /^(?:\[([^[\]]{1,255})\]|([^[\]:]{1,255})):([1-9][0-9]{0,4})$/;
/** What the C library's `inet_aton` and a browser read as a number: decimal, octal or hexadecimal. */
const NUMBER = /^(?:[0-9]+|0x[0-9a-f]*)$/;

/** Reads an `:authority`. @returns null where it names no host and port. */
export function parseAuthority(authority: string): Target | null {
  const [, bracketed, plain, digits] = AUTHORITY.exec(authority) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535) return null;
  if (bracketed !== undefined) {
    if (!isIPv6(bracketed)) return null;
    // A zone is a matter of one machine: no list has one.
    return bracketed.includes("%")
      ? { kind: "odd", host: bracketed, port }
      : { kind: "address", address: bracketed.toLowerCase(), port };
  }
  if (plain === undefined) return null;
  if (isIPv4(plain)) return { kind: "address", address: plain, port };
  const host = withoutDot(plain.toLowerCase());
  const last = host.slice(host.lastIndexOf(".") + 1);
  if (NUMBER.test(last)) return { kind: "odd", host, port };
  return HostName.safeParse(host).success ? { kind: "host", host, port } : null;
}

/** Whether two spellings are one address. An IPv4 address is not the IPv6 address that embeds it. */
export function isSameAddress(one: string, other: string): boolean {
  const [a, b] = [bytesOf(one), bytesOf(other)];
  return a !== null && b !== null && a.length === b.length && a.every((byte, index) => byte === b[index]);
}

function withoutDot(name: string): string {
  return name.endsWith(".") ? name.slice(0, -1) : name;
}
