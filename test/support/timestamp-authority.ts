import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

const CONFIG = `
[req]
distinguished_name = dn
prompt = no
[dn]
CN = a test authority
[ca]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign
[tsa]
basicConstraints = CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[ts]
default_tsa = here
[here]
serial = ./serial
crypto_device = builtin
signer_cert = ./tsa.pem
signer_key = ./tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
`;

/** An RFC 3161 authority: `openssl ts -reply` behind HTTP, with a certificate authority of its own. */
export class TimestampAuthority implements AsyncDisposable {
  readonly folder: string;
  readonly #server: Server;
  requests = 0;
  /** Changes an answer before it is given. */
  instead: ((response: Buffer) => Buffer) | null = null;

  private constructor(folder: string) {
    this.folder = folder;
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        response.writeHead(500);
        response.end(String(error));
      });
    });
  }

  static async start(): Promise<TimestampAuthority> {
    const folder = mkdtempSync(join(tmpdir(), "wirken-tsa-"));
    const authority = new TimestampAuthority(folder);
    writeFileSync(join(folder, "openssl.cnf"), CONFIG);
    const openssl = async (...args: string[]): Promise<unknown> => await run("openssl", args, { cwd: folder });
    const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-config", "openssl.cnf"];
    await openssl(
      "req",
      "-x509",
      ...newKey,
      "-extensions",
      "ca",
      "-keyout",
      "ca.key",
      "-out",
      "ca.pem",
      "-days",
      "2",
      "-subj",
      "/CN=test root",
    );
    await openssl("req", "-new", ...newKey, "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=test timestamps");
    await openssl(
      "x509",
      "-req",
      "-in",
      "tsa.csr",
      "-CA",
      "ca.pem",
      "-CAkey",
      "ca.key",
      "-CAcreateserial",
      "-extfile",
      "openssl.cnf",
      "-extensions",
      "tsa",
      "-out",
      "tsa.pem",
      "-days",
      "2",
    );
    await new Promise<void>((done) => authority.#server.listen(0, "127.0.0.1", done));
    return authority;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the authority does not listen");
    return `http://127.0.0.1:${address.port}/tsr`;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(Buffer.from(piece));
    if (request.headers["content-type"] !== "application/timestamp-query") {
      response.writeHead(415);
      response.end();
      return;
    }
    const at = ++this.requests;
    await writeFile(join(this.folder, `${at}.tsq`), Buffer.concat(pieces));
    await run(
      "openssl",
      ["ts", "-reply", "-config", "openssl.cnf", "-section", "here", "-queryfile", `${at}.tsq`, "-out", `${at}.tsr`],
      {
        cwd: this.folder,
      },
    );
    const answer = await readFile(join(this.folder, `${at}.tsr`));
    response.writeHead(200, { "content-type": "application/timestamp-reply" });
    response.end(this.instead?.(answer) ?? answer);
  }

  /** `openssl ts -verify` of a response over these bytes, with nothing trusted but the authority's root. @returns what it says. */
  async verify(response: Uint8Array, data: string): Promise<string> {
    await writeFile(join(this.folder, "check.tsr"), response);
    await writeFile(join(this.folder, "check.note"), data);
    const args = ["ts", "-verify", "-in", "check.tsr", "-data", "check.note", "-CAfile", "ca.pem"];
    const { stdout, stderr } = await run("openssl", args, { cwd: this.folder }).catch((error: unknown) => ({
      stdout: "",
      stderr: String(error),
    }));
    return `${stdout}${stderr}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
    rmSync(this.folder, { recursive: true, force: true });
  }
}
