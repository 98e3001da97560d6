import { array, assert, constantFrom, date, option, property, record, string, uint8Array } from "fast-check";
import { expect, test } from "vitest";
import { VaultError } from "../../vault/error.ts";
import { decodeMetadata, encodeMetadata, type Metadata } from "../../vault/metadata.ts";

const PLAIN: Metadata = {
  created: "2026-11-23T22:31:00.000Z",
  checked: null,
  account: "Ünïcode Workspace",
  hosts: ["slack.com", "wss-primary.slack.com"],
  expires: null,
  rotationDue: "2027-02-23T00:00:00.000Z",
};

test("metadata has one form of bytes: sorted keys, no spaces", () => {
  expect(Buffer.from(encodeMetadata(PLAIN)).toString()).toBe(
    '{"account":"Ünïcode Workspace","checked":null,"created":"2026-11-23T22:31:00.000Z","expires":null,"hosts":["slack.com","wss-primary.slack.com"],"rotationDue":"2027-02-23T00:00:00.000Z"}',
  );
});

test("a header of its own stands among the rest, and one that is none is refused", () => {
  const header = "x-api-key";
  expect(decodeMetadata(encodeMetadata({ ...PLAIN, header }))).toEqual({ ...PLAIN, header });
  expect(() => encodeMetadata({ ...PLAIN, header: "X-Api-Key" })).toThrow(VaultError);
  expect(() => encodeMetadata({ ...PLAIN, header: "a: b" })).toThrow(VaultError);
});

test("whatever is encoded is decoded to the same", () => {
  const time = date({ min: new Date(0), max: new Date("9999-01-01"), noInvalidDate: true }).map((at) =>
    at.toISOString(),
  );
  const host = constantFrom("slack.com", "api.telegram.org", "a-b.example", "localhost");
  const metadata = record({
    created: time,
    checked: option(time),
    account: option(string({ unit: "grapheme", maxLength: 80 })),
    hosts: array(host, { maxLength: 32 }),
    expires: option(time),
    rotationDue: option(time),
  });
  assert(
    property(metadata, (given) => {
      expect(decodeMetadata(encodeMetadata(given))).toEqual(given);
    }),
    { seed: 20261123 },
  );
});

test("bytes of any kind are refused as damaged, or are exactly what would be written", () => {
  assert(
    property(uint8Array({ maxLength: 200 }), (bytes) => {
      expect(() => decodeMetadata(bytes)).toThrow(VaultError);
    }),
    { seed: 20261123 },
  );
});

const CANONICAL = Buffer.from(encodeMetadata(PLAIN)).toString();
test.for([
  ["a space", CANONICAL.replace(",", ", ")],
  ["a key twice", CANONICAL.replace('"checked":null', '"checked":null,"checked":null')],
  ["another order of keys", CANONICAL.replace(/("account":"[^"]*"),("checked":null)/, "$2,$1")],
  ["an unknown key", CANONICAL.replace("}", ',"zone":null}')],
  ["a missing key", CANONICAL.replace('"expires":null,', "")],
  ["an escape for a letter", CANONICAL.replace("W", "\\u0057")],
  ["a byte order mark", `\ufeff${CANONICAL}`],
  ["something behind it", `${CANONICAL}\n`],
  ["a time that is none", CANONICAL.replace("2026-11-23T22", "2026-11-23 22")],
  ["a host with a slash", CANONICAL.replace("slack.com", "slack.com/x")],
  ["nothing", ""],
] as const)("metadata with %s is damaged", ([, text]) => {
  expect(() => decodeMetadata(Buffer.from(text))).toThrow(expect.objectContaining({ code: "VAULT_DAMAGED" }));
});

test.for<[string, Partial<Metadata>]>([
  ["an account name over 256 characters", { account: "a".repeat(257) }],
  ["an account name with half a character", { account: "\ud800" }],
  ["33 hosts", { hosts: Array.from({ length: 33 }, () => "slack.com") }],
  ["a host in capitals", { hosts: ["Slack.com"] }],
  ["an empty host", { hosts: [""] }],
  ["a check at no time", { checked: "yesterday" }],
])("%s is refused before anything is sealed", ([, change]) => {
  expect(() => encodeMetadata({ ...PLAIN, ...change })).toThrow(expect.objectContaining({ code: "VAULT_REFUSED" }));
});
