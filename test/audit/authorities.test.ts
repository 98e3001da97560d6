import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Authorities, type Checked, fingerprint } from "../../audit/authorities.ts";
import { certificatesIn, pemOf } from "../../audit/certificate-file.ts";
import { readCertificate } from "../../audit/certificate.ts";
import { der, DerError, TAG } from "../../audit/der.ts";
import { readTimestamp } from "../../audit/timestamp.ts";
import { rounds } from "../support/claims-random.ts";
import {
  EXTENSIONS,
  type TestCertificate,
  TestCertificates,
  type TestHash,
  timestampInfo,
} from "../support/test-certificates.ts";

const { root: ROOT, authority: AUTHORITY, stamping: STAMPING } = EXTENSIONS;
const DIGEST = createHash("sha256").update("a checkpoint").digest();
const folder = mkdtempSync(join(tmpdir(), "wirken-authorities-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const openssl = new TestCertificates(folder);
let root: TestCertificate;
let good: TestCertificate;

beforeAll(() => {
  root = openssl.issue("root", { extensions: ROOT });
  good = openssl.issue("good", { extensions: [...AUTHORITY, STAMPING], under: root });
});

/** Within the hour, as a timestamp says it: the certificates are made after this. */
const NOW = `${new Date(Date.now() + 3_600_000).toISOString().replaceAll(/\D/g, "").slice(0, 14)}Z`;

function said(response: Uint8Array, pinned: readonly TestCertificate[] = [root]): string {
  const checked = new Authorities(pinned.map((one) => one.der)).check(response, DIGEST);
  return typeof checked === "string" ? checked : "good";
}

describe("what openssl's authority stamps is good", () => {
  test.for(
    (["ec", "ec-384", "rsa"] as const).flatMap((key) =>
      (["sha256", "sha384", "sha512"] as const).map((hash) => [key, hash] as const),
    ),
  )("with %s and %s", ([key, hash]) => {
    const name = `${key}-${hash}`;
    const ca = openssl.issue(`root-${name}`, { extensions: ROOT, key, hash });
    const authority = openssl.issue(name, { extensions: [...AUTHORITY, STAMPING], under: ca, key, hash });
    const response = openssl.stamp(DIGEST, authority, hash);
    const checked = new Authorities([ca.der]).check(response, DIGEST);
    expect(checked).toMatchObject({ pin: fingerprint(ca.der) });
    expect(said(response)).toBe("is not signed by an authority that a trusted certificate vouches for");
    expect(new Authorities([ca.der]).check(response, randomBytes(32))).toBe("is a timestamp of something else");
  });

  test("through a certificate between them that it brings along, and not without that", () => {
    const between = openssl.issue("between", { extensions: ROOT, under: root, key: "rsa" });
    const authority = openssl.issue("below", { extensions: [...AUTHORITY, STAMPING], under: between });
    expect(said(openssl.stamp(DIGEST, authority, "sha256", [between]))).toBe("good");
    expect(said(openssl.stamp(DIGEST, authority, "sha256"))).toContain("a trusted certificate vouches for");
    expect(said(openssl.stamp(DIGEST, authority, "sha256"), [between])).toBe("good");
  });

  test("where its own certificate is the one that is pinned", () => {
    const alone = openssl.issue("alone", { extensions: [...AUTHORITY, STAMPING] });
    expect(said(openssl.stamp(DIGEST, alone, "sha256"), [root, alone])).toBe("good");
  });
});

function forged(given: Parameters<TestCertificates["forge"]>[2] = {}, time = NOW, signer = good): string {
  return said(openssl.forge(timestampInfo(DIGEST, time), signer, given));
}

function signedWith(
  name: string,
  extensions: readonly string[],
  more: { under?: TestCertificate; hash?: TestHash; key?: "rsa-1024" } = {},
): string {
  return forged({}, NOW, openssl.issue(name, { extensions, under: root, ...more }));
}

/** What the signer of an answer made. */
function signature(bytes: Buffer): Buffer {
  const read = readTimestamp(bytes);
  if ("refused" in read || read.signer === null) throw new Error("it has no signer");
  return read.signer.signature;
}

describe("a timestamp is refused", () => {
  test("but not one that is made in the same way and is as it should be", () => {
    expect(forged()).toBe("good");
    expect(forged({ hash: "sha512" })).toBe("good");
    expect(
      forged(
        { more: ["-cades", "-keyid"] },
        NOW,
        openssl.issue("keyid", { extensions: [...AUTHORITY, STAMPING, "subjectKeyIdentifier = hash"], under: root }),
      ),
    ).toBe("good");
  });

  test.for([
    ["whose signer is not for timestamps", AUTHORITY, "not for timestamps alone"],
    [
      "whose signer is for timestamps only if one likes",
      [...AUTHORITY, "extendedKeyUsage = timeStamping"],
      "not for timestamps alone",
    ],
    [
      "whose signer is for more than timestamps",
      [...AUTHORITY, "extendedKeyUsage = critical,timeStamping,serverAuth"],
      "not for timestamps alone",
    ],
    [
      "whose signer is for something else",
      [...AUTHORITY, "extendedKeyUsage = critical,serverAuth"],
      "not for timestamps alone",
    ],
    ["whose signer may not sign", ["keyUsage = critical,keyAgreement", STAMPING], "may not sign"],
    [
      "whose signer has a critical extension that nobody knows",
      [...AUTHORITY, STAMPING, "1.2.3.4 = critical,ASN1:NULL"],
      "without the certificate of its signer",
    ],
  ] as const)("%s", ([name, extensions, why]) => {
    expect(signedWith(name.replaceAll(" ", "-"), extensions)).toContain(why);
  });

  test("whose signer's key is too short, or whose certificate is signed with SHA-1", () => {
    expect(signedWith("short", [...AUTHORITY, STAMPING], { key: "rsa-1024" })).toContain("is not signed as it says");
    expect(signedWith("weak", [...AUTHORITY, STAMPING], { hash: "sha1" })).toContain("vouches for");
    expect(forged({ hash: "sha1" })).toContain("is not what was signed");
  });

  test("whose issuer is no certificate authority, may not certify, or stands further down than it may", () => {
    for (const [name, extensions] of [
      ["no-ca", ["basicConstraints = critical,CA:false"]],
      ["no-use", ["basicConstraints = critical,CA:true", "keyUsage = critical,digitalSignature"]],
    ] as const) {
      const issuer = openssl.issue(name, { extensions, under: root });
      const signer = openssl.issue(`under-${name}`, { extensions: [...AUTHORITY, STAMPING], under: issuer });
      expect(forged({ chain: [issuer] }, NOW, signer)).toContain("vouches for");
      expect(said(openssl.forge(timestampInfo(DIGEST, NOW), signer), [issuer])).toContain("vouches for");
    }
    const short = openssl.issue("short-path", { extensions: ["basicConstraints = critical,CA:true,pathlen:0"] });
    const below = openssl.issue("below-short", { extensions: ROOT, under: short });
    const direct = openssl.issue("direct", { extensions: [...AUTHORITY, STAMPING], under: short });
    const indirect = openssl.issue("indirect", { extensions: [...AUTHORITY, STAMPING], under: below });
    expect(said(openssl.forge(timestampInfo(DIGEST, NOW), direct), [short])).toBe("good");
    expect(said(openssl.forge(timestampInfo(DIGEST, NOW), indirect, { chain: [below] }), [short])).toContain(
      "vouches for",
    );
  });

  test("of a time at which a certificate was not valid", () => {
    expect(forged({}, "20600101000000Z")).toContain("not valid");
    expect(forged({}, "20200101000000Z")).toContain("not valid");
  });

  test("that was signed as something else, or does not say with which certificate, or carries more", () => {
    expect(forged({ more: [] })).toBe("does not say whose certificate signed it");
    expect(forged({ type: "1.2.840.113549.1.7.1" })).toContain("is not a timestamp");
    expect(said(openssl.forge(timestampInfo(DIGEST, NOW, der(TAG.c1)), good))).toContain("extensions");
    const twice = openssl.issue("second", { extensions: [...AUTHORITY, STAMPING], under: root });
    const more = ["-cades", "-signer", `${twice.name}.pem`, "-inkey", `${twice.name}.key`];
    expect(forged({ more })).toBe("is not signed by one signer");
  });

  test("whose attributes are not signed at all", () => {
    expect(forged({ more: ["-noattr"] })).toBe("is not signed by one signer");
  });

  test("that is signed with another key than its certificate's", () => {
    const other = openssl.issue("other", { extensions: [...AUTHORITY, STAMPING], under: root });
    const response = openssl.forge(timestampInfo(DIGEST, NOW), good);
    const swapped = openssl.forge(timestampInfo(DIGEST, NOW), other);
    const at = response.indexOf(signature(response));
    const long =
      signature(swapped).length === signature(response).length
        ? signature(swapped)
        : randomBytes(signature(response).length);
    const changed = Buffer.concat([response.subarray(0, at), long, response.subarray(at + long.length)]);
    expect(said(response)).toBe("good");
    expect(said(changed)).toContain("is not signed as it says");
  });
});

test("no changed byte of a timestamp lets it say another time, or be of something else", () => {
  const response = openssl.stamp(DIGEST, good, "sha256");
  const authorities = new Authorities([root.der]);
  const before = authorities.check(response, DIGEST);
  const kept: number[] = [];
  for (let at = 0; at < response.length; at++)
    for (const bit of [1, 0x80, 0xff]) {
      const changed = Buffer.from(response);
      changed[at] = (changed[at] ?? 0) ^ bit;
      const after: Checked | string = new Authorities([root.der]).check(changed, DIGEST);
      if (typeof after === "string") continue;
      expect(after, `byte ${at}`).toEqual(before);
      kept.push(at);
    }
  // What nobody signs: the status, a version, the set of hashes in front of it, how the signer is named.
  expect(new Set(kept).size).toBeLessThan(40);
  const read = readTimestamp(response);
  if ("refused" in read || read.signer === null) throw new Error("it has no signer");
  for (const part of [read.info, read.signer.signature, read.certificates[0] ?? Buffer.alloc(0)]) {
    const from = response.indexOf(part);
    expect(kept.filter((at) => at >= from && at < from + part.length)).toEqual([]);
  }
});

function readFile(file: string | Uint8Array): Uint8Array[] {
  return certificatesIn(Buffer.from(file));
}

test("certificates are read from PEM, one or several, and from DER; anything else is refused", () => {
  expect(readFile(root.pem)).toEqual([new Uint8Array(root.der)]);
  expect(readFile(`# the root\n${root.pem}\n${good.pem}`)).toEqual([root, good].map((one) => new Uint8Array(one.der)));
  expect(readFile(root.der)).toEqual([new Uint8Array(root.der)]);
  expect(pemOf(root.der)).toBe(root.pem);
  expect(() => readFile("a-host\n")).toThrow("no certificate in it that can be read");
  expect(() => readFile(root.pem.replace("MII", "MIJ"))).toThrow("no certificate in it that can be read");
  expect(() => readFile("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")).toThrow(
    "no certificate in it",
  );
  expect(() => readFile(root.pem.repeat(17))).toThrow("more than 16");
});

describe("whatever the bytes are", () => {
  const RUNS = { seed: 20_261_123, numRuns: rounds(10_000, 300_000) };

  test("a timestamp is good as it was, or refused, and nothing is thrown", {
    timeout: rounds(60_000, 1_200_000),
  }, () => {
    const response = openssl.stamp(DIGEST, good, "sha256");
    const authorities = new Authorities([root.der]);
    const before = authorities.check(response, DIGEST);
    fc.assert(
      fc.property(changedBytes(response), (bytes) => {
        const checked = authorities.check(bytes, DIGEST);
        return typeof checked === "string" || (typeof before !== "string" && checked.ms === before.ms);
      }),
      RUNS,
    );
  });

  test("a certificate is read, or refused as none", { timeout: rounds(60_000, 1_200_000) }, () => {
    fc.assert(
      fc.property(changedBytes(good.der), (bytes) => {
        try {
          return readCertificate(bytes).der.length === bytes.length;
        } catch (error) {
          return error instanceof DerError;
        }
      }),
      RUNS,
    );
  });
});

/** Bytes with pieces of them overwritten, taken out or doubled; and any others. */
function changedBytes(original: Buffer): fc.Arbitrary<Uint8Array> {
  const change = fc.record({ at: fc.nat(), drop: fc.nat(12), put: fc.uint8Array({ maxLength: 12 }) });
  const changed = fc.array(change, { minLength: 1, maxLength: 3 }).map((changes) =>
    changes.reduce<Uint8Array>((now, { at, drop, put }) => {
      const place = at % (now.length + 1);
      return Buffer.concat([now.subarray(0, place), put, now.subarray(place + drop)]);
    }, original),
  );
  return fc.oneof({ weight: 9, arbitrary: changed }, { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) });
}
