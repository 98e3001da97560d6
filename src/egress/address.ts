import { isIPv4, isIPv6 } from "node:net";

/** `address/bits`. What stands here is not reached, whoever answers there.
 *  @see https://www.iana.org/assignments/iana-ipv4-special-registry */
const NOT_GLOBAL_4 = [
  "0.0.0.0/8", // this network
  "10.0.0.0/8", // private
  "100.64.0.0/10", // shared by a provider's customers
  "127.0.0.0/8", // this machine
  "168.63.129.16/32", // not special to IANA: the host below a virtual machine of Azure
  "169.254.0.0/16", // this link; a cloud's metadata
  "172.16.0.0/12", // private
  "192.0.0.0/24", // protocol assignments
  "192.0.2.0/24", // documentation
  "192.31.196.0/24", // AS112
  "192.52.193.0/24", // tunnels of multicast
  "192.88.99.0/24", // relays of 6to4
  "192.168.0.0/16", // private
  "192.175.48.0/24", // AS112
  "198.18.0.0/15", // benchmarks
  "198.51.100.0/24", // documentation
  "203.0.113.0/24", // documentation
  "224.0.0.0/4", // multicast
  "240.0.0.0/4", // reserved, and broadcast
].map(rangeOf);

/** All of global unicast that is in use: whatever is not in here is not global. @see https://www.iana.org/assignments/ipv6-unicast-address-assignments */
const GLOBAL_6 = rangeOf("2000::/3");
/** What of it is special. Addresses that embed an IPv4 address by 6to4 or Teredo lead to wherever that is, through relays that nobody runs any more.
 *  @see https://www.iana.org/assignments/iana-ipv6-special-registry */
const NOT_GLOBAL_6 = [
  "2001::/23", // protocol assignments, Teredo among them
  "2001:db8::/32", // documentation
  "2002::/16", // 6to4
  "2620:4f:8000::/48", // AS112
  "3fff::/20", // documentation
].map(rangeOf);
/** A network without IPv4 answers with such an address for a host that has IPv4 alone (RFC 6052): what it embeds is what is reached. */
const NAT64 = rangeOf("64:ff9b::/96");

interface Range {
  readonly start: Uint8Array;
  readonly bits: number;
}

/** Whether an address is one of the public internet: global unicast, and for no special purpose. What is no address is not. */
export function isGlobal(address: string): boolean {
  const bytes = bytesOf(address);
  if (bytes === null) return false;
  if (bytes.length === 4) return isGlobal4(bytes);
  if (isWithin(bytes, NAT64)) return isGlobal4(bytes.subarray(12));
  return isWithin(bytes, GLOBAL_6) && !NOT_GLOBAL_6.some((range) => isWithin(bytes, range));
}

function isGlobal4(bytes: Uint8Array): boolean {
  return !NOT_GLOBAL_4.some((range) => isWithin(bytes, range));
}

function isWithin(bytes: Uint8Array, { start, bits }: Range): boolean {
  return (
    start.length === bytes.length &&
    start.every((byte, index) => ((byte ^ (bytes[index] ?? 0)) & mask(bits, index)) === 0)
  );
}

/** Which bits of the byte at `index` a prefix of `bits` fixes. */
function mask(bits: number, index: number): number {
  const fixed = Math.min(8, Math.max(0, bits - 8 * index));
  return (0xff << (8 - fixed)) & 0xff;
}

function rangeOf(prefix: string): Range {
  const [address = "", bits] = prefix.split("/");
  const start = bytesOf(address);
  if (start === null) throw new TypeError(`${prefix} is no range`);
  return { start, bits: Number(bits) };
}

/** An address as 4 or 16 bytes, or null for what is none, or has a zone. */
export function bytesOf(address: string): Uint8Array | null {
  if (isIPv4(address)) return Uint8Array.from(address.split("."), Number);
  if (!isIPv6(address) || address.includes("%")) return null;
  const [head = "", tail] = withoutDotted(address).split("::");
  const before = groupsOf(head);
  const after = tail === undefined ? [] : groupsOf(tail);
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length;
  const groups = [...before, ...Array.from({ length: zeros }, () => 0), ...after];
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

function groupsOf(text: string): number[] {
  return text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
}

/** The last 32 bits of an IPv6 address may be written as an IPv4 address. */
function withoutDotted(address: string): string {
  const at = address.lastIndexOf(":") + 1;
  const last = address.slice(at);
  if (!isIPv4(last)) return address;
  const [a = 0, b = 0, c = 0, d = 0] = last.split(".").map(Number);
  return `${address.slice(0, at)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}
