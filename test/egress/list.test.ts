import fc from "fast-check";
import { expect, test } from "vitest";
import { allowsAddress, lookUp, permits, type Reach } from "../../src/egress/list.ts";
import { parseAuthority, type Target } from "../../src/egress/target.ts";
import { LaneEntry, LaneList } from "../../src/ipc/egress-frames.ts";

function target(authority: string): Target {
  const parsed = parseAuthority(authority);
  if (parsed === null) throw new Error(`${authority} names no host and port`);
  return parsed;
}

function host(name: string, port = 443): LaneEntry {
  return LaneEntry.parse({ to: "host", host: name, port, tls: true, private: false });
}

const LIST = LaneList.parse([
  host("api.example.com"),
  host("*.chat.example.com"),
  host("*.example.org", 8443),
  { to: "address", address: "10.0.0.5", port: 443, tls: true },
  { to: "address", address: "fd00::5", port: 443, tls: true },
  { to: "socket", name: "ollama", path: "/run/ollama.sock" },
]);

test.for([
  "api.example.com:443",
  "API.Example.COM:443",
  "api.example.com.:443",
  "a.chat.example.com:443",
  "a.b.chat.example.com:443",
  "x.example.org:8443",
  "10.0.0.5:443",
  "[fd00::5]:443",
  "[FD00:0:0:0:0:0:0:5]:443",
  "ollama:80",
])("%s is on the list", (authority) => {
  expect(lookUp(LIST, target(authority)).entries).toHaveLength(1);
});

test.for([
  ["api.example.com:80", "unlisted"],
  ["example.com:443", "unlisted"],
  ["chat.example.com:443", "unlisted"],
  ["achat.example.com:443", "unlisted"],
  ["a.chat.example.com.evil.example:443", "unlisted"],
  ["api.example.com.evil.example:443", "unlisted"],
  ["evil-api.example.com:443", "unlisted"],
  ["x.example.org:443", "unlisted"],
  ["ollama:443", "unlisted"],
  ["xn--pi-8ia.example.com:443", "unlisted"],
  ["10.0.0.6:443", "literal"],
  ["10.0.0.5:80", "literal"],
  // The same address for somebody: decimal, hexadecimal, octal, short, padded, mapped, with a dot at its end, with a zone.
  ["167772165:443", "literal"],
  ["0x0a000005:443", "literal"],
  ["0xa.0x0.0x0.0x5:443", "literal"],
  ["012.0.0.5:443", "literal"],
  ["10.5:443", "literal"],
  ["10.0.5:443", "literal"],
  ["010.000.000.005:443", "literal"],
  ["10.0.0.5.:443", "literal"],
  ["0X0A000005:443", "literal"],
  ["[::ffff:10.0.0.5]:443", "literal"],
  ["[::ffff:a00:5]:443", "literal"],
  ["[::10.0.0.5]:443", "literal"],
  ["[64:ff9b::10.0.0.5]:443", "literal"],
  ["[fd00::5%eth0]:443", "literal"],
  ["[fd00::5%25eth0]:443", "literal"],
  ["[fd00::6]:443", "literal"],
  ["%31%30.0.0.5:443", "literal"],
  ["１０.0.0.5:443", "literal"],
] as const)("%s is not: %s", ([authority, reason]) => {
  expect(lookUp(LIST, target(authority))).toEqual({ entries: null, reason });
});

test.for([
  "",
  ":443",
  "api.example.com",
  "api.example.com:",
  "api.example.com:0",
  "api.example.com:65536",
  "api.example.com:0443",
  "api.example.com:443:443",
  "api.example.com:443/",
  "https://api.example.com:443",
  "user@api.example.com:443",
  "api.example.com :443",
  "api.example.com\0:443",
  "api.example.com\r\n:443",
  "api%2eexample.com:443",
  "api..example.com:443",
  ".example.com:443",
  "api.example.com..:443",
  "äpi.example.com:443",
  "api。example.com:443",
  "fd00::5:443",
  "[10.0.0.5]:443",
  "[fd00::5:443",
  "fd00::5]:443",
  "[]:443",
  `${"a".repeat(64)}.example.com:443`,
  `${"a.".repeat(127)}example:443`,
])("%j names no host and port", (authority) => {
  expect(parseAuthority(authority)).toBeNull();
});

