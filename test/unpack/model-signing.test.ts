import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { FOREIGN_SIGNATURE, type ForeignVerdict } from "../../skills/foreign.ts";
import { SkillError } from "../../skills/skill-error.ts";
import { identitiesOf, readCertificate, readRoot } from "../../src/unpack/certificates.ts";
import { readModelSignature } from "../../src/unpack/model-signing.ts";
import { greetFiles } from "../skills/world.ts";
import { type Bundle, bundleOf, rootOf, type Statement, statementOf } from "../support/model-signer.ts";
import { EXTENSIONS, type TestCertificate, TestCertificates } from "../support/test-certificates.ts";

const folder = mkdtempSync(join(tmpdir(), "wirken-model-signing-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const certificates = new TestCertificates(folder);
const SIGNS = ["basicConstraints = critical,CA:false", "keyUsage = critical,digitalSignature"];
const root = certificates.issue("root", { extensions: EXTENSIONS.root });
const between = certificates.issue("between", { extensions: EXTENSIONS.root, under: root });
const leaf = certificates.issue("leaf", {
  extensions: [...SIGNS, "subjectAltName = email:signer@acme.example"],
  under: between,
  subject: "Acme Skills",
});
const statement = statementOf(greetFiles());
const good = bundleOf(statement, certificates, [leaf, between]);

function read(bundle: unknown, roots: readonly TestCertificate[] = [root]): ForeignVerdict {
  return readModelSignature(
    Buffer.from(typeof bundle === "string" ? bundle : JSON.stringify(bundle)),
    roots.map(({ der }) => readCertificate(der)),
  );
}

/** @returns the sentence of a refusal. */
function refusal(bundle: unknown): string {
  const said = verdictOrRefusal(bundle);
  return typeof said === "string" ? said : "none";
}

function verdictOrRefusal(bundle: unknown): ForeignVerdict | string {
  try {
    return read(bundle);
  } catch (error) {
    if (!(error instanceof SkillError)) throw error;
    expect(error.message).not.toMatch(/[\n\u007f-\uffff]/);
    return `${error.code}: ${error.message}`;
  }
}

const fingerprint = (of: TestCertificate): string => readCertificate(of.der).fingerprint;

describe("a signature of a certificate", () => {
  test("is good: whom it names, which root it leads to, how long, and every file of it", () => {
    const verdict = read(good);
    expect(verdict.roots).toEqual([fingerprint(root)]);
    expect(verdict.identities).toEqual(["Acme Skills", "CN=Acme Skills", "signer@acme.example"]);
    expect(verdict.until - verdict.from).toBeGreaterThan(29 * 86_400_000);
    expect(verdict.resources.map(({ path }) => path)).toEqual(["SKILL.md", "references/words.md", "scripts/greet.sh"]);
  });

  test("by P-384, with the root beside it, or right under it, is good too", () => {
    const other = certificates.issue("other", { extensions: SIGNS, under: root, key: "ec-384" });
    expect(read(bundleOf(statement, certificates, [other, root], "sha384")).roots).toEqual([fingerprint(root)]);
    expect(read(bundleOf(statement, certificates, [other], "sha384")).roots).toEqual([fingerprint(root)]);
    expect(refusal(bundleOf(statement, certificates, [other], "sha256"))).toContain("forged");
  });

  test("leads to no root where none is given, or another one of the same name", () => {
    const same = certificates.issue("same", { extensions: EXTENSIONS.root, subject: "root" });
    expect(read(good, []).roots).toEqual([]);
    expect(read(good, [same]).roots).toEqual([]);
    expect(read(good, [same, root]).roots).toEqual([fingerprint(root)]);
  });

  test("with any one byte changed says the same, leads to no root, or is refused", () => {
    const text = Buffer.from(JSON.stringify(good));
    const before = JSON.stringify(read(good));
    let refused = 0;
    for (let at = 0; at < text.length; at++) {
      const changed = Buffer.from(text);
      changed[at] = (changed[at] ?? 0) ^ 1;
      const said = verdictOrRefusal(changed.toString("latin1"));
      if (typeof said === "string" || said.roots.length === 0) refused += 1;
      else expect(JSON.stringify(said), `byte ${at}`).toBe(before);
    }
    // What is left is the names of fields that mean nothing here, and what they hold.
    expect(text.length - refused).toBeLessThan(60);
  });

  test.for<[string, (bundle: Bundle) => unknown]>([
    ["of a kind that is not known", (it) => ({ ...it, mediaType: "application/vnd.dev.sigstore.bundle.v0.4+json" })],
    ["bare key", (it) => ({ ...it, verificationMaterial: { publicKey: { hint: "00" }, tlogEntries: [] } })],
    ["public log", (it) => ({ ...it, verificationMaterial: { certificate: { rawBytes: "" }, tlogEntries: [] } })],
    ["no chain", (it) => ({ ...it, verificationMaterial: { tlogEntries: [] } })],
    ["payloadType", (it) => ({ ...it, dsseEnvelope: { ...it.dsseEnvelope, payloadType: "text/plain" } })],
    ["signatures", (it) => ({ ...it, dsseEnvelope: { ...it.dsseEnvelope, signatures: [] } })],
    [
      "signatures",
      (it) => ({
        ...it,
        dsseEnvelope: { ...it.dsseEnvelope, signatures: [...it.dsseEnvelope.signatures, { sig: "AA==" }] },
      }),
    ],
    ["not base64", (it) => ({ ...it, dsseEnvelope: { ...it.dsseEnvelope, payload: `${it.dsseEnvelope.payload}\n` } })],
    ["forged", (it) => ({ ...it, dsseEnvelope: { ...it.dsseEnvelope, signatures: [{ sig: "AA==" }] } })],
    [
      "forged",
      (it) => ({ ...it, dsseEnvelope: { ...it.dsseEnvelope, payload: Buffer.from("{}").toString("base64") } }),
    ],
    ["not JSON", () => "{"],
    ["is not what it has to be", () => "[]"],
    ["is not what it has to be", () => `${"[".repeat(100)}${"]".repeat(100)}`],
  ])("is refused: %s", ([why, change]) => {
    expect(refusal(change(good))).toContain(why);
  });

  test.for<[string, (statement: Statement) => object]>([
    ["_type", (it) => ({ ...it, _type: "https://in-toto.io/Statement/v0.1" })],
    ["predicateType", (it) => ({ ...it, predicateType: "https://model_signing/Digests/v0.1" })],
    ["subject", (it) => ({ ...it, subject: [] })],
    [
      "do not come to the digest",
      (it) => ({ ...it, subject: [{ name: "greet", digest: { sha256: "0".repeat(64) } }] }),
    ],
    ["whole and by SHA-256", (it) => withSerialization(it, { method: "shards" })],
    ["whole and by SHA-256", (it) => withSerialization(it, { hash_type: "blake3" })],
    ["allows links", (it) => withSerialization(it, { allow_symlinks: true })],
    ["predicate.resources", (it) => withResources(it, () => [])],
    ["has no SHA-256", (it) => withResources(it, (list) => list.map((one) => ({ ...one, algorithm: "blake2b" })))],
    ["has no SHA-256", (it) => withResources(it, (list) => list.map((one) => ({ ...one, digest: "00" })))],
    ["twice", (it) => withResources(it, (list) => [...list, ...list.slice(0, 1)])],
    [
      "predicate.resources",
      (it) =>
        withResources(it, () =>
          Array.from({ length: 501 }, (_, at) => ({ name: `f${at}`, algorithm: "sha256", digest: "0".repeat(64) })),
        ),
    ],
  ])("is refused for what it signs, although it is signed: %s", ([why, change]) => {
    expect(refusal(bundleOf(change(statement), certificates, [leaf, between]))).toContain(why);
  });

  test.for<[string, () => readonly [TestCertificate, ...TestCertificate[]]]>([
    [
      "not one that signs files",
      () => [issued("stamps", ["keyUsage = critical,digitalSignature", EXTENSIONS.stamping])],
    ],
    ["not one that signs files", () => [issued("crl", ["keyUsage = critical,cRLSign"])]],
    ["not one that signs files", () => [issued("plain", ["basicConstraints = critical,CA:false"])]],
    ["does not hold together", () => [leaf, certificates.issue("stranger", { extensions: EXTENSIONS.root })]],
    ["does not hold together", () => [leaf, leaf]],
    [
      "does not hold together",
      () => {
        const none = certificates.issue("none", { extensions: SIGNS, under: root });
        return [certificates.issue("below", { extensions: SIGNS, under: none }), none];
      },
    ],
    [
      "does not hold together",
      () => {
        const short = certificates.issue("short", {
          extensions: ["basicConstraints = critical,CA:true,pathlen:0", "keyUsage = critical,keyCertSign"],
          under: root,
        });
        const more = certificates.issue("more", { extensions: EXTENSIONS.root, under: short });
        return [certificates.issue("deep", { extensions: SIGNS, under: more }), more, short];
      },
    ],
    ["critical extension", () => [issued("odd", [...SIGNS, "1.2.3.4 = critical,ASN1:NULL"])]],
    ["of a kind that is not known", () => [certificates.issue("rsa", { extensions: SIGNS, under: root, key: "rsa" })]],
  ])("is refused for its certificates: %s", ([why, chain]) => {
    expect(refusal(bundleOf(statement, certificates, chain()))).toContain(why);
  });

  test("with another certificate in the place of the one that signed is refused", () => {
    const [, ...rest] = good.verificationMaterial.x509CertificateChain?.certificates ?? [];
    const twin = certificates.issue("twin", { extensions: SIGNS, under: between, subject: "Acme Skills" });
    const swapped = { certificates: [{ rawBytes: twin.der.toString("base64") }, ...rest] };
    expect(refusal({ ...good, verificationMaterial: { x509CertificateChain: swapped, tlogEntries: [] } })).toContain(
      "forged",
    );
    const behind = {
      certificates: [{ rawBytes: Buffer.concat([leaf.der, Buffer.of(0)]).toString("base64") }, ...rest],
    };
    expect(refusal({ ...good, verificationMaterial: { x509CertificateChain: behind, tlogEntries: [] } })).toMatch(
      /certificate is refused/,
    );
  });
});

describe("a root", () => {
  test("is one certificate in PEM form that signs others", () => {
    expect(identitiesOf(readRoot(root.pem))).toEqual(["root", "CN=root"]);
    expect(() => readRoot(leaf.pem)).toThrow("not one that signs others");
    expect(() => readRoot(root.pem + between.pem)).toThrow("holds 2");
    expect(() => readRoot("hello")).toThrow("none in PEM form");
    expect(() => readRoot(root.pem.replace(/\n[A-Za-z0-9+/]{64}\n/, "\n"))).toThrow("cannot be read");
  });
});

type Resources = Statement["predicate"]["resources"];

function issued(name: string, extensions: readonly string[]): TestCertificate {
  return certificates.issue(name, { extensions, under: root });
}
function withSerialization(it: Statement, more: object): object {
  return { ...it, predicate: { ...it.predicate, serialization: { ...it.predicate.serialization, ...more } } };
}
function withResources(it: Statement, change: (list: Resources) => Resources): object {
  const resources = change(it.predicate.resources);
  return {
    ...it,
    subject: [{ name: FOREIGN_SIGNATURE, digest: { sha256: rootOf(resources) } }],
    predicate: { ...it.predicate, resources },
  };
}
