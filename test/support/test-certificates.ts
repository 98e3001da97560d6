import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { X509Certificate } from "node:crypto";
import { der, TAG } from "../../audit/der.ts";

export const EXTENSIONS = {
  root: ["basicConstraints = critical,CA:true", "keyUsage = critical,keyCertSign"],
  authority: ["basicConstraints = CA:false", "keyUsage = critical,digitalSignature"],
  stamping: "extendedKeyUsage = critical,timeStamping",
} as const;

export interface TestCertificate {
  readonly name: string;
  readonly der: Buffer;
  readonly pem: string;
}

const KEYS = {
  ec: ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
  "ec-384": ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
  rsa: ["rsa:2048"],
  "rsa-1024": ["rsa:1024"],
} as const;
export type TestKey = keyof typeof KEYS;
export type TestHash = "sha1" | "sha256" | "sha384" | "sha512";

/** Certificates and timestamps of openssl's making, in a folder of their own. */
export class TestCertificates {
  readonly folder: string;
  #requests = 0;

  constructor(folder: string) {
    this.folder = folder;
    writeFileSync(join(folder, "req.cnf"), "[req]\ndistinguished_name = dn\nprompt = no\n[dn]\nCN = unused\n");
  }

  #openssl(...args: string[]): void {
    execFileSync("openssl", args, { cwd: this.folder, stdio: ["ignore", "ignore", "pipe"] });
  }

  /** @param given `under`: who signs it; itself where left out. `subject`: its name in it. `again`: one whose key it has, too. */
  issue(
    name: string,
    given: {
      extensions: readonly string[];
      under?: TestCertificate;
      key?: TestKey;
      hash?: TestHash;
      subject?: string;
      serial?: number;
      again?: TestCertificate;
    },
  ): TestCertificate {
    const { extensions, under, key = "ec", hash = "sha256", again, serial } = given;
    const subject = ["-subj", `/CN=${given.subject ?? name}`];
    const made =
      again === undefined ? ["-newkey", ...KEYS[key], "-keyout", `${name}.key`] : ["-key", `${again.name}.key`];
    const config = ["-config", "req.cnf", "-nodes", ...made];
    writeFileSync(join(this.folder, `${name}.ext`), `${extensions.join("\n")}\n`);
    this.#openssl("req", "-new", ...config, ...subject, "-out", `${name}.csr`);
    const numbered = serial === undefined ? ["-CAcreateserial"] : ["-set_serial", String(serial)];
    const by =
      under === undefined
        ? ["-signkey", `${name}.key`]
        : ["-CA", `${under.name}.pem`, "-CAkey", `${under.name}.key`, ...numbered];
    const out = ["-days", "30", "-extfile", `${name}.ext`, `-${hash}`, "-out", `${name}.pem`];
    this.#openssl("x509", "-req", "-in", `${name}.csr`, ...by, ...out);
    const pem = readFileSync(join(this.folder, `${name}.pem`), "utf8");
    return { name, pem, der: new X509Certificate(pem).raw };
  }

  /** An answer of `openssl ts`. */
  stamp(digest: Uint8Array, signer: TestCertificate, hash: TestHash, chain: readonly TestCertificate[] = []): Buffer {
    const at = `ts-${(this.#requests += 1)}`;
    writeFileSync(
      join(this.folder, `${at}.cnf`),
      `[ts]\ndefault_tsa = here\n[here]\nserial = ./serial\ncrypto_device = builtin\nsigner_digest = ${hash}\ndefault_policy = 1.2.3.4.1\ndigests = sha256\ness_cert_id_alg = sha256\n`,
    );
    writeFileSync(join(this.folder, `${at}.chain`), chain.map(({ pem }) => pem).join(""));
    const query = ["-query", "-digest", Buffer.from(digest).toString("hex"), "-sha256", "-cert", "-out", `${at}.tsq`];
    this.#openssl("ts", ...query);
    const own = ["-signer", `${signer.name}.pem`, "-inkey", `${signer.name}.key`];
    const with_ = chain.length === 0 ? [] : ["-chain", `${at}.chain`];
    const reply = [
      "-reply",
      "-config",
      `${at}.cnf`,
      "-section",
      "here",
      "-queryfile",
      `${at}.tsq`,
      ...own,
      ...with_,
      "-out",
      `${at}.tsr`,
    ];
    this.#openssl("ts", ...reply);
    return readFileSync(join(this.folder, `${at}.tsr`));
  }

  /** A `TSTInfo` of any time, signed with any certificate: what `openssl ts` refuses to make. */
  forge(
    info: Uint8Array,
    signer: TestCertificate,
    given: { hash?: TestHash; chain?: readonly TestCertificate[]; type?: string; more?: readonly string[] } = {},
  ): Buffer {
    const { hash = "sha256", chain = [], type = "1.2.840.113549.1.9.16.1.4", more = ["-cades"] } = given;
    const at = `forged-${(this.#requests += 1)}`;
    writeFileSync(join(this.folder, `${at}.info`), info);
    writeFileSync(join(this.folder, `${at}.chain`), chain.map(({ pem }) => pem).join(""));
    const own = ["-signer", `${signer.name}.pem`, "-inkey", `${signer.name}.key`, "-md", hash];
    const with_ = chain.length === 0 ? [] : ["-certfile", `${at}.chain`];
    const form = ["-outform", "DER", "-nodetach", "-binary", "-econtent_type", type];
    this.#openssl("cms", "-sign", "-in", `${at}.info`, ...form, ...own, ...with_, ...more, "-out", `${at}.cms`);
    const granted = der(TAG.sequence, der(TAG.integer, Buffer.of(0)));
    return der(TAG.sequence, granted, readFileSync(join(this.folder, `${at}.cms`)));
  }
}

const SHA256 = der(TAG.sequence, der(TAG.oid, Buffer.from("608648016503040201", "hex")), der(TAG.nothing));

/** @param time `20261123223100Z`. */
export function timestampInfo(digest: Uint8Array, time: string, ...more: readonly Uint8Array[]): Buffer {
  return der(
    TAG.sequence,
    der(TAG.integer, Buffer.of(1)),
    der(TAG.oid, Buffer.from("2a0304", "hex")),
    der(TAG.sequence, SHA256, der(TAG.octets, digest)),
    der(TAG.integer, Buffer.of(7)),
    der(TAG.time, Buffer.from(time)),
    ...more,
  );
}
