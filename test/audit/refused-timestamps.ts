import { createHash } from "node:crypto";
import { der, TAG } from "../../audit/der.ts";
import {
  EXTENSIONS,
  type TestCertificate,
  type TestCertificates,
  timestampInfo,
} from "../support/test-certificates.ts";

/** An answer of an authority, and the certificates that vouch for authorities, in DER. */
export interface Answered {
  readonly name: string;
  readonly response: Buffer;
  readonly pinned: readonly Buffer[];
}

export const STAMPED: Buffer = createHash("sha256").update("a checkpoint").digest();
const STAMPING = [...EXTENSIONS.authority, EXTENSIONS.stamping];

/** Answers over {@link STAMPED} that are good, and such as differ from them in one point and are not. */
export function answersOf(openssl: TestCertificates): { good: Answered[]; refused: Answered[] } {
  const root = openssl.issue("m-root", { extensions: EXTENSIONS.root });
  const between = openssl.issue("m-between", { extensions: EXTENSIONS.root, under: root });
  const good = openssl.issue("m-good", { extensions: STAMPING, under: root });
  const below = openssl.issue("m-below", { extensions: STAMPING, under: between });
  const now = `${new Date(Date.now() + 3_600_000).toISOString().replaceAll(/\D/g, "").slice(0, 14)}Z`;
  const info = timestampInfo(STAMPED, now);
  const pinned = [root.der];
  const by = (name: string, extensions: readonly string[], more: { key?: "rsa-1024"; hash?: "sha1" } = {}): Buffer =>
    openssl.forge(info, openssl.issue(name, { extensions, under: root, ...more }));
  const under = (name: string, issuer: TestCertificate): Buffer =>
    openssl.forge(info, openssl.issue(name, { extensions: STAMPING, under: issuer }), { chain: [issuer] });
  const response = openssl.forge(info, good);
  const flipped = (at: number): Buffer => {
    const changed = Buffer.from(response);
    changed[at] = (changed[at] ?? 0) ^ 1;
    return changed;
  };
  const noCa = openssl.issue("m-no-ca", { extensions: ["basicConstraints = critical,CA:false"], under: root });
  const noUse = openssl.issue("m-no-use", {
    extensions: ["basicConstraints = critical,CA:true", "keyUsage = critical,digitalSignature"],
    under: root,
  });
  const short = openssl.issue("m-short", { extensions: ["basicConstraints = critical,CA:true,pathlen:0"] });
  const belowShort = openssl.issue("m-below-short", { extensions: EXTENSIONS.root, under: short });
  const namesake = openssl.issue("m-namesake", { extensions: EXTENSIONS.root, subject: "m-root" });
  const named = { extensions: STAMPING, under: root, serial: 77 } as const;
  const one = openssl.issue("m-one", named);
  // The same issuer, number and key, and not the same certificate.
  const more = [...STAMPING, "subjectKeyIdentifier = hash"];
  const other = openssl.issue("m-other", { ...named, extensions: more, again: one });
  const twice = openssl.issue("m-twice", { extensions: STAMPING, under: root });
  const second = ["-cades", "-signer", `${twice.name}.pem`, "-inkey", `${twice.name}.key`];
  return {
    good: [
      { name: "as it should be", response, pinned },
      { name: "through a certificate between", response: openssl.forge(info, below, { chain: [between] }), pinned },
    ],
    refused: [
      { name: "of something else", response: openssl.forge(timestampInfo(Buffer.alloc(32), now), good), pinned },
      {
        name: "before its certificate",
        response: openssl.forge(timestampInfo(STAMPED, "20200101000000Z"), good),
        pinned,
      },
      {
        name: "after its certificate",
        response: openssl.forge(timestampInfo(STAMPED, "20900101000000Z"), good),
        pinned,
      },
      { name: "by one that is for nothing", response: by("m-nothing", EXTENSIONS.authority), pinned },
      {
        name: "by one that need not be for it",
        response: by("m-lax", [...EXTENSIONS.authority, "extendedKeyUsage = timeStamping"]),
        pinned,
      },
      {
        name: "by one that is for more",
        response: by("m-more", [...EXTENSIONS.authority, "extendedKeyUsage = critical,timeStamping,serverAuth"]),
        pinned,
      },
      {
        name: "by one that is for something else",
        response: by("m-else", [...EXTENSIONS.authority, "extendedKeyUsage = critical,serverAuth"]),
        pinned,
      },
      {
        name: "by one that may not sign",
        response: by("m-no-sign", ["keyUsage = critical,keyAgreement", EXTENSIONS.stamping]),
        pinned,
      },
      {
        name: "by one with an extension that nobody knows",
        response: by("m-unknown", [...STAMPING, "1.2.3.4 = critical,ASN1:NULL"]),
        pinned,
      },
      { name: "with a short key", response: by("m-weak-key", STAMPING, { key: "rsa-1024" }), pinned },
      { name: "with a certificate that SHA-1 signed", response: by("m-sha1", STAMPING, { hash: "sha1" }), pinned },
      { name: "with SHA-1", response: openssl.forge(info, good, { hash: "sha1" }), pinned },
      { name: "under one that is no authority", response: under("m-under-no-ca", noCa), pinned },
      { name: "under one that may not certify", response: under("m-under-no-use", noUse), pinned },
      {
        name: "under a pinned one that may not certify",
        response: under("m-under-pinned", noUse),
        pinned: [noUse.der],
      },
      {
        name: "further down than there may be",
        response: openssl.forge(info, openssl.issue("m-deep", { extensions: STAMPING, under: belowShort }), {
          chain: [belowShort],
        }),
        pinned: [short.der],
      },
      { name: "under one of the same name", response, pinned: [namesake.der] },
      { name: "without saying with which certificate", response: openssl.forge(info, good, { more: [] }), pinned },
      {
        name: "with another certificate than it says",
        response: openssl.forge(info, one, { more: ["-cades", "-nocerts"] }),
        pinned: [other.der],
      },
      {
        name: "with extensions of its own",
        response: openssl.forge(timestampInfo(STAMPED, now, der(TAG.c1)), good),
        pinned,
      },
      { name: "by two", response: openssl.forge(info, good, { more: second }), pinned },
      { name: "as another type", response: openssl.forge(info, good, { type: "1.2.840.113549.1.7.1" }), pinned },
      { name: "changed in its time", response: flipped(response.indexOf(now) + 13), pinned },
      { name: "changed in its signature", response: flipped(response.length - 5), pinned },
      {
        name: "changed in its certificate",
        response: flipped(response.indexOf(good.der) + good.der.length - 5),
        pinned,
      },
    ],
  };
}