const label = fc.constantFrom("a", "com");
const name = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join("."));
const port = fc.constantFrom(80, 443);
const address = fc.constantFrom("10.0.0.5", "1.1.1.1", "fd00::5", "::ffff:10.0.0.5");
const entry = fc
  .oneof(
    fc.record({ to: fc.constant("host"), host: name, port, tls: fc.boolean(), private: fc.boolean() }),
    fc.record({
      to: fc.constant("host"),
      host: name.map((below) => `*.${below}`),
      port,
      tls: fc.boolean(),
      private: fc.boolean(),
    }),
    fc.record({ to: fc.constant("address"), address, port, tls: fc.boolean() }),
    fc.record({ to: fc.constant("socket"), name, path: fc.constantFrom("/run/a", "/run/b") }),
  )
  .map((value) => LaneEntry.safeParse(value))
  .filter((parsed) => parsed.success)
  .map((parsed) => parsed.data);
const list = fc.array(entry, { maxLength: 10 });
const asked = fc
  .oneof(
    fc.tuple(name, port).map(([host_, port_]) => `${host_}:${port_}`),
    fc.tuple(address, port).map(([to, port_]) => (to.includes(":") ? `[${to}]:${port_}` : `${to}:${port_}`)),
  )
  .map(parseAuthority)
  .filter((parsed) => parsed !== null);
const reached: fc.Arbitrary<Reach> = fc.record({
  address: fc.option(address, { freq: 3 }),
  path: fc.option(fc.constantFrom("/run/a", "/run/b"), { freq: 1 }),
  helloChecked: fc.boolean(),
});

test("no list allows what is on no entry of it", () => {
  let allowed = 0;
  fc.assert(
    fc.property(list, asked, reached, (entries, to, reach) => {
      const found = lookUp(entries, to).entries ?? [];
      for (const each of found) {
        // Stated once more, in other words.
        const asName = to.kind === "host" ? to.host : null;
        const same =
          each.to === "address"
            ? to.kind === "address" &&
              new URL(`http://${bracketed(each.address)}/`).host === new URL(`http://${bracketed(to.address)}/`).host
            : each.to === "socket"
              ? each.name === asName
              : asName !== null &&
                (each.host === asName ||
                  (each.host.startsWith("*.") &&
                    `*.${asName.slice(asName.length - each.host.length + 2)}` === each.host &&
                    asName.at(1 - each.host.length) === "."));
        expect(same).toBe(true);
        expect(each.to === "socket" ? 80 : each.port).toBe(to.port);
      }
      if (permits(entries, to, reach)) {
        allowed++;
        expect(found).not.toEqual([]);
      }
    }),
    { numRuns: 5000 },
  );
  expect(allowed).toBeGreaterThan(100);
});

test("an entry that is added takes nothing away", () => {
  let kept = 0;
  fc.assert(
    fc.property(list, entry, asked, reached, fc.nat(6), (entries, added, to, reach, at) => {
      const more = entries.toSpliced(at, 0, added);
      if (lookUp(entries, to).entries !== null) expect(lookUp(more, to).entries).not.toBeNull();
      if (!permits(entries, to, reach)) return;
      kept++;
      expect(permits(more, to, reach)).toBe(true);
    }),
    { numRuns: 5000 },
  );
  expect(kept).toBeGreaterThan(100);
});

test("an entry allows the addresses of the public internet, and others where the operator wrote it down", () => {
  const open = LaneEntry.parse({ to: "host", host: "a.example", port: 443, tls: true, private: false });
  const inside = LaneEntry.parse({ to: "host", host: "a.example", port: 443, tls: true, private: true });
  expect([allowsAddress(open, "1.1.1.1"), allowsAddress(open, "10.0.0.5")]).toEqual([true, false]);
  expect([allowsAddress(inside, "1.1.1.1"), allowsAddress(inside, "10.0.0.5")]).toEqual([true, true]);
});

function bracketed(text: string): string {
  return text.includes(":") ? `[${text}]` : text;
}
