import fc from "fast-check";
import { expect, test } from "vitest";
import { bytesOf, isGlobal } from "../../src/egress/address.ts";

test.for([
  "1.1.1.1",
  "8.8.8.8",
  "93.184.216.34",
  "9.255.255.255",
  "11.0.0.0",
  "100.63.255.255",
  "100.128.0.0",
  "126.255.255.255",
  "128.0.0.0",
  "169.253.255.255",
  "169.255.0.0",
  "172.15.255.255",
  "172.32.0.0",
  "192.0.1.0",
  "192.167.255.255",
  "192.169.0.0",
  "198.17.255.255",
  "198.20.0.0",
  "223.255.255.255",
  "2606:4700:4700::1111",
  "2001:200::1",
  "2a00:1450:4001:82a::200e",
  "2003::1",
  "3ffe:ffff::1",
  // A host with IPv4 alone, seen from a network without it.
  "64:ff9b::1.1.1.1",
])("%s is on the public internet", (address) => {
  expect(isGlobal(address)).toBe(true);
});

test.for([
  "0.0.0.0",
  "0.1.2.3",
  "10.0.0.1",
  "100.64.0.1",
  "100.100.100.200",
  "127.0.0.1",
  "127.255.255.254",
  "168.63.129.16",
  "169.254.169.254",
  "172.16.0.1",
  "172.31.255.255",
  "192.0.0.192",
  "192.0.2.1",
  "192.31.196.1",
  "192.52.193.1",
  "192.88.99.1",
  "192.168.1.1",
  "192.175.48.1",
  "198.18.0.1",
  "198.19.255.255",
  "198.51.100.1",
  "203.0.113.1",
  "224.0.0.1",
  "239.255.255.255",
  "240.0.0.1",
  "255.255.255.255",
  "::",
  "::1",
  "::ffff:127.0.0.1",
  "::ffff:1.1.1.1",
  "::ffff:0:1.1.1.1",
  "::1.1.1.1",
  "64:ff9b::127.0.0.1",
  "64:ff9b::a9fe:a9fe",
  "64:ff9b:1::1.1.1.1",
  "100::1",
  "100:0:0:1::1",
  "2001::1",
  "2001:2::1",
  "2001:20::1",
  "2001:1ff:ffff::1",
  "2001:db8::1",
  "2002:7f00:1::",
  "2002:101:101::1",
  "2620:4f:8000::1",
  "3fff::1",
  "3fff:fff::1",
  "4000::1",
  "5f00::1",
  "fc00::1",
  "fd00:ec2::254",
  "fe80::1",
  "fe80::1%eth0",
  "2606:4700::1%eth0",
  "fec0::1",
  "ff02::1",
  "",
  "localhost",
  "1.1.1",
  "01.1.1.1",
  "0x1.1.1.1",
  "[2606:4700::1]",
])("%s is not", (address) => {
  expect(isGlobal(address)).toBe(false);
});

test("an IPv6 address has the bytes that are written, in every spelling", () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 }),
      fc.nat(7),
      fc.nat(8),
      (groups, from, count) => {
        const zeroed = groups.map((group, index) => (index >= from && index < from + count ? 0 : group));
        const bytes = zeroed.flatMap((group) => [group >> 8, group & 0xff]);
        const hex = zeroed.map((group) => group.toString(16));
        const spellings = [hex.join(":"), hex.map((group) => group.padStart(4, "0").toUpperCase()).join(":")];
        const last = bytes.slice(12).join(".");
        spellings.push([...hex.slice(0, 6), last].join(":"));
        const end = Math.min(8, from + count);
        if (count > 0) spellings.push(`${hex.slice(0, from).join(":")}::${hex.slice(end).join(":")}`);
        for (const spelling of spellings) expect([...(bytesOf(spelling) ?? [])]).toEqual(bytes);
      },
    ),
  );
});
