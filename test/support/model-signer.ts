import { execFileSync } from "node:child_process";
import { hash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { FOREIGN_SIGNATURE } from "../../skills/foreign.ts";
import type { SkillFile, SkillFiles } from "../../skills/verify.ts";
import type { TestCertificate, TestCertificates, TestHash } from "./test-certificates.ts";

/** Signatures in the OpenSSF Model Signing format, put together here by what its specification says and signed by openssl. */

const PAYLOAD = "application/vnd.in-toto+json";

export interface Statement {
  _type: string;
  subject: { name: string; digest: { sha256: string } }[];
  predicateType: string;
  predicate: {
    serialization: { method: string; hash_type: string; allow_symlinks: boolean; ignore_paths: string[] };
    resources: { name: string; algorithm: string; digest: string }[];
  };
}

export interface Bundle {
  mediaType: string;
  verificationMaterial: {
    x509CertificateChain?: { certificates: { rawBytes: string }[] };
    publicKey?: { hint: string };
    certificate?: { rawBytes: string };
    tlogEntries: unknown[];
  };
  dsseEnvelope: { payload: string; payloadType: string; signatures: { sig: string; keyid?: string | null }[] };
}

export function statementOf(files: SkillFiles): Statement {
  const resources = [...files]
    .filter(([path]) => path !== FOREIGN_SIGNATURE)
    .map(([name, { bytes }]) => ({ name, algorithm: "sha256", digest: hash("sha256", bytes, "hex") }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return {
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ name: "greet", digest: { sha256: rootOf(resources) } }],
    predicateType: "https://model_signing/signature/v1.0",
    predicate: {
      serialization: {
        method: "files",
        hash_type: "sha256",
        allow_symlinks: false,
        ignore_paths: [FOREIGN_SIGNATURE, ".git"],
      },
      resources,
    },
  };
}

/** Of all digests, one after the other. */
export function rootOf(resources: Statement["predicate"]["resources"]): string {
  return hash("sha256", Buffer.from(resources.map(({ digest }) => digest).join(""), "hex"), "hex");
}

/** @param chain the first signs. @param hashed as its curve wants it. */
export function bundleOf(
  statement: object,
  certificates: TestCertificates,
  chain: readonly [TestCertificate, ...TestCertificate[]],
  hashed: TestHash = "sha256",
): Bundle {
  const payload = Buffer.from(JSON.stringify(statement, null, 2));
  const signed = Buffer.concat([Buffer.from(`DSSEv1 ${PAYLOAD.length} ${PAYLOAD} ${payload.length} `), payload]);
  writeFileSync(join(certificates.folder, "signed"), signed);
  const sig = execFileSync("openssl", ["dgst", `-${hashed}`, "-sign", `${chain[0].name}.key`, "signed"], {
    cwd: certificates.folder,
  });
  return {
    mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
    verificationMaterial: {
      x509CertificateChain: { certificates: chain.map(({ der }) => ({ rawBytes: der.toString("base64") })) },
      tlogEntries: [],
    },
    dsseEnvelope: {
      payload: payload.toString("base64"),
      payloadType: PAYLOAD,
      signatures: [{ sig: sig.toString("base64"), keyid: "" }],
    },
  };
}

/** The same files with that signature beside them. */
export function signedModel(
  files: SkillFiles,
  certificates: TestCertificates,
  chain: readonly [TestCertificate, ...TestCertificate[]],
): Map<string, SkillFile> {
  const bytes = Buffer.from(JSON.stringify(bundleOf(statementOf(files), certificates, chain)));
  return new Map([...files, [FOREIGN_SIGNATURE, { bytes, executable: false }]]);
}
