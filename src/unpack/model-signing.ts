import { hash, type KeyObject, verify } from "node:crypto";
import { dsse } from "@sigstore/core";
import * as z from "zod/mini";
import { FOREIGN_SIGNATURE, type ForeignVerdict } from "../../skills/foreign.ts";
import { MAX_FILES } from "../../skills/manifest.ts";
import { shown, SkillError } from "../../skills/skill-error.ts";
import { type Certificate, followChain, identitiesOf, MAX_CHAIN, readCertificate } from "./certificates.ts";

/** A Sigstore bundle that holds a DSSE envelope, which holds an in-toto statement, which lists files.
 *  @see https://github.com/ossf/model-signing-spec/blob/main/spec/v1.0.md */

const BUNDLES: ReadonlySet<string> = new Set([
  "application/vnd.dev.sigstore.bundle.v0.3+json",
  "application/vnd.dev.sigstore.bundle+json;version=0.3",
]);
const PAYLOAD = "application/vnd.in-toto+json";

const Base64 = z.string().check(z.maxLength(512 * 1024));
// Others may add fields, which mean nothing here; what is signed is the payload.
const Bundle = z.object({
  mediaType: z.string().check(z.maxLength(100)),
  verificationMaterial: z.object({
    x509CertificateChain: z.optional(
      z.object({ certificates: z.array(z.object({ rawBytes: Base64 })).check(z.minLength(1), z.maxLength(MAX_CHAIN)) }),
    ),
    certificate: z.optional(z.unknown()),
    publicKey: z.optional(z.unknown()),
  }),
  dsseEnvelope: z.object({
    payload: Base64,
    payloadType: z.literal(PAYLOAD),
    signatures: z.array(z.object({ sig: Base64 })).check(z.length(1)),
  }),
});
const Sha256 = z.string().check(z.regex(/^[0-9a-f]{64}$/));
const Name = z.string().check(z.minLength(1), z.maxLength(1024));
const Statement = z.object({
  _type: z.literal("https://in-toto.io/Statement/v1"),
  subject: z.array(z.object({ digest: z.object({ sha256: Sha256 }) })).check(z.length(1)),
  predicateType: z.literal("https://model_signing/signature/v1.0"),
  predicate: z.object({
    serialization: z.object({ method: z.string(), hash_type: z.string(), allow_symlinks: z.boolean() }),
    resources: z
      .array(z.object({ name: Name, algorithm: z.string(), digest: z.string() }))
      .check(z.minLength(1), z.maxLength(MAX_FILES)),
  }),
});

/** Reads such a signature, follows its certificates to the given roots, and checks it. Whether it fits the files is for whoever has them to say.
 *  @throws {SkillError} `malformed` or `forged`. */
export function readModelSignature(bytes: Uint8Array, roots: readonly Certificate[]): ForeignVerdict {
  const { mediaType, verificationMaterial, dsseEnvelope } = shaped(Bundle, bytes, "");
  if (!BUNDLES.has(mediaType)) throw refused("it is of a kind that is not known here");
  const chain = verificationMaterial.x509CertificateChain?.certificates;
  if (chain === undefined)
    throw refused(
      verificationMaterial.publicKey !== undefined
        ? "it names a bare key, and only certificates are taken"
        : verificationMaterial.certificate !== undefined
          ? "it rests on Sigstore's public log, which is not asked here: only chains of certificates are taken"
          : "it has no chain of certificates",
    );
  const { leaf, ...followed } = followChain(
    chain.map(({ rawBytes }) => readCertificate(bytesOf(rawBytes))),
    roots,
  );
  const payload = bytesOf(dsseEnvelope.payload);
  const signed = dsse.preAuthEncoding(PAYLOAD, payload);
  const [signature] = dsseEnvelope.signatures;
  if (signature === undefined || !isSignedBy(leaf.x509.publicKey, signed, bytesOf(signature.sig)))
    throw new SkillError(
      "forged",
      `its ${FOREIGN_SIGNATURE} is not good: something was changed after it was signed`,
      "get the skill again from where it came from",
    );
  return { ...followed, identities: identitiesOf(leaf), resources: resourcesOf(payload) };
}

function resourcesOf(payload: Uint8Array): ForeignVerdict["resources"] {
  const { subject, predicate } = shaped(Statement, payload, "what it signs: ");
  const { serialization, resources } = predicate;
  if (serialization.method !== "files" || serialization.hash_type !== "sha256")
    throw refused("its files were not digested whole and by SHA-256");
  if (serialization.allow_symlinks) throw refused("it allows links, and a skill has none");
  const whole: Buffer[] = [];
  const seen = new Set<string>();
  for (const { name, algorithm, digest } of resources) {
    if (algorithm !== "sha256" || !Sha256.safeParse(digest).success)
      throw refused(`the file ${shown(name)} has no SHA-256`);
    if (seen.has(name)) throw refused(`it lists the file ${shown(name)} twice`);
    seen.add(name);
    whole.push(Buffer.from(digest, "hex"));
  }
  if (hash("sha256", Buffer.concat(whole), "hex") !== subject[0]?.digest.sha256)
    throw refused("its files do not come to the digest that it names");
  return resources.map(({ name, digest }) => ({ path: name, sha256: digest }));
}

/** By the key that a certificate holds: of a curve of NIST with that curve's hash, or Ed25519. */
const HASHES: Readonly<Record<string, string>> = { prime256v1: "sha256", secp384r1: "sha384", secp521r1: "sha512" };

function isSignedBy(key: KeyObject, signed: Uint8Array, signature: Uint8Array): boolean {
  const curve = key.asymmetricKeyDetails?.namedCurve;
  const algorithm = key.asymmetricKeyType === "ed25519" ? null : curve === undefined ? undefined : HASHES[curve];
  if (algorithm === undefined) throw refused("its key is of a kind that is not known here");
  return verify(algorithm, signed, key, signature);
}

function shaped<T>(schema: z.ZodMiniType<T>, bytes: Uint8Array, what: string): T {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw refused(`${what}it is not JSON`, { cause });
  }
  const found = schema.safeParse(value);
  if (found.success) return found.data;
  const [issue] = found.error.issues;
  throw refused(`${what}${issue === undefined ? "it" : shown(issue.path.join("."))} is not what it has to be`);
}

function bytesOf(text: string): Buffer {
  const bytes = Buffer.from(text, "base64");
  if (bytes.length === 0 || bytes.toString("base64") !== text) throw refused("something in it is not base64");
  return bytes;
}

function refused(why: string, options?: ErrorOptions): SkillError {
  return new SkillError(
    "malformed",
    `its ${FOREIGN_SIGNATURE} is refused: ${why}`,
    "if you vouch for it, sign it yourself: wirken skills sign DIR",
    options,
  );
}
